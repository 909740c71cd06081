//! What is done with the elements of a frame, for each element type: 16-bit ones are pixels, others are stored as they are.

use crate::cpu::Level;
use crate::element::Element;
use crate::kernels::drle::{self, BatchFrame, Correction, Encoded, Exceptions, FrameCounts, Pixel};
use crate::{Error, Exec, Result};

/// A number that frames can be made of.
///
/// The 16-bit types are pixels: a dark image, a threshold, a sum and DRLE are theirs alone, and refused for the others.
pub trait FrameElement: Element {
    /// What can be done with pixels; `None` for types that are none.
    #[doc(hidden)]
    const KERNELS: Option<Kernels<Self>>;
}

type Noted<'a> = Option<&'a mut Exceptions>;
type Sum<'a> = Option<&'a mut [u32]>;
type Correct<P> = fn(Level, &[&[P]], &Correction<'_, P>, Sum<'_>, &mut [P]) -> Result<FrameCounts>;
type Encode<P> = fn(Level, &[&[P]], &Correction<'_, P>, Noted<'_>, Sum<'_>, &mut [u8]) -> Result<Encoded>;
type EncodeInPlace<P> = fn(Level, &mut [P], &Correction<'_, P>, Noted<'_>, Sum<'_>, &mut [u8]) -> Result<Encoded>;
type EncodeFrames<P> = fn(Exec, &mut [BatchFrame<'_, P>], &Correction<'_, P>, Sum<'_>, &mut [Encoded]) -> Result<()>;

/// The kernels of a type of pixels: the functions of [`drle`] with these names.
#[derive(Debug, Clone, Copy)]
pub struct Kernels<P> {
    pub(super) correct: Correct<P>,
    pub(super) encode: Encode<P>,
    pub(super) encode_in_place: EncodeInPlace<P>,
    pub(super) encode_frames: EncodeFrames<P>,
}

impl<P: Pixel> Kernels<P> {
    const ALL: Self = Self {
        correct: drle::correct,
        encode: drle::encode_with,
        encode_in_place: drle::encode_in_place_with,
        encode_frames: drle::encode_frames,
    };
}

macro_rules! elements {
    ($($element:ty => $kernels:expr),*) => {$(
        impl FrameElement for $element {
            const KERNELS: Option<Kernels<Self>> = $kernels;
        }
    )*};
}

elements!(i8 => None, u8 => None, i32 => None, u32 => None, i16 => Some(Kernels::ALL), u16 => Some(Kernels::ALL));

/// The kernels that encode DRLE.
pub(super) fn kernels<P: FrameElement>() -> Result<Kernels<P>> {
    P::KERNELS.ok_or_else(|| not_for::<P>("DRLE is"))
}

/// Writes the pixels that are stored to the whole of `out`: [`drle::correct`]. Elements that are no pixels are copied, without
/// correction and sum.
pub(super) fn correct<P: FrameElement>(
    level: Level,
    strips: &[&[P]],
    correction: &Correction<'_, P>,
    sum: Option<&mut [u32]>,
    out: &mut [P],
) -> Result<FrameCounts> {
    if let Some(kernels) = P::KERNELS {
        return (kernels.correct)(level, strips, correction, sum, out);
    }
    if correction.dark.is_some() || correction.threshold.is_some() || sum.is_some() {
        return Err(not_for::<P>("a dark image, a threshold and a sum are"));
    }
    let (expected, found) = (size_of_val(out), strips.iter().map(|strip| size_of_val(*strip)).sum());
    if found != expected {
        return Err(Error::BufferSize { what: "the frame", expected, found });
    }
    let mut rest = out;
    for strip in strips {
        let (to, after) = rest.split_at_mut(strip.len());
        to.copy_from_slice(strip);
        rest = after;
    }
    Ok(FrameCounts::default())
}

fn not_for<P: Element>(what: &str) -> Error {
    Error::Argument(format!("{what} for int16 and uint16 frames, not for {}", P::TYPE))
}
