//! DRLE frames found by their bytes, saved: for a file, or a dataset, that HDF5 cannot open.
//!
//! What is saved, in the order of the file:
//!
//! | name | meaning |
//! |---|---|
//! | `/found/1/frames` | dataset (frames, height, width), or (frames, 1, pixels) where the shape is not known |
//! | `/found/1/file_offset` | dataset (frames): where in the file the container of each begins |
//! | `/found/1/frame_in_chunk` | dataset (frames): which of that container's frames it is |
//!
//! Frames of another type, size or threshold are in `/found/2` and so on.

use super::column::Column;
use crate::api::Hid;
use crate::library::Library;
use crate::object;
use crate::{ChunkWriter, Dataset, Error, Flush, Result};
use darkchunk::chunk::Compression;
use darkchunk::element::ElementType;
use darkchunk::salvage::scan::{FoundFrame, Scan};
use std::io::Read;

/// More kinds of frames than this are not saved, and counted.
const MAX_KINDS: usize = 64;

/// More damaged frames than this are counted, and not listed.
const MAX_FAULTS: usize = 1000;

/// A frame of a container that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundFault {
    /// Where in the file its container begins.
    pub file_offset: u64,
    /// Which of the container's frames it is.
    pub frame_in_chunk: u64,
    /// What is wrong.
    pub reason: darkchunk::Error,
}

/// A dataset of frames that were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundDataset {
    /// Its path.
    pub path: String,
    /// Its frames.
    pub n_frames: u64,
    /// Type of its pixels.
    pub element: ElementType,
    /// Rows of a frame; 1 where that is not known.
    pub height: usize,
    /// Pixels of a row.
    pub width: usize,
    /// The threshold that the frames were encoded with.
    pub threshold: u16,
}

/// What a search found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundReport {
    /// Containers whose header and table are as they were written.
    pub n_containers: u64,
    /// Frames that were saved.
    pub n_frames: u64,
    /// Frames of these containers that are lost.
    pub n_lost: u64,
    /// The first of them.
    pub faults: Vec<FoundFault>,
    /// Frames that were found and not saved: of more types and sizes than a file has.
    pub n_not_saved: u64,
    /// Places that look like a container and were not looked at: too long, or too many that were none.
    pub n_skipped: u64,
    /// Where frames were saved.
    pub datasets: Vec<FoundDataset>,
}

/// Saves the frames of all DRLE containers in the bytes of `source`, the file `name`, into `into`, a file, and says what was found.
///
/// `shape` is height and width of the frames that have as many pixels. Which dataset a frame is of, and which of its frames, is not
/// known. Nothing is written where nothing is found.
///
/// # Errors
/// [`Error::Read`]; [`Error::NameTaken`]; [`Error::Hdf5`], for instance where the disk is full.
pub fn scan(
    library: &Library,
    source: impl Read,
    name: &str,
    into: Hid,
    shape: Option<[usize; 2]>,
) -> Result<FoundReport> {
    let cannot_read = |error: std::io::Error| Error::Read { name: name.to_owned(), message: error.to_string() };
    let mut scan = Scan::new(source);
    let mut target = Target { library, into, shape, report: FoundReport::default(), kinds: Vec::new() };
    while let Some(found) = scan.next_container().map_err(cannot_read)? {
        target.report.n_containers += 1;
        for (index, frame) in (0..).zip(found.frames()) {
            match frame {
                Ok(frame) => target.save(&frame, found.offset, index)?,
                Err(reason) => target.report.add_lost(found.offset, index, reason),
            }
        }
    }
    let n_skipped = scan.n_skipped();
    target.finish(name).map(|report| FoundReport { n_skipped, ..report })
}

impl FoundReport {
    fn add_lost(&mut self, file_offset: u64, frame_in_chunk: u64, reason: darkchunk::Error) {
        self.n_lost += 1;
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(FoundFault { file_offset, frame_in_chunk, reason });
        }
    }
}

struct Target<'a> {
    library: &'a Library,
    into: Hid,
    shape: Option<[usize; 2]>,
    report: FoundReport,
    kinds: Vec<Kind>,
}

/// The frames of one type, size and threshold.
struct Kind {
    element: ElementType,
    n_pixels: usize,
    threshold: u16,
    frames: ChunkWriter,
    file_offset: Column,
    frame_in_chunk: Column,
}

impl Target<'_> {
    fn save(&mut self, frame: &FoundFrame<'_>, file_offset: u64, frame_in_chunk: u64) -> Result<()> {
        let is_of = |kind: &Kind| {
            (kind.element, kind.n_pixels, kind.threshold) == (frame.element(), frame.n_pixels(), frame.threshold())
        };
        let index = match self.kinds.iter().position(is_of) {
            Some(index) => index,
            None if self.kinds.len() < MAX_KINDS => {
                self.kinds.push(self.create(frame)?);
                self.kinds.len() - 1
            }
            None => {
                self.report.n_not_saved += 1;
                return Ok(());
            }
        };
        let kind = &mut self.kinds[index];
        let n_frames = kind.frames.n_stored();
        kind.frames.write(n_frames, n_frames + 1, &frame.to_container()?)?;
        kind.file_offset.push(file_offset)?;
        kind.frame_in_chunk.push(frame_in_chunk)?;
        self.report.n_frames += 1;
        Ok(())
    }

    fn create(&self, frame: &FoundFrame<'_>) -> Result<Kind> {
        let (n_pixels, threshold, element) = (frame.n_pixels(), frame.threshold(), frame.element());
        let fits = |shape: &[usize; 2]| shape[0].checked_mul(shape[1]) == Some(n_pixels);
        let [height, width] = self.shape.filter(fits).unwrap_or([1, n_pixels]);
        let dataset = Dataset {
            path: format!("/found/{}/frames", self.kinds.len() + 1),
            nexus: false,
            ..Dataset::new(height, width, Compression::drle(threshold))
        };
        let mut frames = ChunkWriter::create(self.library, self.into, &dataset, element)?;
        frames.set_flush(Flush::NEVER);
        let column = || Column::create(self.library, self.into);
        Ok(Kind { element, n_pixels, threshold, frames, file_offset: column()?, frame_in_chunk: column()? })
    }

    /// Gives what was written its names.
    fn finish(mut self, name: &str) -> Result<FoundReport> {
        if self.kinds.is_empty() {
            return Ok(self.report);
        }
        let group = object::group(self.library, self.into, "/found")?;
        let note = format!(
            "Frames of DRLE containers that were found by a search of the bytes of {name}, in the order of the file. Which frames \
             of which dataset they are is not known; some may be older copies of others, or padding after a last frame."
        );
        object::set_string(&group, "note", &note)?;
        for (kind, number) in self.kinds.into_iter().zip(1..) {
            kind.frames.publish()?;
            kind.file_offset.publish(self.into, &format!("/found/{number}/file_offset"))?;
            kind.frame_in_chunk.publish(self.into, &format!("/found/{number}/frame_in_chunk"))?;
            let shape = kind.frames.shape();
            self.report.datasets.push(FoundDataset {
                path: format!("/found/{number}/frames"),
                n_frames: kind.frames.n_stored(),
                element: kind.element,
                height: shape.height,
                width: shape.width,
                threshold: kind.threshold,
            });
        }
        Ok(self.report)
    }
}
