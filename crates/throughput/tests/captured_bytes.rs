//! Bytes captured from the real programs, held against the wire formats.

use surefoot_throughput::wire::first_bytes::{
    DatagramOpening, StreamOpening, recognise_datagram, recognise_stream,
};
use surefoot_throughput::wire::iperf2::{
    AckLayout, ClientHeader, DatagramHeader, DatagramShape, HeaderError, HeaderExtension,
    HeaderFlags, ServerReport, TestAmount, TestMode, UpperFlags, header_acknowledgement,
};
use surefoot_throughput::wire::iperf3::{
    ControlState, Cookie, CounterWidth, DatagramStamp, ParameterError, ResultsError,
    TestParameters, TestResults, TransportKind, frame_document, is_reply, stream_id,
};

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex
        .chars()
        .filter_map(|letter| letter.to_digit(16))
        .map(|digit| u8::try_from(digit).expect("a digit"))
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

/// What `iperf -c HOST -n 256K` of 2.1.8 sends first.
const PLAIN_CLIENT: &str = "40010078 00000001 0000157c 00000000 00000000 00040000
    00000000 00000000 00000000 00020001 00080003 00000000 00000000 00000000 00000000";

fn with_flags(flags: &str, upper: &str) -> ClientHeader {
    let mut header = bytes(PLAIN_CLIENT);
    header[..4].copy_from_slice(&bytes(flags));
    header[32..34].copy_from_slice(&bytes(upper));
    ClientHeader::from_wire(&header).expect("a header")
}

#[test]
fn the_first_bytes_of_iperf_2_1_8() {
    let header = ClientHeader::from_wire(&bytes(PLAIN_CLIENT)).unwrap();
    assert_eq!(header.flags.header_length(), 60);
    assert_eq!(header.thread_count, 1);
    assert_eq!(header.reply_port, 5500);
    assert_eq!(header.amount, TestAmount::Bytes(262_144));
    assert_eq!(header.mode(), TestMode::Forward);
    let extension = header.extension.unwrap();
    assert_eq!(extension.version, [0x0002_0001, 0x0008_0003]);
    assert!(header.wants_acknowledgement());
    assert_eq!(header.to_wire(60, 0), bytes(PLAIN_CLIENT));
}

#[test]
fn the_modes_of_iperf_2_1_8() {
    let modes = [
        ("40010078", "0000", TestMode::Forward, true),
        ("c0010079", "0000", TestMode::Dual, true),
        ("c0010078", "0000", TestMode::Tradeoff, true),
        ("44010078", "0400", TestMode::Reverse, false),
        ("44010078", "0800", TestMode::FullDuplex, false),
        ("46010078", "0000", TestMode::Forward, true),
        ("6c010098", "0400", TestMode::Reverse, false),
        ("c8010099", "0000", TestMode::Dual, true),
    ];
    for (flags, upper, mode, acknowledged) in modes {
        let header = with_flags(flags, upper);
        assert_eq!(header.mode(), mode, "{flags} {upper}");
        assert_eq!(header.wants_acknowledgement(), acknowledged, "{flags}");
    }
}

#[test]
fn the_lengths_of_headers() {
    let lengths = [
        ("40010078", 60),
        ("400100a0", 80),
        ("48010098", 76),
        ("40010080", 64),
        ("00000000", 24),
        ("80000001", 24),
        ("40000000", 60),
        // A length that no header has.
        ("40010002", 60),
        ("400101fe", 255),
    ];
    for (flags, length) in lengths {
        let word = u32::from_be_bytes(bytes(flags).try_into().unwrap());
        assert_eq!(HeaderFlags(word).header_length(), length, "{flags}");
    }
}

#[test]
fn a_header_without_the_flag_of_its_extension_is_written_with_it() {
    let mut odd = bytes(PLAIN_CLIENT);
    odd[..4].copy_from_slice(&bytes("04000000"));
    let header = ClientHeader::from_wire(&odd).unwrap();
    let again = ClientHeader::from_wire(&header.to_wire(0, 0)).unwrap();
    assert_eq!(again.extension, header.extension);
    assert_eq!(again.mode(), header.mode());
}

#[test]
fn amounts_of_time_are_negative() {
    let mut header = bytes(PLAIN_CLIENT);
    header[20..24].copy_from_slice(&bytes("ffffff9c"));
    let read = ClientHeader::from_wire(&header).unwrap();
    assert_eq!(read.amount, TestAmount::Centiseconds(100));
    assert_eq!(read.to_wire(0, 0), header);
    header[20..24].copy_from_slice(&bytes("80000000"));
    let read = ClientHeader::from_wire(&header).unwrap();
    assert_eq!(read.amount, TestAmount::Centiseconds(1 << 31));
}

#[test]
fn a_2_2_client_packs_a_number_into_its_thread_count() {
    let mut header = bytes(PLAIN_CLIENT);
    header[4..8].copy_from_slice(&bytes("80500004"));
    assert_eq!(ClientHeader::from_wire(&header).unwrap().thread_count, 4);
    header[4..8].copy_from_slice(&bytes("00000000"));
    assert_eq!(ClientHeader::from_wire(&header).unwrap().thread_count, 1);
}

#[test]
fn the_rate_is_shifted_on_the_wire() {
    let mut header = ClientHeader::from_wire(&bytes(PLAIN_CLIENT)).unwrap();
    header.extension = Some(HeaderExtension {
        upper: UpperFlags(UpperFlags::RATE_IS_SET),
        rate: 100_000_000_000,
        ..HeaderExtension::default()
    });
    let wire = header.to_wire(0, 0);
    // 100 Gbit/s is 17 << 32 and a rest.
    assert_eq!(wire[24 + 28..24 + 32], bytes("00001700"));
    let read = ClientHeader::from_wire(&wire).unwrap();
    assert_eq!(read.rate(1470), Some(100_000_000_000));
    assert_eq!(read.extension.unwrap().upper.0, 0x0100);
}

#[test]
fn the_acknowledgement_of_a_real_server() {
    let captured = bytes("00000002 0000001c 00000000 00020001 00080003 00000000 00000000");
    let version = [0x0002_0001, 0x0008_0003];
    assert_eq!(header_acknowledgement(AckLayout::Plain, version), captured);
    assert_eq!(
        header_acknowledgement(AckLayout::WithTimes, version).len(),
        52
    );
}

#[test]
fn numbers_of_datagrams() {
    let wide = DatagramShape::Long { wide: true };
    // The last datagram of 88: its number is -89.
    let last = bytes("ffffffa7 6567e3a1 000a1b2c ffffffff");
    let header = DatagramHeader::from_wire(&last, wide).unwrap();
    assert_eq!(header.id, -89);
    let mut written = [0; 16];
    header.write(&mut written, wide);
    assert_eq!(written[..], last[..]);
    let short = DatagramHeader::from_wire(&last, DatagramShape::Short).unwrap();
    assert_eq!(short.id, -89);
    assert_eq!(DatagramHeader::from_wire(&last[..11], wide), None);
}

#[test]
fn the_shape_of_a_client_shows_in_its_first_datagram() {
    let mut new = bytes("00000001 6567e3a1 000a1b2c 00000000");
    let mut header = bytes(PLAIN_CLIENT);
    header[..4].copy_from_slice(&bytes("48010098"));
    new.extend(&header);
    let wide = DatagramShape::Long { wide: true };
    assert_eq!(DatagramShape::recognise(&new), Some((wide, 1)));
    let mut old = bytes("00000000 6567e3a1 000a1b2c");
    old.extend(bytes(
        "00000000 00000001 00001389 00000000 00100000 fffffc18",
    ));
    assert_eq!(
        DatagramShape::recognise(&old),
        Some((DatagramShape::Short, 0))
    );
    old[15] = 7;
    assert_eq!(DatagramShape::recognise(&old), None);
    assert_eq!(DatagramShape::recognise(&new[..17]), None);
    assert_eq!(recognise_datagram(&new), DatagramOpening::Iperf2(wide));
    assert_eq!(recognise_datagram(b"9876"), DatagramOpening::Iperf3Hello);
    assert_eq!(
        recognise_datagram(&[0x15, 0xcd, 0x5b, 7]),
        DatagramOpening::Iperf3Hello
    );
    assert_eq!(
        recognise_datagram(b"GET / HTTP/1.1\r\n\r\n--"),
        DatagramOpening::Foreign
    );
    new[..4].copy_from_slice(&bytes("ffffffa7"));
    new[12..16].fill(0xff);
    assert_eq!(recognise_datagram(&new), DatagramOpening::Iperf2Late);
}

#[test]
fn a_report_reads_back_in_both_shapes() {
    let report = ServerReport {
        bytes: 5_000_000_000,
        microseconds: 10_000_123,
        lost: 3,
        out_of_order: 1,
        datagrams: 4_000_000,
        jitter_microseconds: 17,
    };
    let long = report.to_wire(DatagramShape::Long { wide: true });
    assert_eq!(long.len(), 128);
    assert_eq!(long[16..20], bytes("88000000"));
    let shape = DatagramShape::Long { wide: true };
    assert_eq!(ServerReport::from_wire(&long, shape), Some(report));
    let short = report.to_wire(DatagramShape::Short);
    assert_eq!(short.len(), 52);
    assert_eq!(
        ServerReport::from_wire(&short, DatagramShape::Short),
        Some(report)
    );
    assert_eq!(ServerReport::from_wire(&long[..50], shape), None);
    assert_eq!(ServerReport::from_wire(&[0; 128], shape), None);
}

#[test]
fn one_port_tells_the_protocols_apart() {
    let cookie = Cookie::from_random(&[9; 36]).to_wire();
    let openings: [(&[u8], StreamOpening); 13] = [
        (b"", StreamOpening::Undecided),
        (b"\x40\x01", StreamOpening::Undecided),
        (&cookie[..3], StreamOpening::Undecided),
        (&cookie[..36], StreamOpening::Undecided),
        (&cookie, StreamOpening::Iperf3),
        (
            b"host1.1700000000.123456.3fffffff\0\0\0\0\0",
            StreamOpening::Iperf3,
        ),
        (b"0123456789", StreamOpening::Iperf2Data),
        (&bytes(PLAIN_CLIENT), StreamOpening::Iperf2Header),
        (&bytes("80000001 00000001"), StreamOpening::Iperf2Header),
        (&[0; 24], StreamOpening::Iperf2Header),
        (
            b"GET / HTTP/1.1\r\nHost: a.example\r\nX: y\r\n",
            StreamOpening::Foreign,
        ),
        (b"\x16\x03\x01\x02\x00\x01", StreamOpening::Foreign),
        (&[b'a'; 40], StreamOpening::Foreign),
    ];
    for (first, opening) in openings {
        assert_eq!(recognise_stream(first), opening, "{first:?}");
    }
}

#[test]
fn flags_of_no_client_are_refused() {
    let wrong = ClientHeader::from_wire(&[0xff; 60]);
    assert_eq!(wrong, Err(HeaderError::Flags(0xffff_ffff)));
    assert_eq!(ClientHeader::from_wire(&[0; 23]), Err(HeaderError::Short));
}

#[test]
fn cookies_are_of_the_reference_alphabet_and_end_at_a_nul() {
    let random: [u8; 36] = std::array::from_fn(|place| u8::try_from(place * 7).unwrap());
    let cookie = Cookie::from_random(&random);
    let wire = cookie.to_wire();
    assert_eq!(wire[36], 0);
    assert!(
        wire[..36]
            .iter()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'))
    );
    let mut other = wire;
    other[20] = 0;
    let mut same = other;
    same[30] = b'z';
    assert_eq!(Cookie::from_wire(&other), Cookie::from_wire(&same));
    assert_ne!(Cookie::from_wire(&other), cookie);
}

#[test]
fn states_are_signed_bytes() {
    assert_eq!(
        ControlState::from_byte(9),
        Some(ControlState::ParameterExchange)
    );
    assert_eq!(
        ControlState::from_byte(255),
        Some(ControlState::AccessDenied)
    );
    assert_eq!(ControlState::ServerError.to_byte(), 0xfe);
    assert_eq!(ControlState::from_byte(3), None);
}

#[test]
fn the_parameters_of_3_12_and_of_3_21() {
    let tcp = br#"{"tcp":true,"omit":0,"time":1,"num":0,"blockcount":0,"parallel":1,"len":131072,"bandwidth":1000000,"pacing_timer":1000,"client_version":"3.12"}"#;
    let tcp = TestParameters::from_json(tcp).unwrap();
    assert_eq!(tcp.transport, TransportKind::Tcp);
    assert_eq!((tcp.time, tcp.parallel, tcp.block_length), (1, 1, 131_072));
    assert_eq!(tcp.bandwidth, 1_000_000);
    assert_eq!(tcp.client_version.as_deref(), Some("3.12"));
    assert_eq!(TestParameters::from_json(tcp.to_json().as_bytes()), Ok(tcp));
    let udp = br#"{"udp":true,"omit":0,"time":1,"num":0,"blockcount":0,"parallel":1,"len":32768,"bandwidth":1000000,"pacing_timer":1000,"gso":0,"gso_dg_size":0,"gso_bf_size":65507,"gro":0,"gro_bf_size":65507,"client_version":"3.21+"}"#;
    let udp = TestParameters::from_json(udp).unwrap();
    assert_eq!(udp.transport, TransportKind::Udp);
    assert_eq!(udp.block_length, 32_768);
}

#[test]
fn parameters_out_of_bounds_are_refused_by_name() {
    let refused = |text: &str| TestParameters::from_json(text.as_bytes()).unwrap_err();
    let error = refused(r#"{"tcp":true,"parallel":1000000}"#);
    assert_eq!(
        error.to_string(),
        "parameter `parallel` is 1000000, which is not within 0 to 128"
    );
    assert!(matches!(refused("[1]"), ParameterError::Malformed(_)));
    assert!(matches!(refused("{"), ParameterError::Malformed(_)));
    assert_eq!(refused(r#"{"sctp":true}"#), ParameterError::Sctp);
    refused(r#"{"udp":true,"len":15}"#);
    refused(r#"{"udp":true,"len":70000}"#);
    refused(r#"{"tcp":true,"time":-1}"#);
    refused(r#"{"tcp":true,"num":1e300,"time":1e300}"#);
    refused(&"[".repeat(100_000));
    let wrong_types = br#"{"tcp":true,"time":"x","len":null,"reverse":{}}"#;
    let lenient = TestParameters::from_json(wrong_types).unwrap();
    assert_eq!(
        (lenient.time, lenient.block_length, lenient.reverse),
        (0, 131_072, false)
    );
}

#[test]
fn the_results_of_3_12() {
    let text = br#"{"cpu_util_total":2.09,"cpu_util_user":0.67,"cpu_util_system":1.41,"sender_has_retransmits":1,"congestion_used":"bbr","streams":[{"id":1,"bytes":131072,"retransmits":0,"jitter":0,"errors":0,"packets":0,"start_time":0,"end_time":1.007159}]}"#;
    let results = TestResults::from_json(text).unwrap();
    assert_eq!(results.has_retransmits, Some(true));
    assert_eq!(results.streams[0].bytes, 131_072);
    assert_eq!(results.streams[0].retransmits, Some(0));
    assert_eq!(
        TestResults::from_json(results.to_json().as_bytes()),
        Ok(results)
    );
}

#[test]
fn unknown_retransmits_come_in_three_spellings() {
    for spelling in ["-1", "18446744073709551615", "1.8446744073709552e+19"] {
        let text = format!(
            r#"{{"sender_has_retransmits":-1,"streams":[{{"id":1,"bytes":1e10,"retransmits":{spelling},"jitter":1e-05,"errors":0,"packets":7}}]}}"#
        );
        let results = TestResults::from_json(text.as_bytes()).unwrap();
        assert_eq!(results.streams[0].retransmits, None, "{spelling}");
        assert_eq!(results.streams[0].bytes, 10_000_000_000);
        assert_eq!(results.has_retransmits, None);
    }
    let missing = TestResults::from_json(br#"{"streams":[{"id":1}]}"#);
    assert_eq!(missing, Err(ResultsError::Missing("bytes")));
    assert_eq!(
        TestResults::from_json(b"{}"),
        Err(ResultsError::Missing("streams"))
    );
}

#[test]
fn stamps_of_both_widths() {
    let narrow = bytes("00000bd4 0001c58c 00000001");
    let stamp = DatagramStamp::from_wire(&narrow, CounterWidth::Narrow).unwrap();
    assert_eq!(
        (stamp.seconds, stamp.microseconds, stamp.count),
        (3028, 116_108, 1)
    );
    let wide = bytes("00000bd5 0003c91b 00000000 00000001");
    let stamp = DatagramStamp::from_wire(&wide, CounterWidth::Wide).unwrap();
    assert_eq!((stamp.seconds, stamp.count), (3029, 1));
    let mut written = [0; 16];
    stamp.write(&mut written, CounterWidth::Wide);
    assert_eq!(written[..], wide[..]);
    assert_eq!(DatagramStamp::from_wire(&narrow, CounterWidth::Wide), None);
    assert!(is_reply(b"6789") && is_reply(&[0xb1, 0x68, 0xde, 0x3a]) && !is_reply(b"9876"));
}

#[test]
fn streams_are_numbered_as_the_reference_does() {
    let ids: Vec<u32> = (0..4).map(stream_id).collect();
    assert_eq!(ids, [1, 3, 4, 5]);
}

#[test]
fn a_document_has_its_length_in_front() {
    assert_eq!(frame_document("{}"), [0, 0, 0, 2, b'{', b'}']);
}
