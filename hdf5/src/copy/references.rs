//! References that lead to the copies of what they led to.

#![allow(unsafe_code)]

use std::ffi::c_void;

use super::Copier;
use super::values::{base, has_references, unknown};
use crate::Result;
use crate::api::Hid;
use crate::claim;
use crate::library::{DEFAULT, h5, h5_optional, h5_tool};
use crate::object::{Id, c_name};
use darkchunk_hdf5_abi::constants::{H5R_DATASET_REGION, H5R_OBJECT, H5T_ARRAY, H5T_COMPOUND, H5T_REFERENCE, H5T_VLEN};

/// Bytes of a reference to an object, and of one to a part of a dataset.
const OBJECT_BYTES: usize = 8;
const REGION_BYTES: usize = 12;

/// A sequence in memory (`hvl_t`).
#[repr(C)]
struct Sequence {
    len: usize,
    elements: *mut u8,
}

/// Translates the references in `n_elements` elements of the type `kind`, which are in `words` as HDF5 read them from `object`.
pub(super) fn translate(
    copier: &mut Copier,
    object: &Id,
    kind: Hid,
    n_elements: usize,
    words: &mut [u64],
) -> Result<()> {
    let n_bytes = h5!(&copier.library, H5Tget_size(kind))?;
    assert!(n_bytes * n_elements <= size_of_val(words), "elements fill the memory that they were read to");
    let mut walk = Walk { copier, object };
    // SAFETY: so many elements of this type are there, as was just compared, and HDF5 has filled them in.
    unsafe { walk.elements(kind, n_bytes, n_elements, words.as_mut_ptr().cast()) }
}

struct Walk<'a> {
    copier: &'a mut Copier,
    object: &'a Id,
}

impl Walk<'_> {
    /// # Safety
    /// `data` points to so many elements of the type `kind`, of `n_bytes` each, that HDF5 has filled in.
    unsafe fn elements(&mut self, kind: Hid, n_bytes: usize, n_elements: usize, data: *mut u8) -> Result<()> {
        for index in 0..n_elements {
            // SAFETY: the caller's promise: it is within the elements.
            let element = unsafe { data.add(index * n_bytes) };
            // SAFETY: as above.
            unsafe { self.element(kind, n_bytes, element) }?;
        }
        Ok(())
    }

    /// # Safety
    /// `data` points to one element of the type `kind`, of `n_bytes`, that HDF5 has filled in.
    unsafe fn element(&mut self, kind: Hid, n_bytes: usize, data: *mut u8) -> Result<()> {
        let library = &self.copier.library.clone();
        if !has_references(library, kind)? {
            return Ok(());
        }
        match h5!(library, H5Tget_class(kind))? {
            H5T_REFERENCE => {
                // SAFETY: the caller's promise.
                let reference = unsafe { std::slice::from_raw_parts_mut(data, n_bytes) };
                self.reference(reference)
            }
            H5T_COMPOUND => {
                let n_members = h5_optional!(library, H5Tget_nmembers(kind))?.cast_unsigned();
                for index in 0..n_members {
                    let member = Id::new(library, h5_optional!(library, H5Tget_member_type(kind, index))?);
                    let at = h5_tool!(library, H5Tget_member_offset(kind, index))?.cast_unsigned();
                    let member_bytes = h5!(library, H5Tget_size(member.get()))?;
                    // SAFETY: HDF5 says that the member is there.
                    let place = unsafe { data.add(at) };
                    // SAFETY: as above.
                    unsafe { self.element(member.get(), member_bytes, place) }?;
                }
                Ok(())
            }
            H5T_ARRAY => {
                let base = base(library, kind)?;
                let base_bytes = h5!(library, H5Tget_size(base.get()))?;
                // SAFETY: an array is its elements, one after the other.
                unsafe { self.elements(base.get(), base_bytes, n_bytes / base_bytes, data) }
            }
            H5T_VLEN => {
                let base = base(library, kind)?;
                let base_bytes = h5!(library, H5Tget_size(base.get()))?;
                // SAFETY: HDF5 gives a sequence as an `hvl_t`, which it may have put at any place of a compound.
                let sequence = unsafe { data.cast::<Sequence>().read_unaligned() };
                // SAFETY: HDF5 has allocated and filled in as many elements as the sequence has.
                unsafe { self.elements(base.get(), base_bytes, sequence.len, sequence.elements) }
            }
            _ => Ok(()),
        }
    }

    /// One reference, as it is in memory.
    fn reference(&mut self, reference: &mut [u8]) -> Result<()> {
        let kind = match reference.len() {
            OBJECT_BYTES => H5R_OBJECT,
            REGION_BYTES => H5R_DATASET_REGION,
            n_bytes => return Err(unknown(n_bytes)),
        };
        if reference.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        let mut translated = [0_u64; 2];
        let found = self.target(kind, reference).and_then(|(path, region)| {
            let (library, name) = (&self.copier.library, c_name(&path)?);
            let region = region.as_ref().map_or(-1, Id::get);
            let (place, to) = (translated.as_mut_ptr().cast::<c_void>(), self.copier.to);
            h5_tool!(library, H5Rcreate(place, to, name.as_ptr(), kind, region))
        });
        if let Err(error) = found {
            self.copier.warnings.push(format!("a reference that leads nowhere is empty in the copy: {error}"));
            translated = [0; 2];
        }
        let bytes: Vec<u8> = translated.iter().flat_map(|word| word.to_ne_bytes()).collect();
        reference.copy_from_slice(&bytes[..reference.len()]);
        Ok(())
    }

    /// Where a reference leads to, and to which part of it.
    fn target(&self, kind: i32, reference: &[u8]) -> Result<(String, Option<Id>)> {
        let (library, object) = (&self.copier.library, self.object.get());
        let aligned = aligned(reference);
        let place = aligned.as_ptr().cast::<c_void>();
        let target = Id::new(library, h5_tool!(library, H5Rdereference2(object, DEFAULT, kind, place))?);
        let identity = claim::identity(&target)?;
        let path = identity.and_then(|identity| self.copier.paths.get(&identity).cloned());
        let path =
            path.ok_or_else(|| crate::Error::Unsupported("it is to an object that no link here leads to".into()))?;
        let region = match kind {
            H5R_DATASET_REGION => Some(Id::new(library, h5_tool!(library, H5Rget_region(object, kind, place))?)),
            _ => None,
        };
        Ok((path, region))
    }
}

/// A reference where HDF5 may expect a word.
fn aligned(reference: &[u8]) -> [u64; 2] {
    let mut bytes = [0; 16];
    bytes[..reference.len()].copy_from_slice(reference);
    [0, 8].map(|at| u64::from_ne_bytes(*bytes[at..].first_chunk().unwrap_or(&[0; 8])))
}
