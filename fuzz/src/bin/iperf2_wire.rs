//! Headers, datagrams and reports of iperf 2: no panic; what is read is written back the same.
//!
//! Seeds: .iperf2
#![no_main]

use libfuzzer_sys::fuzz_target;
use surefoot_throughput::wire::first_bytes::{recognise_datagram, recognise_stream};
use surefoot_throughput::wire::iperf2::{ClientHeader, DatagramHeader, DatagramShape, ServerReport};

fuzz_target!(|bytes: &[u8]| {
    let _ = recognise_stream(bytes);
    let _ = recognise_datagram(bytes);
    if let Ok(header) = ClientHeader::from_wire(bytes) {
        let _ = (
            header.mode(),
            header.rate(1470),
            header.wants_acknowledgement(),
        );
        let again = ClientHeader::from_wire(&header.to_wire(0, 0)).expect("what we write");
        assert_eq!(again.mode(), header.mode());
        assert_eq!(again.extension, header.extension);
        assert_eq!(again.block_length, header.block_length);
    }
    for shape in [
        DatagramShape::Short,
        DatagramShape::Long { wide: false },
        DatagramShape::Long { wide: true },
    ] {
        if let Some(header) = DatagramHeader::from_wire(bytes, shape) {
            let mut written = [0; 16];
            header.write(&mut written, shape);
            assert_eq!(DatagramHeader::from_wire(&written, shape), Some(header));
        }
        if let Some(report) = ServerReport::from_wire(bytes, shape) {
            let _ = report.to_wire(shape);
        }
    }
});
