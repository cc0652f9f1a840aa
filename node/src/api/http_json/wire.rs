//! Protobuf's wire format, as far as the protocol uses it: numbers as varints, everything else with a length before it.

/// What stands under a field's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire<'a> {
    /// A number.
    Number(u64),
    /// Text, bytes, or a message.
    Bytes(&'a [u8]),
}

/// Writes a number under a field's number.
pub fn put_number(out: &mut Vec<u8>, field: u32, value: u64) {
    put_varint(out, u64::from(field) << 3);
    put_varint(out, value);
}

/// Writes bytes under a field's number.
pub fn put_bytes(out: &mut Vec<u8>, field: u32, bytes: &[u8]) {
    put_varint(out, u64::from(field) << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        // The low seven bits, marked as not the last.
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The fields of a message in their order; `None` when it is not in wire format.
pub fn fields(mut bytes: &[u8]) -> Option<Vec<(u32, Wire<'_>)>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = take_varint(&mut bytes)?;
        let number = u32::try_from(key >> 3).ok()?;
        let value = match key & 7 {
            0 => Wire::Number(take_varint(&mut bytes)?),
            2 => {
                let length = usize::try_from(take_varint(&mut bytes)?).ok()?;
                let (value, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                Wire::Bytes(value)
            }
            _ => return None,
        };
        fields.push((number, value));
    }
    Some(fields)
}

/// The numbers of a list that stands in one piece.
pub fn packed(mut bytes: &[u8]) -> Option<Vec<u64>> {
    let mut numbers = Vec::new();
    while !bytes.is_empty() {
        numbers.push(take_varint(&mut bytes)?);
    }
    Some(numbers)
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_bytes_come_back() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            put_number(&mut out, 7, value);
            put_bytes(&mut out, 2047, b"text");
            assert_eq!(fields(&out).unwrap(), [(7, Wire::Number(value)), (2047, Wire::Bytes(b"text"))]);
            for cut in 1..out.len() {
                if let Some(read) = fields(&out[..cut]) {
                    assert_eq!(read.len(), 1, "cut at {cut}");
                }
            }
        }
    }

    #[test]
    fn lists_of_numbers_stand_in_one_piece() {
        let mut out = Vec::new();
        for number in [0, 300, u64::MAX] {
            put_varint(&mut out, number);
        }
        assert_eq!(packed(&out).unwrap(), [0, 300, u64::MAX]);
        assert_eq!(packed(&out[..2]), None);
    }

    #[test]
    fn what_is_not_in_wire_format_is_nothing() {
        for bytes in [&[0xff; 11][..], &[0x12, 5, 1], &[0x0d, 0, 0, 0, 0], &[0x80]] {
            assert_eq!(fields(bytes), None, "{bytes:?}");
        }
    }
}
