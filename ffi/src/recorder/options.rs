//! What a recorder is told by C.

#![allow(unsafe_code)]

use std::ffi::{c_char, c_int, c_void};
use std::path::PathBuf;
use std::sync::Arc;

use darkchunk_hdf5::{Column, Flush, Number};
use darkchunk_stream::recorder::{Candidate, Classes, Measures, Options, PixelFormat, Policy, Share, Veto};

use super::lent::{Context, Release};
use crate::status::{Failure, slice, text};

/// `dc_measures`
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct CMeasures {
    sum: i64,
    n_bright: u64,
    maximum: i64,
}

/// `dc_column`
#[repr(C)]
#[derive(Debug)]
pub(crate) struct CColumn {
    name: *const c_char,
    number: c_int,
    n: usize,
    units: *const c_char,
}

type Keep = unsafe extern "C" fn(*mut c_void, u64, *const CMeasures) -> c_int;

/// `dc_share`
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct CShare {
    first: u64,
    frames: u64,
    every: u64,
}

/// `dc_recorder_options`
#[repr(C)]
#[derive(Debug)]
pub(crate) struct COptions {
    pub(super) size: usize,
    n_workers: usize,
    max_bytes: u64,
    policy: c_int,
    format: c_int,
    writer_thread: c_int,
    has_least: c_int,
    least: CMeasures,
    keep: Option<Keep>,
    keep_context: *mut c_void,
    first_number: u64,
    reorder: u64,
    max_gap: u64,
    columns: *const CColumn,
    n_columns: usize,
    pub(super) release: Option<Release>,
    pub(super) release_context: *mut c_void,
    no_journal: c_int,
    reserve_bytes: u64,
    swmr: c_int,
    class_column: *const c_char,
    n_classes: usize,
    is_part: c_int,
    share: CShare,
    index: *const c_char,
    maximum: c_int,
    in_place: c_int,
    pub(super) rows_per_chunk: usize,
}

impl From<Measures> for CMeasures {
    fn from(measures: Measures) -> Self {
        Self { sum: measures.sum, n_bright: measures.n_bright, maximum: measures.maximum }
    }
}

impl COptions {
    fn policy(&self) -> Result<Policy, Failure> {
        match self.policy {
            0 => Ok(Policy::Block),
            1 => Ok(Policy::Drop),
            other => Err(Failure::Argument(format!("options.policy is {other}: give a DC_POLICY_..."))),
        }
    }

    fn format(&self) -> Result<PixelFormat, Failure> {
        match self.format {
            0 => Ok(PixelFormat::Native),
            1 => Ok(PixelFormat::Mono8),
            2 => Ok(PixelFormat::Mono12p),
            3 => Ok(PixelFormat::Mono16),
            other => Err(Failure::Argument(format!("options.format is {other}: give a DC_FORMAT_..."))),
        }
    }

    fn veto<P>(&self) -> Option<Veto<P>> {
        if let Some(keep) = self.keep {
            let context = Context(self.keep_context);
            return Some(Veto::Ask(Arc::new(move |candidate: &Candidate<'_, P>| {
                let (Context(context), measures) = (context, candidate.measures.into());
                // SAFETY: the caller's function, which any thread may call.
                unsafe { keep(context, candidate.number, &raw const measures) != 0 }
            })));
        }
        let CMeasures { sum, n_bright, maximum } = self.least;
        (self.has_least != 0).then_some(Veto::AtLeast(Measures { sum, n_bright, maximum }))
    }

    /// # Safety
    /// `columns` are `n_columns` whose texts are null or C strings.
    unsafe fn columns(&self) -> Result<Vec<Column>, Failure> {
        // SAFETY: the caller's promise.
        let columns = unsafe { slice(self.columns, self.n_columns, "options.columns") }?;
        // SAFETY: the caller's promise.
        columns.iter().map(|column| unsafe { column.read() }).collect()
    }

    /// # Safety
    /// `class_column` is null or a C string.
    unsafe fn classes(&self) -> Result<Option<Classes>, Failure> {
        if self.class_column.is_null() {
            return Ok(None);
        }
        // SAFETY: the caller's promise.
        let column = unsafe { text(self.class_column, "options.class_column") }?.to_owned();
        Ok(Some(Classes { column, n: self.n_classes }))
    }

    /// # Safety
    /// `index` is null or a C string.
    unsafe fn index(&self) -> Result<Option<PathBuf>, Failure> {
        if self.index.is_null() {
            return Ok(None);
        }
        // SAFETY: the caller's promise.
        Ok(Some(unsafe { text(self.index, "options.index") }?.into()))
    }

    /// # Safety
    /// As [`columns`](Self::columns), [`classes`](Self::classes) and [`index`](Self::index).
    pub(super) unsafe fn read<P>(&self, flush: Flush) -> Result<Options<P>, Failure> {
        let default = Options::<P>::default();
        Ok(Options {
            n_workers: if self.n_workers == usize::MAX { default.n_workers } else { self.n_workers },
            max_bytes: match self.max_bytes {
                0 => default.max_bytes,
                max_bytes => usize::try_from(max_bytes).unwrap_or(usize::MAX),
            },
            policy: self.policy()?,
            flush,
            writer_thread: self.writer_thread != 0,
            first_number: self.first_number,
            share: (self.is_part != 0).then_some(Share {
                first: self.share.first,
                frames: self.share.frames,
                every: self.share.every,
            }),
            reorder: self.reorder,
            max_gap: self.max_gap,
            format: self.format()?,
            veto: self.veto(),
            journal: self.no_journal == 0,
            reserve_bytes: self.reserve_bytes,
            // SAFETY: the caller's promise.
            index: unsafe { self.index() }?,
            swmr: self.swmr != 0,
            maximum: self.maximum != 0,
            in_place: self.in_place != 0,
            // SAFETY: the caller's promise.
            classes: unsafe { self.classes() }?,
            // SAFETY: the caller's promise.
            columns: unsafe { self.columns() }?,
        })
    }
}

impl CColumn {
    /// # Safety
    /// The texts are null or C strings.
    pub(crate) unsafe fn read(&self) -> Result<Column, Failure> {
        // SAFETY: the caller's promise.
        let name = unsafe { text(self.name, "column.name") }?.to_owned();
        let units = if self.units.is_null() {
            String::new()
        } else {
            // SAFETY: the caller's promise.
            unsafe { text(self.units, "column.units") }?.to_owned()
        };
        Ok(Column { name, number: number(self.number)?, len: self.n, units })
    }
}

fn number(code: c_int) -> Result<Number, Failure> {
    Ok(match code {
        1 => Number::I8,
        2 => Number::U8,
        3 => Number::I16,
        4 => Number::U16,
        5 => Number::I32,
        6 => Number::U32,
        7 => Number::I64,
        8 => Number::U64,
        9 => Number::F32,
        10 => Number::F64,
        other => {
            return Err(Failure::Argument(format!("column.number is {other}: give a dc_element or a DC_INT64 ...")));
        }
    })
}
