//! Kafka's flexible encoding, as far as metadata records use it: compact strings and arrays, tagged fields.
//!
//! Each reader takes its bytes off the front; `None` where they are not what is asked for.

/// An unsigned varint of at most 32 bits.
pub fn uvarint(bytes: &mut &[u8]) -> Option<u32> {
    let mut value = 0u32;
    for shift in (0..35).step_by(7) {
        let byte = *bytes.split_off_first()?;
        value |= u32::from(byte & 0x7F).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// One byte, signed.
pub fn i8(bytes: &mut &[u8]) -> Option<i8> {
    bytes.split_off_first().map(|byte| *byte as i8)
}

/// Two bytes.
pub fn i16(bytes: &mut &[u8]) -> Option<i16> {
    Some(i16::from_be_bytes(bytes.split_off(..2)?.try_into().ok()?))
}

/// Four bytes.
pub fn i32(bytes: &mut &[u8]) -> Option<i32> {
    Some(i32::from_be_bytes(bytes.split_off(..4)?.try_into().ok()?))
}

/// Eight bytes.
pub fn i64(bytes: &mut &[u8]) -> Option<i64> {
    Some(i64::from_be_bytes(bytes.split_off(..8)?.try_into().ok()?))
}

/// Sixteen bytes.
pub fn uuid(bytes: &mut &[u8]) -> Option<[u8; 16]> {
    bytes.split_off(..16)?.try_into().ok()
}

/// A string that is there.
pub fn string(bytes: &mut &[u8]) -> Option<String> {
    nullable_string(bytes)?
}

/// A string that may be absent.
pub fn nullable_string(bytes: &mut &[u8]) -> Option<Option<String>> {
    match uvarint(bytes)? {
        0 => Some(None),
        n => Some(Some(String::from_utf8_lossy(bytes.split_off(..n as usize - 1)?).into_owned())),
    }
}

/// An array of nodes; an absent one is empty.
pub fn nodes(bytes: &mut &[u8]) -> Option<Vec<i32>> {
    let count = uvarint(bytes)?.saturating_sub(1) as usize;
    let mut items = bytes.split_off(..count.checked_mul(4)?)?;
    let mut nodes = Vec::with_capacity(count);
    while let Some(node) = i32(&mut items) {
        nodes.push(node);
    }
    Some(nodes)
}

/// An array of uuids, passed over.
pub fn skip_uuids(bytes: &mut &[u8]) -> Option<()> {
    let count = uvarint(bytes)?.saturating_sub(1) as usize;
    bytes.split_off(..count.checked_mul(16)?).map(|_| ())
}

/// Calls `each` with every tagged field; one that `each` has no use for is passed over.
pub fn tagged(bytes: &mut &[u8], mut each: impl FnMut(u32, &mut &[u8]) -> Option<()>) -> Option<()> {
    for _ in 0..uvarint(bytes)? {
        let (tag, length) = (uvarint(bytes)?, uvarint(bytes)?);
        let mut field = bytes.split_off(..length as usize)?;
        each(tag, &mut field)?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_that_promises_gigabytes_is_none() {
        let mut bytes: &[u8] = &[0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 1, 2];
        assert_eq!(nodes(&mut bytes), None);
    }

    #[test]
    fn strings_and_arrays_count_from_one_and_zero_is_absent() {
        let mut bytes: &[u8] = &[3, b'a', b'b', 0, 2, 0, 0, 0, 7, 0];
        assert_eq!(string(&mut bytes).as_deref(), Some("ab"));
        assert_eq!(nullable_string(&mut bytes), Some(None));
        assert_eq!((nodes(&mut bytes), nodes(&mut bytes), bytes.len()), (Some(vec![7]), Some(vec![]), 0));
    }
}
