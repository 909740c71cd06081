//! What a comparison found, beside the data that were compared: an attribute of the dataset.

use darkchunk_hdf5::api::Hid;
use darkchunk_hdf5::{Library, values};
use serde_json::Value;

use super::frames::{Frames, checksum};
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

/// Puts the object beside the dataset `path` of a file that is open to be written.
///
/// # Errors
/// What HDF5 says.
pub fn store(library: &Library, file: Hid, path: &str, json: &str) -> Result<()> {
    Ok(values::set_string(library, file, path, NAME, json.trim_end())?)
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
    let frames = Frames::new(reader, "the dataset")?;
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
