//! How the levels of a chunk are coded: the part of the front that chunks with raw frames alone do not have.

use super::front::Header;
use super::numbers;
use super::planes::{MAX_TAPS, Tap};
use super::tables::{self, MAX_TABLES};
use crate::codec::cursor::Cursor;
use crate::kernels::predict::Scale;
use crate::kernels::rans::{Frequencies, MAX_LANES};
use crate::{Error, Result};

/// Tables of the second model at most.
pub(super) const MAX_FIRST_TABLES: usize = 4;

/// What frames are predicted from beside their own rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reference {
    /// Nothing.
    #[default]
    None,
    /// A frame that is stored before them.
    Mean,
    /// The frame before.
    Previous,
}

/// How levels are predicted and coded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Model {
    pub(super) taps: Vec<Tap>,
    pub(super) bias: i32,
    /// A prediction has the table of which the number is that of the thresholds below it.
    pub(super) thresholds: Vec<i32>,
    /// One more than thresholds.
    pub(super) tables: Vec<Frequencies>,
}

impl Model {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(self.taps.len() as u8);
        self.taps.iter().for_each(|tap| tap.put(out));
        out.extend_from_slice(&self.bias.to_le_bytes());
        out.push(self.tables.len() as u8);
        self.thresholds.iter().for_each(|threshold| out.extend_from_slice(&threshold.to_le_bytes()));
        self.tables.iter().for_each(|table| tables::put(out, table));
    }

    fn get(cursor: &mut Cursor<'_>, most_tables: usize) -> Result<Self> {
        let at = cursor.at();
        let n_taps = usize::from(cursor.u8()?);
        if n_taps > MAX_TAPS {
            return Err(Error::Corrupt { at, what: "a model has more taps than there are" });
        }
        let taps = (0..n_taps).map(|_| Tap::get(cursor)).collect::<Result<_>>()?;
        let bias = cursor.u32_le()?.cast_signed();
        let at = cursor.at();
        let n_tables = usize::from(cursor.u8()?);
        if !(1..=most_tables).contains(&n_tables) {
            return Err(Error::Corrupt { at, what: "a model has another number of tables than it may have" });
        }
        let thresholds = (1..n_tables).map(|_| Ok(cursor.u32_le()?.cast_signed())).collect::<Result<_>>()?;
        let tables = (0..n_tables).map(|_| tables::get(cursor)).collect::<Result<_>>()?;
        Ok(Self { taps, bias, thresholds, tables })
    }
}

/// How the levels of a chunk are coded. Chunks that are all raw have nothing of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Coding {
    /// The least and the greatest level, and the checksum of what they stand for.
    pub(super) levels: (i64, i64),
    pub(super) levels_checksum: u32,
    pub(super) reference: Reference,
    /// Its logarithm to base 2 is stored.
    pub(super) n_lanes: usize,
    pub(super) scale: Scale,
    /// That of the frames.
    pub(super) model: Model,
    /// That of the stored reference, or of frames without one before them.
    pub(super) first: Option<Model>,
    /// Tables of runs and values.
    pub(super) sparse: Option<[Frequencies; 2]>,
}

impl Coding {
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        numbers::put_signed(out, self.levels.0);
        numbers::put_signed(out, self.levels.1);
        out.extend_from_slice(&self.levels_checksum.to_le_bytes());
        let reference = match self.reference {
            Reference::None => 0,
            Reference::Mean => 1,
            Reference::Previous => 2,
        };
        out.extend([reference, self.n_lanes.ilog2() as u8]);
        self.scale.put(out);
        self.model.put(out);
        if let Some(first) = &self.first {
            first.put(out);
        }
        out.push(self.sparse.is_some().into());
        self.sparse.iter().flatten().for_each(|table| tables::put(out, table));
    }

    pub(super) fn get(cursor: &mut Cursor<'_>, header: &Header) -> Result<Self> {
        let at = cursor.at();
        let levels = (numbers::get_signed(cursor)?, numbers::get_signed(cursor)?);
        let most = 1_i64 << 32;
        if levels.0 > levels.1 || levels.0 < -most || levels.1 > most {
            return Err(Error::Corrupt { at, what: "the levels of a chunk are out of range" });
        }
        let levels_checksum = cursor.u32_le()?;
        let at = cursor.at();
        let reference = match cursor.u8()? {
            0 => Reference::None,
            1 => Reference::Mean,
            2 => Reference::Previous,
            _ => return Err(Error::Corrupt { at, what: "no such reference" }),
        };
        if reference != Reference::None && !header.may_have_reference() {
            return Err(Error::Corrupt { at, what: "frames so few or so small have no reference" });
        }
        let n_lanes = 1_usize.checked_shl(cursor.u8()?.into()).filter(|n| *n <= MAX_LANES);
        let n_lanes = n_lanes.ok_or(Error::Corrupt { at, what: "more lanes than there are" })?;
        let scale = Scale::get(cursor)?;
        let at = cursor.at();
        let model = Model::get(cursor, MAX_TABLES)?;
        let first = (reference != Reference::None).then(|| Model::get(cursor, MAX_FIRST_TABLES)).transpose()?;
        let taps = || model.taps.iter();
        let has_own = taps().chain(first.iter().flat_map(|first| &first.taps)).any(|tap| !tap.is_reference);
        let needs_reference = first.iter().flat_map(|first| &first.taps).any(|tap| tap.is_reference)
            || reference == Reference::None && taps().any(|tap| tap.is_reference);
        if has_own && !header.has_planes() || needs_reference {
            return Err(Error::Corrupt { at, what: "a model predicts from pixels that are not there" });
        }
        let at = cursor.at();
        let sparse = match cursor.u8()? {
            0 => None,
            1 => Some([tables::get(cursor)?, tables::get(cursor)?]),
            _ => return Err(Error::Corrupt { at, what: "neither with nor without sparse frames" }),
        };
        Ok(Self { levels, levels_checksum, reference, n_lanes, scale, model, first, sparse })
    }
}
