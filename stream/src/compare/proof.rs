//! What a comparison found, beside the data that were compared: an attribute of the dataset.

use std::fs::{self, TryLockError};
use std::io;
use std::path::Path;

use darkchunk_hdf5::api::Hid;
use darkchunk_hdf5::{File, Library, values};
use serde_json::Value;

use super::frames::{Frames, checksum};
use crate::temporary::{Temporary, folder_of, keep_owner, publish, unfinished};
use crate::unpacked::available;
use crate::{Error, Options, Reader, Result};

/// The attribute of the dataset that was judged: the JSON object of `darkchunk compare`.
pub const NAME: &str = "darkchunk_comparison";

/// Bytes that are read at once, if a frame is not larger.
const BLOCK_BYTES: usize = 8 << 20;

/// What a dataset says of itself, and whether it still is what was judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// What it was compared with.
    pub reference: String,
    /// The version of darkchunk that compared.
    pub version: String,
    /// Whether all limits were kept.
    pub passes: bool,
    /// The limits that were not.
    pub broken: Vec<String>,
    /// Whether the elements are those that were compared, by their CRC-32.
    pub holds: bool,
}

/// Puts the object beside the dataset `path` of the file `place`, in a copy that takes the file's place when it is on the disk: whatever
/// happens, the file is whole. A program that reads it goes on with what it has opened.
///
/// # Errors
/// [`Error::Argument`] where a program writes to the file, there is no room for a copy, or it cannot be written; what HDF5 says. The file is
/// as it was then.
pub fn store(library: &Library, place: &Path, path: &str, json: &str) -> Result<()> {
    let failed = |error: io::Error| Error::Argument(format!("{error}: the file is as it was"));
    // A symbolic link stays one.
    let place = place.canonicalize().map_err(failed)?;
    let file = fs::File::open(&place).map_err(failed)?;
    // Who writes to it by HDF5 has its lock alone. Not every file system has locks.
    if let Err(TryLockError::WouldBlock) = file.try_lock_shared() {
        return Err(Error::Argument("a program writes to the file: end that first".to_owned()));
    }
    check_room(&place, file.metadata().map_err(failed)?.len())?;
    let copy = Temporary(Some(unfinished(&place).map_err(Error::Argument)?));
    fs::copy(&place, copy.path()).map_err(failed)?;
    let written = File::open(library, copy.path(), true)?;
    values::set_string(library, written.id(), path, NAME, json.trim_end())?;
    written.close()?;
    keep_owner(copy.path(), &place).map_err(failed)?;
    publish(copy.path(), &place, &place).map_err(failed)?;
    copy.keep();
    Ok(())
}

/// Refuses before a disk is filled that others write to.
fn check_room(place: &Path, n_bytes: u64) -> Result<()> {
    match available(folder_of(place)) {
        Some(room) if room < n_bytes => Err(Error::Argument(format!(
            "there is room for {room} bytes, and a copy of the file, which is to take its place, has {n_bytes}: make room, or keep what \
             --json prints"
        ))),
        _ => Ok(()),
    }
}

/// What the dataset `path` says of itself; `None` where it says nothing. All of it is read.
///
/// # Errors
/// [`Error::Argument`] for an attribute that is no such object, or beside data that cannot be compared; as [`Reader::read`].
pub fn check(library: &Library, file: Hid, path: &str) -> Result<Option<Proof>> {
    let Some(text) = values::string(library, file, path, NAME)? else { return Ok(None) };
    let unknown = || Error::Argument(format!("the attribute {NAME} is not what `darkchunk compare --store` writes"));
    let object: Value = serde_json::from_str(&text).map_err(|_| unknown())?;
    let word = |name: &str| object[name].as_str().unwrap_or_default().to_owned();
    let (passes, crc32) = (object["verdict"]["passes"].as_bool(), object["test_crc32"].as_u64());
    let (Some(passes), Some(crc32)) = (passes, crc32) else { return Err(unknown()) };
    let checks = object["verdict"]["checks"].as_array().into_iter().flatten();
    let broken = checks.filter(|check| check["is_kept"] == false).filter_map(|check| check["name"].as_str());
    let found = elements(Reader::open_path(library, file, path, Options::default())?)?;
    Ok(Some(Proof {
        reference: format!("{}:{}", word("file"), word("path")),
        version: word("version"),
        passes,
        broken: broken.map(str::to_owned).collect(),
        holds: u64::from(found) == crc32,
    }))
}

/// The CRC-32 of all elements, the least significant byte first.
fn elements(reader: Reader) -> Result<u32> {
    let frames = Frames::of_any(reader, "the dataset")?;
    let n_together = (BLOCK_BYTES / frames.frame_bytes()).max(1) as u64;
    let (mut hash, mut bytes) = (crc32fast::Hasher::new(), Vec::new());
    let mut first = 0;
    while first < frames.n_frames {
        let n = n_together.min(frames.n_frames - first);
        let n_bytes = frames.frame_bytes().saturating_mul(n as usize);
        if bytes.len() < n_bytes {
            bytes = darkchunk::pipeline::buffer(n_bytes)?;
        }
        frames.read(first, &mut bytes[..n_bytes])?;
        hash.combine(&checksum(&bytes[..n_bytes], frames.reader.element()));
        first += n;
    }
    Ok(hash.finalize())
}
