//! Room in the file, proved before it is needed. What becomes of frames that a full disk refuses is in
//! [`writer`](super::writer) (they are held) and [`chunk_writer`](super::chunk_writer) (the extent is put back); room that is kept for
//! closing the file, in `darkchunk-stream` (`reserve.rs`).

use super::array::reserved_chunk;
use super::library::{DEFAULT, h5};
use super::object::{self, Id};
use crate::{Error, Result};

/// Proves that the file has room for `bytes`, by writing them to a dataset without a name, whose place in the file is free
/// again afterwards. With an older table of functions nothing is proved.
pub(super) fn prove_room(file: &Id, bytes: &[u8]) -> Result<()> {
    let (library, dims) = (file.library(), [bytes.len() as u64]);
    let properties = match reserved_chunk(library, &dims) {
        Err(Error::MissingFunction { .. }) => return Ok(()),
        properties => properties?,
    };
    let (space, kind) = (object::dataspace(library, &dims, false)?, library.ids().native_uint8);
    let id = h5!(library, H5Dcreate_anon(file.get(), kind, space.get(), properties.get(), DEFAULT))?;
    let (dataset, data) = (Id::new(library, id), bytes.as_ptr().cast());
    h5!(library, H5Dwrite_chunk(dataset.get(), DEFAULT, 0, [0].as_ptr(), bytes.len(), data)).map(drop)
}
