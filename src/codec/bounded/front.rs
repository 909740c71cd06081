//! The front of a chunk: what it is, what was promised and achieved, and all that its frames are decoded with.

use super::coding::{Coding, Reference};
use super::element::IntegerType;
use super::mask::MAX_SENTINELS;
use super::numbers;
use crate::codec::cursor::Cursor;
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) element: IntegerType,
    pub(super) bound: Bound,
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

    pub(super) fn quantiser(&self, upto: Upto) -> Quantiser {
        let saturation = Some(self.saturation).filter(|saturation| *saturation > 0);
        let domain = Domain { range: self.element.range(), saturation, keep_negative: self.keep_negative };
        Quantiser::new(self.bound, self.options, &domain, upto)
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

/// What came of the promise, over all pixels that are no sentinels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Achieved {
    /// Pixels that are no sentinels.
    pub n_pixels: u64,
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
        numbers::put(out, self.most.into());
        numbers::put(out, self.most_sigma.into());
        numbers::put_signed(out, self.sum);
        numbers::put(out, self.sum_of_squares);
        numbers::put(out, self.n_from_zero.into());
        numbers::put(out, self.n_to_zero.into());
    }

    fn get(cursor: &mut Cursor<'_>, has_failed: bool) -> Result<Self> {
        Ok(Self {
            n_pixels: numbers::get(cursor)?,
            most: numbers::get_u32(cursor)?,
            most_sigma: numbers::get_u32(cursor)?,
            sum: numbers::get_signed(cursor)?,
            sum_of_squares: numbers::get(cursor)?,
            n_from_zero: numbers::get_u32(cursor)?,
            n_to_zero: numbers::get_u32(cursor)?,
            has_failed,
        })
    }
}

/// Header and front.
#[derive(Debug, Clone, PartialEq, Eq)]
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
        match self.header.bound {
            Bound::Exact => {}
            Bound::Absolute(counts) => numbers::put(&mut out, counts.into()),
            Bound::Noise(noise) => put_noise(&mut out, &noise),
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
        IntegerType::from_code(cursor.u8()?.into()).ok_or(Error::Corrupt { at: 5, what: "no such element type" })?;
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
        _ => return Err(Error::Corrupt { at: 6, what: "no such bound" }),
    };
    let options = Options { unbiased: flags & UNBIASED != 0, keep_zero: flags & KEEP_ZERO != 0 };
    let keep_negative = flags & KEEP_NEGATIVE != 0;
    let header = Header { element, bound, options, keep_negative, saturation: 0, height, width, n_bytes };
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
    match &mut header.bound {
        Bound::Exact => {}
        Bound::Absolute(counts) => *counts = numbers::get_u32(&mut cursor)?,
        Bound::Noise(noise) => *noise = get_noise(&mut cursor)?,
    }
    header.saturation = numbers::get_u32(&mut cursor)?;
    let achieved = Achieved::get(&mut cursor, flags & HAS_FAILED != 0)?;
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
