//! Filter parameters as the head of an input.
//!
//! Three kinds are made: arbitrary values of arbitrary number, as a damaged file may hold; what the codec's own
//! `localise` makes of arbitrary caller's values, so that most of the time is not spent on parameters that are refused at
//! once; and values written out one by one, which is what a seed has.

use arbitrary::{Result, Unstructured};
use darkchunk::codec::{ChunkLayout, Codec};
use darkchunk::element::{ByteOrder, ElementClass, ElementType};

/// The most values that a filter is given; most that are longer are refused.
const MAX_GIVEN: usize = 3;

/// The most values that are written out.
const MAX_WRITTEN: usize = 32;

/// The kind of written values, of the four that a byte tells apart.
const WRITTEN: u8 = 3;

/// Filter parameters as a file may hold them.
#[derive(Debug)]
pub struct Parameters {
    /// `cd_values`.
    pub cd_values: Vec<u32>,
    /// The layout they were made for, where they are not arbitrary.
    pub layout: Option<ChunkLayout>,
}

fn element(u: &mut Unstructured<'_>) -> Result<ElementType> {
    let class = *u.choose(&[ElementClass::Signed, ElementClass::Unsigned, ElementClass::Float, ElementClass::Other])?;
    let n_bytes = *u.choose(&[2, 2, 2, 4, 8, 1, 3, 12, 17, 100, 300])?;
    let order = *u.choose(&[ByteOrder::Little, ByteOrder::Big])?;
    Ok(ElementType { class, n_bytes, base_bytes: n_bytes, order })
}

/// Small values more often than others: they are the ones that mean something.
fn value(u: &mut Unstructured<'_>) -> Result<u32> {
    Ok(match u.int_in_range(0..=5)? {
        0..=2 => u.int_in_range(0..=9)?,
        3 => u.int_in_range(0..=70_000)?,
        4 => *u.choose(&[0x7fff_ffff, 0x8000_0000, u32::MAX, 128, 8192])?,
        _ => u.arbitrary()?,
    })
}

fn values(u: &mut Unstructured<'_>, most: usize) -> Result<Vec<u32>> {
    let n = u.int_in_range(0..=most)?;
    (0..n).map(|_| value(u)).collect()
}

impl Parameters {
    /// Arbitrary ones, ones that `C` itself makes, or written ones.
    pub fn arbitrary_for<C: Codec>(u: &mut Unstructured<'_>) -> Result<Self> {
        match u.int_in_range(0..=WRITTEN)? {
            0 => return Ok(Self { cd_values: values(u, 12)?, layout: None }),
            WRITTEN => return Self::written(u),
            _ => {}
        }
        let element = element(u)?;
        let dims = vec![u.int_in_range(1..=3)?, u.int_in_range(1..=40)?, u.int_in_range(1..=40)?];
        let (resized_before, fill) = (u.ratio(1, 4)?, u.arbitrary()?);
        let layout = ChunkLayout { resized_before, fill, ..ChunkLayout::new(element, dims) };
        let localised = C::localise(&values(u, MAX_GIVEN)?, &layout);
        let cd_values = localised.map_err(|_| arbitrary::Error::IncorrectFormat)?;
        Ok(Self { cd_values, layout: Some(layout) })
    }

    fn written(u: &mut Unstructured<'_>) -> Result<Self> {
        let n = u.int_in_range(0..=MAX_WRITTEN)?;
        let cd_values = (0..n).map(|_| u.arbitrary()).collect::<Result<_>>()?;
        Ok(Self { cd_values, layout: None })
    }

    /// What [`arbitrary_for`](Self::arbitrary_for) reads these values from. `None` where they are too many.
    pub(crate) fn write(cd_values: &[u32]) -> Option<Vec<u8>> {
        let n = u8::try_from(cd_values.len()).ok().filter(|n| usize::from(*n) <= MAX_WRITTEN)?;
        let mut bytes = vec![WRITTEN, n];
        bytes.extend(cd_values.iter().flat_map(|value| value.to_le_bytes()));
        Some(bytes)
    }
}
