//! Virtual datasets made of other files, read by HDF5 itself.

use crate::common;
use crate::common::hdf5::{LOCK, h5d, h5t, library};
use crate::common::maker::{self, Handle, Layout, Spec, create, open, open_dataset};
use darkchunk_hdf5::Error;
use darkchunk_hdf5::virtual_dataset::{self, Blocks, Part};
use std::fs;
use std::path::{Path, PathBuf};

const ROW: u64 = 3;
const FILL: u16 = 999;

fn folder(name: &str) -> PathBuf {
    let folder = common::path_of(name).with_extension("");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn bytes(values: &[u16]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_ne_bytes()).collect()
}

/// A file with `frames` frames of one row, all of whose pixels are `first` and what follows.
fn part(path: &Path, first: u16, frames: u64) -> Spec {
    let mut spec = Spec::new(*h5t::H5T_NATIVE_UINT16, &[frames, ROW], Layout::Contiguous);
    spec.fill = Some(FILL.to_ne_bytes().to_vec());
    let file = create(path, false, 0);
    let values: Vec<u16> = (0..frames as u16).flat_map(|frame| [first + frame; ROW as usize]).collect();
    maker::write(&spec.make(&file, "data"), spec.datatype, &bytes(&values));
    spec
}

/// The first pixel of each frame.
fn frames(path: &Path, n_frames: usize) -> Vec<u16> {
    let file = open(path);
    let dataset = open_dataset(&file, "/entry/data");
    let mut pixels = vec![0_u16; n_frames * ROW as usize];
    let _lock = LOCK.lock();
    let data = pixels.as_mut_ptr().cast();
    // SAFETY: room for all elements.
    assert!(unsafe { h5d::H5Dread(dataset.0, *h5t::H5T_NATIVE_UINT16, 0, 0, 0, data) } >= 0);
    pixels.chunks(ROW as usize).map(|frame| frame[0]).collect()
}

fn taken(file: &str, frames: u64, to: Blocks) -> Part {
    let dims = vec![frames, ROW];
    Part { file: file.into(), dataset: "data".into(), from: Blocks::one(&[0, 0], &dims), dims, to }
}

fn make(path: &Path, like: &Path, n_frames: u64, parts: &[Part]) -> Result<(), Error> {
    let (file, like) = (create(path, false, 0), open(like));
    let like: Handle = open_dataset(&like, "data");
    virtual_dataset::create(&library(), file.0, "/entry/data", like.0, &[n_frames, ROW], parts)
}

#[test]
fn frames_of_two_files_in_turn_are_one_dataset_also_where_the_folder_is_moved() {
    let (at, moved) = (folder("virtual_in_turn"), folder("virtual_moved"));
    part(&at.join("a%1.h5"), 10, 3);
    part(&at.join("b.h5"), 20, 2);
    let parts = [
        taken("a%1.h5", 3, Blocks::every(0, 2, 3, 1, &[6, ROW])),
        taken("b.h5", 2, Blocks::every(1, 2, 2, 1, &[6, ROW])),
    ];
    make(&at.join("master.h5"), &at.join("b.h5"), 6, &parts).expect("a virtual dataset");
    assert_eq!(frames(&at.join("master.h5"), 6), [10, 20, 11, 21, 12, FILL]);
    fs::remove_dir(&moved).expect("it is empty");
    fs::rename(&at, &moved).expect("it moves");
    assert_eq!(frames(&moved.join("master.h5"), 6), [10, 20, 11, 21, 12, FILL]);
}

#[test]
fn a_part_that_is_missing_is_read_as_the_fill_value() {
    let at = folder("virtual_missing");
    part(&at.join("a.h5"), 10, 1);
    let parts = [
        taken("a.h5", 1, Blocks::every(0, 1, 1, 1, &[2, ROW])),
        taken("gone.h5", 1, Blocks::every(1, 1, 1, 1, &[2, ROW])),
    ];
    make(&at.join("master.h5"), &at.join("a.h5"), 2, &parts).expect("a virtual dataset");
    assert_eq!(frames(&at.join("master.h5"), 2), [10, FILL]);
}

#[test]
fn parts_that_do_not_fit_are_refused_with_their_names() {
    let at = folder("virtual_refused");
    part(&at.join("a.h5"), 10, 2);
    let refused = |to: Blocks, from: Blocks, text: &str| {
        let part = Part { from, ..taken("a.h5", 2, to) };
        let error = make(&at.join("master.h5"), &at.join("a.h5"), 4, &[part]).expect_err("it does not fit");
        assert!(error.to_string().contains("a.h5:data") && error.to_string().contains(text), "{error}");
    };
    let two = || Blocks::one(&[0, 0], &[2, ROW]);
    refused(Blocks::one(&[3, 0], &[2, ROW]), two(), "outside of the virtual dataset");
    refused(Blocks::every(u64::MAX, 1, 2, 1, &[2, ROW]), two(), "outside of the virtual dataset");
    refused(Blocks::every(0, 1, 2, 2, &[2, ROW]), two(), "outside of the virtual dataset");
    refused(two(), Blocks::one(&[1, 0], &[2, ROW]), "not inside of it");
    refused(Blocks::one(&[0], &[2]), two(), "outside of the virtual dataset");
    refused(Blocks::one(&[0, 0], &[3, ROW]), two(), "not as many elements");
}
