//! A dataset as frames: the last two axes are a frame, those before them count frames.

use darkchunk::element::{ByteOrder, ElementClass, ElementType};
use darkchunk_metrics::{Pixel, Shape};

use crate::{Error, Reader, Result};

/// A dataset as frames.
#[derive(Debug)]
pub(crate) struct Frames {
    pub(crate) reader: Reader,
    pub(crate) shape: Shape,
    pub(crate) n_frames: u64,
    /// Frames that are stored together: those of a chunk.
    pub(crate) chunk_frames: u64,
}

impl Frames {
    /// Of integers of 8, 16 or 32 bits.
    pub(crate) fn new(reader: Reader, name: &str) -> Result<Self> {
        let element = reader.element();
        if !element.is_integer() || ![1, 2, 4].contains(&element.n_bytes) {
            return Err(Error::Argument(format!("{name} has elements of {element}, not integers of 8, 16 or 32 bits")));
        }
        Self::of_any(reader, name)
    }

    /// Of real numbers of 32 or 64 bits.
    pub(crate) fn of_floats(reader: Reader, name: &str) -> Result<Self> {
        match (reader.element().class, reader.element().n_bytes) {
            (ElementClass::Float, 4 | 8) => Self::of_any(reader, name),
            _ => {
                let element = reader.element();
                Err(Error::Argument(format!("{name} has elements of {element}, not real numbers of 32 or 64 bits")))
            }
        }
    }

    /// Whatever the elements are.
    pub(crate) fn of_any(reader: Reader, name: &str) -> Result<Self> {
        let axis =
            |axis: u64| usize::try_from(axis).map_err(|_| Error::Argument(format!("{name} has too large an axis")));
        let (leading, shape) = match reader.dims() {
            [] => (&[][..], Shape { height: 1, width: 1 }),
            [width] => (&[][..], Shape { height: 1, width: axis(*width)? }),
            [leading @ .., height, width] => (leading, Shape { height: axis(*height)?, width: axis(*width)? }),
        };
        let n_frames = leading.iter().try_fold(1u64, |n, axis| n.checked_mul(*axis));
        let (Some(n_frames), Some(_)) =
            (n_frames, shape.height.checked_mul(shape.width).and_then(|n| n.checked_mul(8)))
        else {
            return Err(Error::Argument(format!("{name} says that it has more elements than there can be")));
        };
        if n_frames == 0 || shape.n_pixels() == 0 {
            return Err(Error::Argument(format!("{name} has no elements: {:?}", reader.dims())));
        }
        let is_of_frames = reader.dims().len() == 3;
        let chunk_frames = reader.chunk().filter(|_| is_of_frames).map_or(1, |chunk| chunk[0]).clamp(1, n_frames);
        Ok(Self { reader, shape, n_frames, chunk_frames })
    }

    pub(crate) fn frame_bytes(&self) -> usize {
        self.shape.n_pixels() * self.reader.element().n_bytes
    }

    /// Frames from `first` on, as many as `dst` has room for.
    pub(crate) fn read(&self, first: u64, dst: &mut [u8]) -> Result<()> {
        let n = (dst.len() / self.frame_bytes()) as u64;
        match self.reader.dims().len() {
            0..=2 => self.reader.read(&vec![0; self.reader.dims().len()], self.reader.dims(), None, dst),
            3 => self.read_box(&[first], n, dst),
            _ => {
                let mut frames = dst.chunks_exact_mut(self.frame_bytes()).zip(first..);
                frames.try_for_each(|(frame, number)| self.read_box(&self.place(number), 1, frame))
            }
        }
    }

    /// `n` frames from a place of the leading axes on, along the last of these.
    fn read_box(&self, place: &[u64], n: u64, dst: &mut [u8]) -> Result<()> {
        let start = [place, &[0, 0]].concat();
        let mut count = vec![1; place.len()];
        count[place.len() - 1] = n;
        count.extend_from_slice(&self.reader.dims()[place.len()..]);
        self.reader.read(&start, &count, None, dst)
    }

    fn place(&self, mut number: u64) -> Vec<u64> {
        let leading = &self.reader.dims()[..self.reader.dims().len() - 2];
        let mut place: Vec<u64> = leading.iter().rev().map(|axis| (number % axis, number /= axis).0).collect();
        place.reverse();
        place
    }
}

/// An element, from its bytes in a file.
pub(crate) trait Element: Copy + Send + Sync + 'static {
    fn read(bytes: &[u8], order: ByteOrder, pixels: &mut Vec<Self>);
}

/// A pixel that is counted.
pub(crate) trait Stored: Pixel + Element {}

impl<P: Pixel + Element> Stored for P {}

macro_rules! elements {
    ($($number:ty),*) => {$(
        impl Element for $number {
            fn read(bytes: &[u8], order: ByteOrder, pixels: &mut Vec<Self>) {
                let (elements, _) = bytes.as_chunks::<{ size_of::<$number>() }>();
                pixels.clear();
                match order {
                    ByteOrder::Little => pixels.extend(elements.iter().map(|bytes| <$number>::from_le_bytes(*bytes))),
                    ByteOrder::Big => pixels.extend(elements.iter().map(|bytes| <$number>::from_be_bytes(*bytes))),
                }
            }
        }
    )*};
}

elements!(i8, u8, i16, u16, i32, u32, f32, f64);

/// Calls a function that is generic over the pixel, for an element type.
macro_rules! for_element {
    ($element:expr, $function:ident($($argument:expr),*)) => {{
        use darkchunk::element::ElementClass::{Signed, Unsigned};
        let element = $element;
        match (element.class, element.n_bytes) {
            (Signed, 1) => $function::<i8>($($argument),*),
            (Unsigned, 1) => $function::<u8>($($argument),*),
            (Signed, 2) => $function::<i16>($($argument),*),
            (Unsigned, 2) => $function::<u16>($($argument),*),
            (Signed, 4) => $function::<i32>($($argument),*),
            (Unsigned, 4) => $function::<u32>($($argument),*),
            _ => Err(crate::Error::Argument(format!("elements of {element} cannot be compared"))),
        }
    }};
}
pub(crate) use for_element;

/// The order in which the bytes of elements are read; for single bytes it does not matter.
pub(crate) fn order(element: ElementType) -> ByteOrder {
    element.order
}

/// The bytes of elements with the least significant first, of which the checksum is made: the same for both orders.
pub(crate) fn checksum(bytes: &[u8], element: ElementType) -> crc32fast::Hasher {
    let mut hasher = crc32fast::Hasher::new();
    if element.order == ByteOrder::Little || element.n_bytes == 1 {
        hasher.update(bytes);
        return hasher;
    }
    let mut swapped = bytes.to_vec();
    swapped.chunks_exact_mut(element.n_bytes).for_each(<[u8]>::reverse);
    hasher.update(&swapped);
    hasher
}
