//! Numbers at a place in a buffer. A place that is not there reads as `None`.

/// The unsigned 16-bit number at a place.
pub(super) fn read_u16(bytes: &[u8], at: usize) -> Option<u16> {
    let field = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_be_bytes(field.try_into().ok()?))
}

/// The unsigned 32-bit number at a place.
pub(super) fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(field.try_into().ok()?))
}

/// The signed 32-bit number at a place.
pub(super) fn read_i32(bytes: &[u8], at: usize) -> Option<i32> {
    read_u32(bytes, at).map(u32::cast_signed)
}

/// Writes a number at a place that the caller has made room for.
pub(super) fn write_u16(bytes: &mut [u8], at: usize, value: u16) {
    bytes[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

/// Writes a number at a place that the caller has made room for.
pub(super) fn write_u32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
}

/// The low and the high half of a number.
pub(super) fn split_halves(value: u64) -> (u32, u32) {
    let low = u32::try_from(value & 0xffff_ffff).unwrap_or(0);
    let high = u32::try_from(value >> 32).unwrap_or(0);
    (low, high)
}

/// The number of a low and a high half.
pub(super) fn join_halves(low: u32, high: u32) -> u64 {
    (u64::from(high) << 32) | u64::from(low)
}
