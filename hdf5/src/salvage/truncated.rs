//! Files that are shorter than their superblock says: HDF5 does not open them.

use std::io::{Read, Seek, SeekFrom};

/// How many bytes the file says that it has, where its superblock can be read. It is no more than a claim.
///
/// # Errors
/// What the system says.
pub fn stated_len(mut file: impl Read + Seek) -> std::io::Result<Option<u64>> {
    let n_bytes = file.seek(SeekFrom::End(0))?;
    let mut at = 0;
    while at < n_bytes {
        let mut front = [0; 64];
        file.seek(SeekFrom::Start(at))?;
        let n_read = file.by_ref().take(front.len() as u64).read(&mut front)?;
        if n_read == front.len() && front.starts_with(b"\x89HDF\r\n\x1a\n") {
            return Ok(end_of_file(&front));
        }
        at = if at == 0 { 512 } else { 2 * at };
    }
    Ok(None)
}

/// The end of the file in a superblock with addresses of 8 bytes: from its first byte, not from the superblock.
fn end_of_file(front: &[u8; 64]) -> Option<u64> {
    let (address_bytes, at) = match front[8] {
        0 => (front[13], 40),
        1 => (front[13], 44),
        2 | 3 => (front[9], 28),
        _ => return None,
    };
    let bytes = front.get(at..)?.first_chunk()?;
    (address_bytes == 8).then_some(u64::from_le_bytes(*bytes)).filter(|end| *end < u64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn the_length_of_a_file_is_found_in_each_version_of_the_superblock() {
        for (version, at) in [(0, 40), (1, 44), (2, 28), (3, 28)] {
            let mut bytes = vec![0; 1024];
            bytes[512..520].copy_from_slice(b"\x89HDF\r\n\x1a\n");
            (bytes[520], bytes[525], bytes[521]) = (version, 8, 8);
            bytes[512 + at..][..8].copy_from_slice(&123_456_u64.to_le_bytes());
            assert_eq!(stated_len(Cursor::new(&bytes)).expect("read"), Some(123_456), "{version}");
            bytes[512] = 0;
            assert_eq!(stated_len(Cursor::new(&bytes)).expect("read"), None);
        }
    }
}
