//! Numbers of any size in as few bytes as they need: seven bits a byte, the lowest first; the highest bit of a byte says that another
//! one follows.

use crate::codec::cursor::Cursor;
use crate::{Error, Result};

/// Bytes of a number at most: those of 64 bits.
const MAX_BYTES: u32 = 10;

pub(crate) fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// A number that may be negative: 0, −1, 1, −2, … are stored as 0, 1, 2, 3, …
pub(crate) fn put_signed(out: &mut Vec<u8>, number: i64) {
    put(out, (number << 1 ^ number >> 63).cast_unsigned());
}

pub(crate) fn get(cursor: &mut Cursor<'_>) -> Result<u64> {
    let at = cursor.at();
    let mut number = 0;
    for index in 0..MAX_BYTES {
        let byte = cursor.u8()?;
        let bits = u64::from(byte & 0x7f);
        if index == MAX_BYTES - 1 && bits > 1 {
            break;
        }
        number |= bits << (7 * index);
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(Error::Corrupt { at, what: "a number has more than 64 bits" })
}

pub(crate) fn get_signed(cursor: &mut Cursor<'_>) -> Result<i64> {
    let number = get(cursor)?;
    Ok((number >> 1).cast_signed() ^ -((number & 1).cast_signed()))
}

/// A number of at most 32 bits.
pub(crate) fn get_u32(cursor: &mut Cursor<'_>) -> Result<u32> {
    let at = cursor.at();
    u32::try_from(get(cursor)?).map_err(|_| Error::Corrupt { at, what: "a number has more than 32 bits" })
}

/// As many bytes as a number before them says.
pub(crate) fn get_bytes<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8]> {
    let n_bytes = get_u32(cursor)?;
    cursor.take(n_bytes as usize)
}

pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_and_longer_ones_are_refused() {
        for number in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX] {
            let mut bytes = Vec::new();
            put(&mut bytes, number);
            assert_eq!(get(&mut Cursor::new(&bytes)), Ok(number));
            assert!(get(&mut Cursor::new(&bytes[..bytes.len() - 1])).is_err());
        }
        for number in [0, -1, 1, i64::MIN, i64::MAX] {
            let mut bytes = Vec::new();
            put_signed(&mut bytes, number);
            assert_eq!(get_signed(&mut Cursor::new(&bytes)), Ok(number));
        }
        let long = [[0xff; 9].as_slice(), &[2]].concat();
        assert!(get(&mut Cursor::new(&long)).is_err());
        assert!(get(&mut Cursor::new(&[0xff; 12])).is_err());
    }
}
