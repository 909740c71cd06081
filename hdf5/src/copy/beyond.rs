//! What of a dataset is beyond the end of a file that was cut off, and read as zeros.

use crate::api::Hid;
use crate::chunk_map::{self, Storage};
use crate::element;
use crate::library::{Library, h5, h5_optional};
use crate::object::{self, Id};
use crate::salvage::{Damage, Fault, Report};
use crate::{Error, Result};
use darkchunk_hdf5_abi::constants::HADDR_UNDEF;

/// A file that had so many bytes before zeros were put at its end.
pub(super) struct Cut<'a> {
    pub(super) library: &'a Library,
    pub(super) file: Hid,
    pub(super) n_bytes: u64,
}

impl Cut<'_> {
    /// Adds to `report` what of the dataset `path` is beyond: chunks that have a fault already stay as they are.
    pub(super) fn add(&self, path: &str, report: &mut Report) -> Result<()> {
        let library = self.library;
        let dataset = object::open(library, self.file, path)?;
        let space = Id::new(library, h5!(library, H5Dget_space(dataset.get()))?);
        let properties = Id::new(library, h5!(library, H5Dget_create_plist(dataset.get()))?);
        let dims = object::extent(&space)?.0;
        if dims.contains(&0) {
            return Ok(());
        }
        match chunk_map::storage(&properties, dims.len())? {
            Storage::Chunked { chunk, .. } => self.chunks(&dataset, &space, (&dims, &chunk), report),
            Storage::Contiguous => self.piece(&dataset, &dims, report),
            Storage::Virtual | Storage::Other(_) => Ok(()),
        }
    }

    /// Addresses may count from the end of the user block, or from the first byte.
    fn is_beyond(&self, user_block: u64, address: u64, n_bytes: u64) -> bool {
        address.saturating_add(user_block).saturating_add(n_bytes) > self.n_bytes
    }

    fn chunks(&self, dataset: &Id, space: &Id, (dims, chunk): (&[u64], &[u64]), report: &mut Report) -> Result<()> {
        let user_block = chunk_map::user_block(self.library, &object::file_of(dataset)?)?;
        let map = chunk_map::list(dataset, space, dims, chunk)?;
        let n_before = report.faults.len();
        for (place, _) in map.iter().filter(|(_, stored)| self.is_beyond(user_block, stored.address, stored.n_bytes)) {
            let number = place.iter().zip(map.grid()).fold(0, |number, (place, n)| number * n + place);
            // Faults are in the order of the chunks.
            if report.faults[..n_before].binary_search_by_key(&number, |fault| fault.chunk).is_ok() {
                continue;
            }
            let offset: Vec<u64> = place.iter().zip(chunk).map(|(place, chunk)| place * chunk).collect();
            let end = offset[0].saturating_add(chunk[0]).min(dims[0]);
            report.faults.push(fault(number, offset[0]..end, offset));
            report.n_damaged += 1;
        }
        report.faults.sort_by_key(|fault| fault.chunk);
        report.n_chunks = report.n_chunks.max(map.grid().iter().fold(1, |n: u64, dim| n.saturating_mul(*dim)));
        Ok(())
    }

    fn piece(&self, dataset: &Id, dims: &[u64], report: &mut Report) -> Result<()> {
        let library = self.library;
        let datatype = Id::new(library, h5!(library, H5Dget_type(dataset.get()))?);
        let element = element::stored(dataset, datatype.get())?.map_or(1, |stored| stored.n_bytes as u64);
        let address = h5_optional!(library, H5Dget_offset(dataset.get()))?;
        let user_block = chunk_map::user_block(library, &object::file_of(dataset)?)?;
        // HDF5 adds the user block to no address, too.
        if address == HADDR_UNDEF || address == HADDR_UNDEF.wrapping_add(user_block) {
            return Ok(());
        }
        let frame_bytes = dims.iter().skip(1).fold(element, |n, dim| n.saturating_mul(*dim)).max(1);
        let n_frames = dims.first().copied().unwrap_or(1);
        if self.is_beyond(user_block, address, frame_bytes.saturating_mul(n_frames)) {
            let n_there = self.n_bytes.saturating_sub(address.saturating_add(user_block));
            report.faults.push(fault(0, n_there / frame_bytes..n_frames, vec![0; dims.len()]));
        }
        Ok(())
    }
}

fn fault(chunk: u64, frames: std::ops::Range<u64>, offset: Vec<u64>) -> Fault {
    let reason = Error::Unsupported("it is beyond the end of the file, which was cut off: it is zeros".into());
    let damage = Damage { blocks: 0..0, lost: 0..0, doubtful: 0..0, reason };
    Fault { chunk, offset, frames, doubtful_frames: 0..0, damage }
}
