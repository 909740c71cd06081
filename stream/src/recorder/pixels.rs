//! From the bytes of a buffer to pixels: as they are where they can be, unpacked where a camera packs them.

#![allow(unsafe_code)]

use darkchunk::chunk::FrameElement;
use darkchunk::element::{ElementType, as_bytes, as_bytes_mut};
use darkchunk::{Error, Result};

use super::buffer::{Buffer, pieces};

/// How a camera delivers pixels, by GenICam's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PixelFormat {
    /// As numbers of this machine, of the dataset's type.
    #[default]
    Native,
    /// 8 bits, for datasets of 8 or 16 bits.
    Mono8,
    /// 12 bits, two pixels in three bytes, for datasets of 16 bits.
    Mono12p,
    /// 16 bits, the lowest byte first, for datasets of unsigned 16 bits.
    Mono16,
}

impl PixelFormat {
    /// Refuses a format that does not fit the dataset.
    pub(super) fn check(self, element: ElementType) -> Result<()> {
        let fits = match self {
            Self::Native => true,
            Self::Mono8 => element.n_bytes == 2 || element == ElementType::U8,
            Self::Mono12p => element.n_bytes == 2,
            Self::Mono16 => element == ElementType::U16,
        };
        let refused = || Error::Argument(format!("{self:?} does not fit into frames of {element}: record uint16"));
        if fits { Ok(()) } else { Err(refused()) }
    }

    /// Bytes of a frame of so many pixels.
    pub(super) fn frame_bytes(self, n_pixels: usize, element: ElementType) -> usize {
        match self {
            Self::Native => n_pixels * element.n_bytes,
            Self::Mono8 => n_pixels,
            Self::Mono12p => (n_pixels * 3).div_ceil(2),
            Self::Mono16 => n_pixels * 2,
        }
    }

    /// Whether the bytes are pixels as they are.
    fn is_native(self, element: ElementType) -> bool {
        match self {
            Self::Native => true,
            Self::Mono8 => element.n_bytes == 1,
            Self::Mono12p => false,
            Self::Mono16 => cfg!(target_endian = "little"),
        }
    }

    fn unpack(self, src: &[u8], dst: &mut [u8]) {
        match self {
            Self::Mono8 if dst.len() == 2 * src.len() => widen(src, dst),
            Self::Mono12p => unpack_12_bits(src, dst),
            Self::Mono16 if cfg!(target_endian = "big") => {
                dst.chunks_exact_mut(2)
                    .zip(src.chunks_exact(2))
                    .for_each(|(dst, src)| dst.copy_from_slice(&[src[1], src[0]]));
            }
            _ => dst.copy_from_slice(src),
        }
    }
}

fn widen(src: &[u8], dst: &mut [u8]) {
    for (pixel, byte) in dst.chunks_exact_mut(2).zip(src) {
        pixel.copy_from_slice(&u16::from(*byte).to_ne_bytes());
    }
}

fn unpack_12_bits(src: &[u8], dst: &mut [u8]) {
    let pixels = |low: u8, middle: u8, high: u8| {
        let (low, middle, high) = (u16::from(low), u16::from(middle), u16::from(high));
        (low | (middle & 15) << 8, middle >> 4 | high << 4)
    };
    let (pairs, last) = (src.chunks_exact(3), src.len() / 3 * 4);
    if let [low, middle] = *pairs.remainder() {
        dst[last..].copy_from_slice(&pixels(low, middle, 0).0.to_ne_bytes());
    }
    for (three, four) in pairs.zip(dst.chunks_exact_mut(4)) {
        let (first, second) = pixels(three[0], three[1], three[2]);
        four[..2].copy_from_slice(&first.to_ne_bytes());
        four[2..].copy_from_slice(&second.to_ne_bytes());
    }
}

/// Pieces that are handed to the encoder as they are. A frame of more is gathered first.
pub(super) const MAX_STRIPS: usize = 32;

/// A frame as the encoder takes it.
pub(super) struct Strips<'a, P> {
    strips: [&'a [P]; MAX_STRIPS],
    n: usize,
}

impl<'a, P: FrameElement> Strips<'a, P> {
    /// The pixels of a frame, which are its bytes where these can be used as they are, and in `scratch` otherwise.
    pub(super) fn of(
        frame: &'a impl Buffer,
        format: PixelFormat,
        n_pixels: usize,
        scratch: &'a mut Scratch<P>,
    ) -> Self {
        let as_they_are = if format.is_native(P::TYPE) { Self::in_place(frame) } else { None };
        as_they_are.unwrap_or_else(|| {
            scratch.fill(frame, format, n_pixels);
            let mut strips = [&[][..]; MAX_STRIPS];
            strips[0] = &scratch.pixels;
            Self { strips, n: 1 }
        })
    }

    fn in_place(frame: &'a impl Buffer) -> Option<Self> {
        let (mut strips, mut n) = ([&[][..]; MAX_STRIPS], 0);
        for piece in pieces(frame) {
            *strips.get_mut(n)? = as_pixels(piece)?;
            n += 1;
        }
        Some(Self { strips, n })
    }

    pub(super) fn get(&self) -> &[&'a [P]] {
        &self.strips[..self.n]
    }
}

/// The pixels of a frame in one piece that can be used as they are.
pub(super) fn in_one_piece<P: FrameElement>(frame: &impl Buffer, format: PixelFormat) -> Option<&[P]> {
    let is_one = format.is_native(P::TYPE) && frame.piece(1).is_none();
    frame.piece(0).filter(|_| is_one).and_then(as_pixels)
}

/// Has the pixels of a frame overwritten, where they are or, where they are not in one piece, by way of `scratch`.
pub(super) fn overwrite<P: FrameElement>(
    frame: &mut impl Buffer,
    scratch: &mut Scratch<P>,
    n_pixels: usize,
    write: impl FnOnce(&mut [P]) -> Result<()>,
) -> Result<()> {
    if frame.piece(1).is_none()
        && let Some(pixels) = frame.piece_mut(0).and_then(as_pixels_mut)
    {
        return write(pixels);
    }
    scratch.fill(frame, PixelFormat::Native, n_pixels);
    write(&mut scratch.pixels)?;
    let mut rest = as_bytes(&scratch.pixels);
    for index in 0.. {
        let Some(piece) = frame.piece_mut(index) else { break };
        let (stored, after) = rest.split_at(piece.len());
        piece.copy_from_slice(stored);
        rest = after;
    }
    Ok(())
}

/// Bytes as pixels to be written; `None` where they do not begin or end where pixels do.
fn as_pixels_mut<P: FrameElement>(bytes: &mut [u8]) -> Option<&mut [P]> {
    // SAFETY: an `Element` is an integer without padding, of which any bytes are a value, and which has only bytes that are.
    let (before, pixels, after) = unsafe { bytes.align_to_mut::<P>() };
    (before.is_empty() && after.is_empty()).then_some(pixels)
}

/// Bytes as pixels; `None` where they do not begin or end where pixels do.
fn as_pixels<P: FrameElement>(bytes: &[u8]) -> Option<&[P]> {
    // SAFETY: an `Element` is an integer without padding, of which any bytes are a value.
    let (before, pixels, after) = unsafe { bytes.align_to::<P>() };
    (before.is_empty() && after.is_empty()).then_some(pixels)
}

/// Memory for frames that cannot be used as they are.
#[derive(Debug, Default)]
pub(super) struct Scratch<P> {
    pixels: Vec<P>,
    bytes: Vec<u8>,
}

impl<P: FrameElement> Scratch<P> {
    fn fill(&mut self, frame: &impl Buffer, format: PixelFormat, n_pixels: usize) {
        self.pixels.resize(n_pixels, P::default());
        let mut pieces = pieces(frame);
        let first = pieces.next().unwrap_or_default();
        match pieces.next() {
            None => format.unpack(first, as_bytes_mut(&mut self.pixels)),
            Some(second) => {
                self.bytes.clear();
                [first, second].into_iter().chain(pieces).for_each(|piece| self.bytes.extend_from_slice(piece));
                format.unpack(&self.bytes, as_bytes_mut(&mut self.pixels));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Pieces(Vec<Vec<u8>>);

    impl Buffer for Pieces {
        fn piece(&self, index: usize) -> Option<&[u8]> {
            self.0.get(index).map(Vec::as_slice)
        }
    }

    fn pixels<P: FrameElement>(pieces: &[&[u8]], format: PixelFormat, n_pixels: usize) -> Vec<P> {
        let frame = Pieces(pieces.iter().map(|piece| piece.to_vec()).collect());
        let mut scratch = Scratch::default();
        Strips::of(&frame, format, n_pixels, &mut scratch).get().concat()
    }

    #[test]
    fn two_pixels_of_12_bits_are_in_three_bytes_the_lowest_first() {
        let packed = [0xBC, 0x3A, 0x12, 0xFF, 0x0F];
        assert_eq!(pixels::<u16>(&[&packed], PixelFormat::Mono12p, 3), [0xABC, 0x123, 0xFFF]);
        assert_eq!(pixels::<i16>(&[&packed[..3]], PixelFormat::Mono12p, 2), [0xABC, 0x123]);
        assert_eq!(PixelFormat::Mono12p.frame_bytes(3, ElementType::U16), 5);
    }

    #[test]
    fn all_values_of_12_bits_come_back_whatever_the_pieces() {
        let values: Vec<u16> = (0..4096).chain([7]).collect();
        let mut packed = Vec::new();
        for pair in values.chunks(2) {
            let (first, second) = (pair[0], pair.get(1).copied());
            packed.extend([first as u8, (first >> 8) as u8 | (second.unwrap_or(0) << 4) as u8]);
            packed.extend(second.map(|second| (second >> 4) as u8));
        }
        for cut in [0, 1, 2, 3, 1000, packed.len()] {
            let (left, right) = packed.split_at(cut);
            assert_eq!(pixels::<u16>(&[left, right], PixelFormat::Mono12p, values.len()), values, "cut at {cut}");
        }
    }

    #[test]
    fn eight_bits_are_widened_and_sixteen_taken_as_they_are() {
        assert_eq!(pixels::<i16>(&[&[0, 1, 255]], PixelFormat::Mono8, 3), [0, 1, 255]);
        assert_eq!(pixels::<u8>(&[&[0, 1], &[255]], PixelFormat::Mono8, 3), [0, 1, 255]);
        assert_eq!(pixels::<u16>(&[&[1, 2], &[3, 255]], PixelFormat::Mono16, 2), [0x201, 0xFF03]);
    }

    #[test]
    fn pieces_that_are_no_whole_pixels_or_too_many_are_gathered() {
        let bytes: Vec<u8> = (0..200).collect();
        let expected: Vec<u16> = bytes.chunks(2).map(|two| u16::from_ne_bytes([two[0], two[1]])).collect();
        for n in [1, 3, 4, 200] {
            let cut: Vec<&[u8]> = bytes.chunks(n).collect();
            assert_eq!(pixels::<u16>(&cut, PixelFormat::Native, 100), expected, "pieces of {n}");
        }
    }

    #[test]
    fn a_format_that_would_lose_bits_is_refused() {
        for (format, element) in [
            (PixelFormat::Mono16, ElementType::I16),
            (PixelFormat::Mono12p, ElementType::U8),
            (PixelFormat::Mono8, ElementType::I8),
        ] {
            let error = format.check(element).expect_err("refused").to_string();
            assert!(error.contains("record uint16"), "{error}");
        }
    }
}
