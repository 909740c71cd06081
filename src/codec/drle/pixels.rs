//! The four element types of DRLE, and the kernels over bytes of any of them.

use super::list::List;
use crate::cpu::Level;
use crate::element::{ByteOrder, ElementClass, ElementType};
use crate::kernels::drle::{self, Block, Correction, Encoder, Exceptions, Pixel};
use crate::{Error, Result};

/// Pixels converted at once where the bytes are not this machine's.
const BOUNCE_PIXELS: usize = 2048;

/// An element type that DRLE has. The numbers are those in parameters and containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PixelType {
    /// Little-endian `int16`.
    I16Le = 1,
    /// Big-endian `int16`.
    I16Be = 2,
    /// Little-endian `uint16`.
    U16Le = 3,
    /// Big-endian `uint16`.
    U16Be = 4,
}

/// Whether `tokens` are a stream that stands for the pixels of so many bytes: whatever their values, it decodes then.
pub(super) fn is_stream_of(tokens: &[u8], n_bytes: usize) -> bool {
    drle::count_pixels(tokens).is_ok_and(|n_pixels| 2 * n_pixels == n_bytes as u64)
}

impl PixelType {
    /// The number in parameters and containers.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The type with this number.
    #[must_use]
    pub fn from_code(code: u32) -> Option<Self> {
        [Self::I16Le, Self::I16Be, Self::U16Le, Self::U16Be].into_iter().find(|ty| u32::from(ty.code()) == code)
    }

    /// Byte order.
    #[must_use]
    pub fn order(self) -> ByteOrder {
        match self {
            Self::I16Le | Self::U16Le => ByteOrder::Little,
            Self::I16Be | Self::U16Be => ByteOrder::Big,
        }
    }

    pub(crate) fn is_signed(self) -> bool {
        matches!(self, Self::I16Le | Self::I16Be)
    }
}

impl TryFrom<ElementType> for PixelType {
    type Error = Error;

    fn try_from(element: ElementType) -> Result<Self> {
        match (element.class, element.n_bytes, element.order) {
            (ElementClass::Signed, 2, ByteOrder::Little) => Ok(Self::I16Le),
            (ElementClass::Signed, 2, ByteOrder::Big) => Ok(Self::I16Be),
            (ElementClass::Unsigned, 2, ByteOrder::Little) => Ok(Self::U16Le),
            (ElementClass::Unsigned, 2, ByteOrder::Big) => Ok(Self::U16Be),
            _ => Err(Error::Argument(format!(
                "DRLE is for int16 and uint16, this dataset has {element}: use bitshuffle"
            ))),
        }
    }
}

/// How pixels are encoded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Encoding {
    pub(super) level: Level,
    pub(super) element: PixelType,
    pub(super) threshold: u16,
}

impl Encoding {
    /// Encodes the pixels in `src` as one stream at the front of `dst`, and notes the exceptions, where that is asked for;
    /// without, a pixel that does not fit a stream is refused.
    pub(super) fn encode(self, src: &[u8], exceptions: Option<&mut Exceptions>, dst: &mut [u8]) -> Result<usize> {
        if self.element.is_signed() {
            self.encode_as::<i16>(src, exceptions, dst)
        } else {
            self.encode_as::<u16>(src, exceptions, dst)
        }
    }

    fn encode_as<P: Pixel>(self, src: &[u8], exceptions: Option<&mut Exceptions>, dst: &mut [u8]) -> Result<usize> {
        let (level, order) = (self.level, self.element.order());
        let correction = Correction::<P>::threshold(self.threshold);
        if let (ByteOrder::NATIVE, Some(pixels)) = (order, drle::pixels_of::<P>(src)) {
            return Ok(drle::encode_with(level, &[pixels], &correction, exceptions, None, dst)?.n_bytes);
        }
        let mut block = Block::new();
        let mut encoder = Encoder::new(level, correction, exceptions, dst, &mut block)?;
        let mut bounce = [P::default(); BOUNCE_PIXELS];
        for bytes in src.as_chunks::<2>().0.chunks(BOUNCE_PIXELS) {
            let pixels = &mut bounce[..bytes.len()];
            for (pixel, bytes) in pixels.iter_mut().zip(bytes) {
                let value = match order {
                    ByteOrder::Little => u16::from_le_bytes(*bytes),
                    ByteOrder::Big => u16::from_be_bytes(*bytes),
                };
                *pixel = P::from_ne_bytes(value.to_ne_bytes());
            }
            encoder.push(pixels)?;
        }
        Ok(encoder.finish()?.n_bytes)
    }
}

/// Decodes one stream and the list of its exceptions into the whole of `dst`, which is all zeros where it `is_zeroed`.
pub(super) fn decode(
    level: Level,
    ty: PixelType,
    (stream, list): (&[u8], &List<'_>),
    dst: &mut [u8],
    is_zeroed: bool,
) -> Result<()> {
    if is_zeroed {
        drle::decode_zeroed(level, stream, dst)?;
    } else {
        drle::decode(level, stream, dst)?;
    }
    if !list.is_empty() {
        list.apply(dst)?;
    }
    if ty.order() == ByteOrder::Big {
        for pixel in dst.as_chunks_mut::<2>().0 {
            pixel.swap(0, 1);
        }
    }
    Ok(())
}
