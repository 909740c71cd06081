//! The frame that stands for zeros only: a header, and blocks that repeat one byte.
//!
//! 11 bytes for 8 KiB, where the library writes 19; and every decoder fills memory by it, where it copies the library's
//! 8 bytes at a time.

use super::context::MAX_BLOCK_BYTES;

const MAGIC: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();

/// In the header's descriptor: the window is the whole content, so none is stated.
const SINGLE_SEGMENT: u8 = 1 << 5;

/// In a block's header: no block follows.
const LAST: u32 = 1;

/// In a block's header: one byte follows, which is repeated.
const REPEATED: u32 = 1 << 1;

/// Writes the frame of `n_bytes` zeros, at least one, to the front of `dst` and returns its length; `None` where it does
/// not fit.
pub(super) fn encode(n_bytes: usize, dst: &mut [u8]) -> Option<usize> {
    let mut at = 0;
    let mut put = |bytes: &[u8]| -> Option<()> {
        dst.get_mut(at..)?.get_mut(..bytes.len())?.copy_from_slice(bytes);
        at += bytes.len();
        Some(())
    };
    put(&MAGIC)?;
    let n = n_bytes as u64;
    let (size_code, n_size_bytes, stated) = match n {
        ..0x100 => (0, 1, n),
        0x100..0x1_0100 => (1, 2, n - 0x100),
        0x1_0100..0x1_0000_0000 => (2, 4, n),
        _ => (3, 8, n),
    };
    put(&[size_code << 6 | SINGLE_SEGMENT])?;
    put(&stated.to_le_bytes()[..n_size_bytes])?;
    let mut rest = n_bytes;
    while rest > 0 {
        let n = rest.min(MAX_BLOCK_BYTES);
        rest -= n;
        let header = (n as u32) << 3 | REPEATED | if rest == 0 { LAST } else { 0 };
        // Three bytes of header, and behind them the byte that is repeated: 0, as the header's fourth.
        put(&header.to_le_bytes())?;
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_decodes_every_kind_of_size_to_zeros() {
        let sizes = [1, 2, 255, 256, 257, 8192, 65_535, 65_791, 65_792, 131_071, 131_072, 131_073, 262_144, 2_097_155];
        for n_bytes in sizes {
            let mut frame = vec![0xAA; 128];
            let n = encode(n_bytes, &mut frame).unwrap();
            frame.truncate(n);
            assert!(
                matches!(zstd_safe::get_frame_content_size(&frame), Ok(Some(n)) if n == n_bytes as u64),
                "{n_bytes}"
            );
            assert_eq!(zstd_safe::find_frame_compressed_size(&frame), Ok(n), "{n_bytes}");
            let mut decoded = vec![0xAA; n_bytes];
            assert_eq!(zstd_safe::decompress(&mut decoded[..], &frame), Ok(n_bytes), "{n_bytes}");
            assert!(decoded.iter().all(|&byte| byte == 0), "{n_bytes}");
            for shorter in 0..n {
                assert_eq!(encode(n_bytes, &mut frame[..shorter]), None, "{n_bytes} in {shorter}");
            }
        }
    }
}
