//! Zeros in Zstd frames: as blocks that repeat one byte.
//!
//! A frame of zeros only has 11 bytes for 8 KiB, where the library writes 19. And a frame whose content ends in zeros is the
//! library's frame of what is before them, with such blocks after it: every decoder fills memory by them, where it
//! would copy zeros 8 bytes at a time.

use super::context::MAX_BLOCK_BYTES;

pub(super) const MAGIC: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();

/// In the header's descriptor: the window is the whole content, so none is stated.
const SINGLE_SEGMENT: u8 = 1 << 5;

const BLOCK_HEADER_BYTES: usize = 3;

/// In a block's header: no block follows.
const LAST: u32 = 1;

/// A block's type, after the bit for the last one; its size follows.
const TYPE: u32 = 0b11 << 1;

/// A block's type: one byte follows, which is repeated.
const REPEATED: u32 = 1 << 1;

/// Writes the frame of `n_bytes` zeros, at least one, to the front of `dst` and returns its length; `None` where it does
/// not fit.
pub(super) fn encode(n_bytes: usize, dst: &mut [u8]) -> Option<usize> {
    let at = put_header(n_bytes, dst)?;
    put_blocks(n_bytes, dst, at)
}

/// Whether the library's frame of `used` bytes can be [extended](extend) to `n_bytes`: both state their size in as many bytes,
/// and are too small for a window of their own.
pub(super) fn can_extend(used: usize, n_bytes: usize) -> bool {
    used < n_bytes && n_bytes <= MAX_BLOCK_BYTES && size_code(used) == size_code(n_bytes)
}

/// Adds zeros to the frame that `dst` begins with, `frame_len` bytes long, so that it stands for `n_bytes`: `n_zeros` more
/// than before. Returns its new length; `None`, with a `dst` that is no frame any more, where it does not fit or the
/// frame's header is not of the kind that is written here.
pub(super) fn extend(n_zeros: usize, n_bytes: usize, dst: &mut [u8], frame_len: usize) -> Option<usize> {
    let descriptor = dst.get(MAGIC.len()).copied();
    let mut at = put_header(n_bytes, dst)?;
    if descriptor != dst.get(MAGIC.len()).copied() {
        return None;
    }
    loop {
        let header = dst.get(at..at + BLOCK_HEADER_BYTES)?;
        let header = u32::from_le_bytes([header[0], header[1], header[2], 0]);
        if header & LAST != 0 {
            dst[at] &= !(LAST as u8);
            return put_blocks(n_zeros, dst, frame_len);
        }
        at += BLOCK_HEADER_BYTES + if header & TYPE == REPEATED { 1 } else { (header >> 3) as usize };
    }
}

/// How the header's descriptor says in how many bytes the size follows.
fn size_code(n_bytes: usize) -> u8 {
    match n_bytes as u64 {
        ..0x100 => 0,
        0x100..0x1_0100 => 1,
        0x1_0100..0x1_0000_0000 => 2,
        _ => 3,
    }
}

/// Writes a header without a window, and returns its length.
fn put_header(n_bytes: usize, dst: &mut [u8]) -> Option<usize> {
    let code = size_code(n_bytes);
    // In two bytes, 256 is stated as 0.
    let stated = if code == 1 { n_bytes - 0x100 } else { n_bytes } as u64;
    let at = put(&MAGIC, dst, 0)?;
    let at = put(&[code << 6 | SINGLE_SEGMENT], dst, at)?;
    put(&stated.to_le_bytes()[..1 << code], dst, at)
}

/// Writes the blocks that stand for the last `n_bytes` of a content, all zero, and returns where they end.
fn put_blocks(n_bytes: usize, dst: &mut [u8], mut at: usize) -> Option<usize> {
    let mut rest = n_bytes;
    while rest > 0 {
        let n = rest.min(MAX_BLOCK_BYTES);
        rest -= n;
        let header = (n as u32) << 3 | REPEATED | if rest == 0 { LAST } else { 0 };
        // Three bytes of header, and after them the byte that is repeated: 0, as the header's fourth.
        at = put(&header.to_le_bytes(), dst, at)?;
    }
    Some(at)
}

fn put(bytes: &[u8], dst: &mut [u8], at: usize) -> Option<usize> {
    dst.get_mut(at..)?.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(at + bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "calls C")]
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

    #[test]
    #[cfg_attr(miri, ignore = "calls C")]
    fn the_library_decodes_frames_with_zeros_after_them() {
        for (used, n_bytes) in [
            (1, 2),
            (100, 255),
            (256, 8192),
            (5000, 65_791),
            (70_000, 70_001),
            (300_000, 2_000_000),
            (400_000, 400_400),
        ] {
            assert_eq!(can_extend(used, n_bytes), n_bytes <= MAX_BLOCK_BYTES);
            for content in [&|_| 7, &|i: u32| (i % 251 + 1) as u8, &|i: u32| (i.wrapping_mul(i) >> 5) as u8 | 1]
                as [&dyn Fn(u32) -> u8; 3]
            {
                let mut expected: Vec<u8> = (0..used as u32).map(content).collect();
                let mut frame = vec![0xAA; zstd_safe::compress_bound(n_bytes) + 64];
                let n = zstd_safe::compress(&mut frame[..], &expected, 1).unwrap();
                let n = extend(n_bytes - used, n_bytes, &mut frame, n).unwrap();
                frame.truncate(n);
                expected.resize(n_bytes, 0);
                assert_eq!(zstd_safe::find_frame_compressed_size(&frame), Ok(n), "{used} of {n_bytes}");
                let mut decoded = vec![0xAA; n_bytes];
                assert_eq!(zstd_safe::decompress(&mut decoded[..], &frame), Ok(n_bytes), "{used} of {n_bytes}");
                assert!(decoded == expected, "{used} of {n_bytes}");
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "calls C")]
    fn a_frame_that_cannot_be_extended_is_left_to_the_library() {
        assert!(!can_extend(255, 256) && !can_extend(65_791, 65_792) && !can_extend(300, 300));
        let mut frame = [0xAA; 64];
        let n = zstd_safe::compress(&mut frame[..], &[1; 255], 1).unwrap();
        assert_eq!(extend(1, 256, &mut frame, n), None, "another header");
        let n = zstd_safe::compress(&mut frame[..], &[1; 300], 1).unwrap();
        assert_eq!(extend(1, 301, &mut frame[..n + 3], n), None, "no room");
        assert_eq!(extend(1, 301, &mut [0; 5], 5), None, "no frame");
    }
}
