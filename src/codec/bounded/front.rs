//! The front of a chunk: what it is, what was promised and achieved, and all that its frames are decoded with.

use super::coding::{Coding, Reference};
use super::element::PixelType;
use super::mask::MAX_SENTINELS;
use super::numbers;
use crate::codec::cursor::Cursor;
use crate::kernels::quantise::lattice::{Lattice, MAX_STEP, MIN_STEP};
use crate::kernels::quantise::{Bound, Domain, Noise, Options, Quantiser, Upto};
use crate::{Error, Result};

/// The first four bytes of a chunk.
pub(super) const MAGIC: [u8; 4] = *b"DCBD";

pub(super) const VERSION: u8 = 1;

/// Bytes before the front.
pub(super) const HEADER_BYTES: usize = 28;

/// Where the checksum is.
pub(super) const CHECKSUM_AT: usize = 24;

/// Bytes of a segment's entry in the table.
pub(super) const ENTRY_BYTES: usize = 8;

/// A segment has a byte for so many of its frame's.
pub(super) const MAX_RATIO: usize = 1 << 16;

const UNBIASED: u8 = 1;
const KEEP_ZERO: u8 = 2;
const KEEP_NEGATIVE: u8 = 4;
const HAS_FAILED: u8 = 8;

/// What a chunk is, and what is promised of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Header {
    pub(super) element: PixelType,
    pub(super) bound: Bound,
    /// Of float32.
    pub(super) lattice: Lattice,
    pub(super) options: Options,
    pub(super) keep_negative: bool,
    pub(super) saturation: u32,
    pub(super) height: u32,
    pub(super) width: u32,
    /// Bytes of the decoded chunk.
    pub(super) n_bytes: u32,
}

impl Header {
    pub(super) fn frame_pixels(&self) -> usize {
        (self.height as usize).saturating_mul(self.width as usize)
    }

    pub(super) fn frame_bytes(&self) -> usize {
        self.frame_pixels().saturating_mul(self.element.n_bytes)
    }

    pub(super) fn n_frames(&self) -> usize {
        self.n_bytes as usize / self.frame_bytes().max(1)
    }

    /// The quantiser of integers. The levels of float32 are numbers as they are.
    pub(super) fn quantiser(&self, upto: Upto) -> Quantiser {
        let bound = if self.element.is_float { Bound::Exact } else { self.bound };
        let saturation = Some(self.saturation).filter(|saturation| *saturation > 0);
        let domain = Domain { range: self.element.range(), saturation, keep_negative: self.keep_negative };
        Quantiser::new(bound, self.options, &domain, upto)
    }

    /// Whether frames are large enough to be predicted from their own pixels. (A decoder that keeps three rows of a smaller frame, or
    /// of a narrower one, has more memory than the frame.)
    pub(super) fn has_planes(&self) -> bool {
        self.width >= 16 && self.height >= 8
    }

    /// Whether there are frames enough for one that the others are predicted from.
    pub(super) fn may_have_reference(&self) -> bool {
        self.has_planes() && self.n_frames() * self.element.n_bytes >= 8
    }

    /// Whether pixels may be masked.
    pub(super) fn may_have_mask(&self) -> bool {
        self.element.n_bytes > 1 || self.height > 1
    }

    fn put(&self, has_failed: bool, front_len: u32) -> [u8; CHECKSUM_AT] {
        let kind = match self.bound {
            Bound::Exact => 0,
            Bound::Absolute(_) => 1,
            Bound::Noise(_) => 2,
            Bound::AbsoluteFloat(_) => 3,
            Bound::RelativeFloat(_) => 4,
        };
        let flag = |is: bool, flag| if is { flag } else { 0 };
        let flags = flag(self.options.unbiased, UNBIASED)
            | flag(self.options.keep_zero, KEEP_ZERO)
            | flag(self.keep_negative, KEEP_NEGATIVE)
            | flag(has_failed, HAS_FAILED);
        let mut bytes = [0; CHECKSUM_AT];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4..8].copy_from_slice(&[VERSION, self.element.code(), kind, flags]);
        for (at, number) in [(8, self.height), (12, self.width), (16, self.n_bytes), (20, front_len)] {
            bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }
}

/// The errors of float32.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct FloatErrors {
    /// What a pixel of the chunk may be off; 0 where all are exact.
    pub tolerance: f64,
    /// The largest error.
    pub most: f64,
    /// The sum of all errors, decoded minus measured.
    pub sum: f64,
    /// The sum of their squares.
    pub sum_of_squares: f64,
}

impl FloatErrors {
    fn put(&self, out: &mut Vec<u8>) {
        [self.most, self.sum, self.sum_of_squares].iter().for_each(|number| put_f64(out, *number));
    }

    fn get(cursor: &mut Cursor<'_>, tolerance: f64) -> Result<Self> {
        Ok(Self { tolerance, most: get_f64(cursor)?, sum: get_f64(cursor)?, sum_of_squares: get_f64(cursor)? })
    }
}

fn put_f64(out: &mut Vec<u8>, number: f64) {
    out.extend_from_slice(&number.to_le_bytes());
}

/// A finite number.
fn get_f64(cursor: &mut Cursor<'_>) -> Result<f64> {
    let at = cursor.at();
    let (low, high) = (cursor.u32_le()?, cursor.u32_le()?);
    let number = f64::from_bits(u64::from(high) << 32 | u64::from(low));
    if number.is_finite() { Ok(number) } else { Err(Error::Corrupt { at, what: "a real number is not finite" }) }
}

/// What came of the promise, over all pixels that are no sentinels.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Achieved {
    /// Pixels that are no sentinels.
    pub n_pixels: u64,
    /// Of float32, in the place of the next four numbers.
    pub float: Option<FloatErrors>,
    /// The largest error, in counts.
    pub most: u32,
    /// The largest error in standard deviations of the noise model, times 65536, rounded up. 0 where there is no model.
    pub most_sigma: u32,
    /// The sum of all errors, decoded minus measured.
    pub sum: i64,
    /// The sum of their squares; as large as it can be where it does not fit.
    pub sum_of_squares: u64,
    /// Zeros that became another value.
    pub n_from_zero: u32,
    /// Other values that became 0.
    pub n_to_zero: u32,
    /// Whether the chunk is stored exactly because a check failed when it was encoded.
    pub has_failed: bool,
}

impl Achieved {
    fn put(&self, out: &mut Vec<u8>) {
        numbers::put(out, self.n_pixels);
        if let Some(float) = &self.float {
            float.put(out);
        } else {
            numbers::put(out, self.most.into());
            numbers::put(out, self.most_sigma.into());
            numbers::put_signed(out, self.sum);
            numbers::put(out, self.sum_of_squares);
        }
        numbers::put(out, self.n_from_zero.into());
        numbers::put(out, self.n_to_zero.into());
    }

    fn get(cursor: &mut Cursor<'_>, header: &Header, has_failed: bool) -> Result<Self> {
        let mut achieved = Self { n_pixels: numbers::get(cursor)?, has_failed, ..Self::default() };
        if header.element.is_float {
            achieved.float = Some(FloatErrors::get(cursor, header.lattice.tolerance)?);
        } else {
            achieved.most = numbers::get_u32(cursor)?;
            achieved.most_sigma = numbers::get_u32(cursor)?;
            achieved.sum = numbers::get_signed(cursor)?;
            achieved.sum_of_squares = numbers::get(cursor)?;
        }
        achieved.n_from_zero = numbers::get_u32(cursor)?;
        achieved.n_to_zero = numbers::get_u32(cursor)?;
        Ok(achieved)
    }
}

/// Header and front.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Front<'a> {
    pub(super) header: Header,
    pub(super) achieved: Achieved,
    /// The bits of the sentinels that occur, and the set of each.
    pub(super) sentinels: Vec<u32>,
    pub(super) sets: Vec<&'a [u8]>,
    pub(super) coding: Option<Coding>,
}

impl Front<'_> {
    /// Header and front, without the checksum that stands between them.
    pub(super) fn to_bytes(&self) -> ([u8; CHECKSUM_AT], Vec<u8>) {
        let mut out = Vec::new();
        let lattice = &self.header.lattice;
        match self.header.bound {
            Bound::Exact => {}
            Bound::Absolute(counts) => numbers::put(&mut out, counts.into()),
            Bound::Noise(noise) => put_noise(&mut out, &noise),
            Bound::AbsoluteFloat(number) | Bound::RelativeFloat(number) => {
                [number, lattice.tolerance, lattice.step].iter().for_each(|number| put_f64(&mut out, *number));
            }
        }
        numbers::put(&mut out, self.header.saturation.into());
        self.achieved.put(&mut out);
        out.push(self.sentinels.len() as u8);
        self.sentinels.iter().for_each(|sentinel| numbers::put(&mut out, (*sentinel).into()));
        self.sets.iter().for_each(|set| numbers::put_bytes(&mut out, set));
        out.push(self.coding.is_some().into());
        if let Some(coding) = &self.coding {
            coding.put(&mut out);
        }
        (self.header.put(self.achieved.has_failed, out.len() as u32), out)
    }

    /// Segments: one a frame, and one for a reference that is stored.
    pub(super) fn n_segments(&self) -> usize {
        self.header.n_frames() + usize::from(self.has_reference_segment())
    }

    pub(super) fn has_reference_segment(&self) -> bool {
        self.coding.as_ref().is_some_and(|coding| coding.reference == Reference::Mean)
    }
}

fn put_noise(out: &mut Vec<u8>, noise: &Noise) {
    for number in [noise.beta.0, noise.beta.1, noise.gain.0, noise.gain.1] {
        numbers::put(out, number.into());
    }
    numbers::put_signed(out, noise.offset.into());
    numbers::put(out, noise.read_variance.0.into());
    numbers::put(out, noise.read_variance.1.into());
}

fn get_noise(cursor: &mut Cursor<'_>) -> Result<Noise> {
    let at = cursor.at();
    let pair = |cursor: &mut Cursor<'_>| Ok::<_, Error>((numbers::get_u32(cursor)?, numbers::get_u32(cursor)?));
    let (beta, gain) = (pair(cursor)?, pair(cursor)?);
    let offset = i32::try_from(numbers::get_signed(cursor)?);
    let read_variance = pair(cursor)?;
    let is_short = |n: u32| (1..=65_535).contains(&n);
    let are_short = [beta.0, beta.1, gain.0, gain.1, read_variance.1].into_iter().all(is_short);
    match offset {
        Ok(offset) if are_short => Ok(Noise { beta, gain, offset, read_variance }),
        _ => Err(Error::Corrupt { at, what: "the noise model is out of range" }),
    }
}

fn get_lattice(cursor: &mut Cursor<'_>) -> Result<Lattice> {
    let at = cursor.at();
    let (tolerance, step) = (get_f64(cursor)?, get_f64(cursor)?);
    let is_sound = tolerance == 0.0 && step == 0.0 || tolerance > 0.0 && (MIN_STEP..=MAX_STEP).contains(&step);
    let what = "the tolerance or the step of its levels is out of range";
    if is_sound { Ok(Lattice { tolerance, step }) } else { Err(Error::Corrupt { at, what }) }
}

/// What a bound says of itself, the lattice that float32 has with it, and the saturation.
fn get_bound(cursor: &mut Cursor<'_>, header: &mut Header) -> Result<()> {
    let at = cursor.at();
    match &mut header.bound {
        Bound::Exact => {}
        Bound::Absolute(counts) => *counts = numbers::get_u32(cursor)?,
        Bound::Noise(noise) => *noise = get_noise(cursor)?,
        Bound::AbsoluteFloat(number) | Bound::RelativeFloat(number) => {
            *number = get_f64(cursor)?;
            if *number < 0.0 {
                return Err(Error::Corrupt { at, what: "the bound is below 0" });
            }
            header.lattice = get_lattice(cursor)?;
        }
    }
    let at = cursor.at();
    header.saturation = numbers::get_u32(cursor)?;
    if header.element.is_float && header.saturation != 0 {
        return Err(Error::Corrupt { at, what: "float32 has no saturation" });
    }
    Ok(())
}

/// The header as it stands, and the bytes of the front: nothing is checked but that it can be one.
fn get_header(cursor: &mut Cursor<'_>) -> Result<(Header, u8, usize)> {
    if cursor.take(MAGIC.len())? != MAGIC {
        return Err(Error::Corrupt { at: 0, what: "it does not begin as a chunk of the bounded codec" });
    }
    let version = cursor.u8()?;
    if version != VERSION {
        return Err(Error::Unsupported(format!(
            "it is a bounded chunk of version {version}, and {VERSION} can be read: use a newer darkchunk"
        )));
    }
    let element =
        PixelType::from_code(cursor.u8()?.into()).ok_or(Error::Corrupt { at: 5, what: "no such element type" })?;
    let (kind, flags) = (cursor.u8()?, cursor.u8()?);
    let (height, width, n_bytes, front_len) = (cursor.u32_le()?, cursor.u32_le()?, cursor.u32_le()?, cursor.u32_le()?);
    if flags & !(UNBIASED | KEEP_ZERO | KEEP_NEGATIVE | HAS_FAILED) != 0 {
        return Err(Error::Corrupt { at: 7, what: "it has options that do not exist" });
    }
    let bound = match kind {
        0 => Bound::Exact,
        1 => Bound::Absolute(0),
        // What it says follows in the front.
        2 => Bound::Noise(Noise { beta: (1, 1), gain: (1, 1), offset: 0, read_variance: (0, 1) }),
        3 => Bound::AbsoluteFloat(0.0),
        4 => Bound::RelativeFloat(0.0),
        _ => return Err(Error::Corrupt { at: 6, what: "no such bound" }),
    };
    if kind != 0 && element.is_float != (kind > 2) {
        return Err(Error::Corrupt { at: 6, what: "its bound is of another element type" });
    }
    if element.is_float && flags & !HAS_FAILED != 0 {
        return Err(Error::Corrupt { at: 7, what: "it has options that float32 has not" });
    }
    let options = Options { unbiased: flags & UNBIASED != 0, keep_zero: flags & KEEP_ZERO != 0 };
    let keep_negative = flags & KEEP_NEGATIVE != 0;
    let (lattice, saturation) = (Lattice::default(), 0);
    let header = Header { element, bound, lattice, options, keep_negative, saturation, height, width, n_bytes };
    let frame_bytes = header.frame_bytes();
    if n_bytes == 0 {
        return Err(Error::Corrupt { at: 16, what: "it has no frame" });
    }
    if frame_bytes == 0 || !(n_bytes as usize).is_multiple_of(frame_bytes) {
        return Err(Error::Corrupt { at: 8, what: "the decoded size is not that of whole frames" });
    }
    Ok((header, flags, front_len as usize))
}

/// Reads header, front and table of a chunk, under their checksum. Returns the front and where the table is.
pub(super) fn open(src: &[u8]) -> Result<(Front<'_>, usize)> {
    let mut cursor = Cursor::new(src);
    let (mut header, flags, front_len) = get_header(&mut cursor)?;
    let stored = cursor.u32_le()?;
    let start = cursor.at();
    let front = cursor.take(front_len)?;
    let end = cursor.at();
    // The table's length depends on one byte of the front, so it is read before it is proved, and proved before it is used.
    let mut cursor = Cursor::new_at(&src[..end], start);
    get_bound(&mut cursor, &mut header)?;
    let achieved = Achieved::get(&mut cursor, &header, flags & HAS_FAILED != 0)?;
    let (sentinels, sets) = get_sets(&mut cursor, &header)?;
    let at = cursor.at();
    let coding = match cursor.u8()? {
        0 => None,
        1 => Some(Coding::get(&mut cursor, &header)?),
        _ => return Err(Error::Corrupt { at, what: "neither coded nor raw" }),
    };
    if !cursor.rest().is_empty() {
        return Err(Error::Corrupt { at: cursor.at(), what: "the front is longer than what is in it" });
    }
    let opened = Front { header, achieved, sentinels, sets, coding };
    let table = Cursor::new_at(src, end).take(opened.n_segments().saturating_mul(ENTRY_BYTES))?;
    let computed = checksum(&src[..CHECKSUM_AT], front, table);
    if stored != computed {
        return Err(Error::Checksum { stored, computed });
    }
    Ok((opened, end))
}

fn get_sets<'a>(cursor: &mut Cursor<'a>, header: &Header) -> Result<(Vec<u32>, Vec<&'a [u8]>)> {
    let at = cursor.at();
    let n = usize::from(cursor.u8()?);
    if n > MAX_SENTINELS || n > 0 && !header.may_have_mask() {
        return Err(Error::Corrupt { at, what: "more sentinels than there may be" });
    }
    let sentinels = (0..n).map(|_| numbers::get_u32(cursor)).collect::<Result<_>>()?;
    let sets = (0..n).map(|_| numbers::get_bytes(cursor)).collect::<Result<_>>()?;
    Ok((sentinels, sets))
}

/// The checksum of header, front and table.
pub(super) fn checksum(header: &[u8], front: &[u8], table: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    [header, front, table].into_iter().for_each(|bytes| hasher.update(bytes));
    hasher.finalize()
}
