//! Marks in a copy of a file: which frames are left out there.

use super::{Columns, FrameStatus, STATUS, path_of};
use crate::api::Hid;
use crate::array;
use crate::library::{Library, h5};
use crate::object::{self, Id};
use crate::{Error, Result};

/// Marks frames of the dataset `path` as vetoed in the column `frame_status` beside it, which is made where there is none: with
/// `stored` for the others. A frame that was not stored before stays as it was.
///
/// # Errors
/// [`Error::Unsupported`] for a column of another shape; as [`Columns::create`].
pub fn mark_vetoed(library: &Library, file: Hid, path: &str, vetoed: &[bool], stored: &[bool]) -> Result<()> {
    let group = format!("{path}_darkchunk");
    let column = path_of(&group, STATUS);
    if object::exists(library, file, &column)? {
        return again(library, file, &column, vetoed);
    }
    let mut columns = Columns::create(library, file, &group, &[])?;
    for (frame, (vetoed, stored)) in (0..).zip(vetoed.iter().zip(stored)) {
        let status = match (vetoed, stored) {
            (true, _) => FrameStatus::Vetoed,
            (false, true) => FrameStatus::Written,
            (false, false) => FrameStatus::Missing,
        };
        columns.set(frame, status, &[])?;
        columns.write_full()?;
    }
    columns.write(vetoed.len() as u64)
}

fn again(library: &Library, file: Hid, column: &str, vetoed: &[bool]) -> Result<()> {
    let dataset = object::open(library, file, column)?;
    let space = Id::new(library, h5!(library, H5Dget_space(dataset.get()))?);
    let (dims, _) = object::extent(&space)?;
    let [n_rows] = dims[..] else {
        return Err(Error::Unsupported(format!("{column} is no column: it has {} axes", dims.len())));
    };
    if n_rows < vetoed.len() as u64 {
        return Err(Error::Unsupported(format!("{column} has {n_rows} rows, and there are {} frames", vetoed.len())));
    }
    let root = object::open(library, file, "/")?;
    let mut statuses = array::read::<u8>(&root, column, &dims)?;
    for (status, vetoed) in statuses.iter_mut().zip(vetoed) {
        if *vetoed {
            *status = FrameStatus::Vetoed as u8;
        }
    }
    array::write(&root, column, &dims, &statuses).map(drop)
}
