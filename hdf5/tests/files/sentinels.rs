//! What is no measurement stays as it is: masked pixels, and the fill value of a dataset that another program made.

use crate::common::hdf5::{LOCK, h5d, h5i, h5p, h5s, h5t};
use crate::common::*;
use darkchunk::Exec;
use darkchunk::chunk::{Compression, Filter};
use darkchunk::element::as_bytes_mut;
use darkchunk_hdf5::{File, Processing, Writer};

const MASKED: u16 = u16::MAX;
const DARK: u16 = 100;

/// A frame of the camera with a gap between modules, a pixel that is too bright for a token, and a dead one.
fn masked(index: usize) -> Vec<u16> {
    let mut frame: Vec<u16> = camera(index).iter().map(|pixel| pixel.cast_unsigned()).collect();
    for row in frame.chunks_exact_mut(WIDTH) {
        row[11..15].fill(MASKED);
    }
    frame[5 * WIDTH..7 * WIDTH].fill(MASKED);
    frame[3] = 50_000;
    frame[N_PIXELS - 1] = MASKED;
    frame
}

fn stored(pixel: u16) -> u16 {
    match pixel {
        MASKED => MASKED,
        _ if pixel < DARK + THRESHOLD => 0,
        _ => pixel - DARK,
    }
}

#[test]
fn masked_pixels_are_kept_and_in_no_number_but_their_own() {
    let frames: Vec<Vec<u16>> = (0..5).map(masked).collect();
    let expected: Vec<Vec<u16>> =
        frames.iter().map(|frame| frame.iter().map(|pixel| stored(*pixel)).collect()).collect();
    let all = || frames.iter().flatten();
    let n_masked = all().filter(|pixel| **pixel == MASKED).count() as i64;
    let n_bright = all().filter(|pixel| **pixel != MASKED && stored(**pixel) != 0).count() as i64;
    let value = |pixel: u16| if pixel == MASKED { 0 } else { i64::from(stored(pixel)) };
    let sum: Vec<i64> = (0..N_PIXELS).map(|at| frames.iter().map(|frame| value(frame[at])).sum()).collect();
    for at_once in [false, true] {
        let file = new_file(&format!("masked-{at_once}"));
        let processing = Processing { dark: Some(vec![DARK; N_PIXELS].into()), ..Processing::default() };
        let dataset = dataset(Compression::drle(THRESHOLD), 2);
        let mut writer = Writer::create(&library(), file.id(), &dataset, processing).unwrap();
        if at_once {
            writer.push_frames(&frames.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
        } else {
            frames.iter().for_each(|frame| writer.push(frame).unwrap());
        }
        let summary = writer.finish().unwrap();
        assert_eq!(summary.counts.n_sentinels as i64, n_masked);
        assert_eq!(read::<u16>(&file, PATH), expected);
        let beside = format!("{PATH}_darkchunk");
        assert_eq!(image(&file, &format!("{beside}/sum")), sum);
        let numbers = ["pixels_sentinel", "pixels_bright"].map(|name| attribute(&file, &beside, name));
        assert_eq!(numbers, [n_masked, n_bright]);
        drop(writer);
        // A recording that is continued goes on counting.
        let processing = Processing { dark: Some(vec![DARK; N_PIXELS].into()), ..Processing::default() };
        let mut writer = Writer::<u16>::attach(&library(), file.id(), PATH, processing).unwrap();
        writer.push(&frames[0]).unwrap();
        let more = frames[0].iter().filter(|pixel| **pixel == MASKED).count() as i64;
        assert_eq!(writer.finish().unwrap().counts.n_sentinels as i64, n_masked + more);
    }
}

/// A dataset of three frames, two a chunk, with a fill value and nothing written.
fn with_fill(file: &File, fill: i16, values: &[u32]) {
    let (dims, most, chunk) = ([3, 19, 33], [u64::MAX, 19, 33], [2, 19, 33]);
    let kind = *h5t::H5T_NATIVE_INT16;
    let _lock = LOCK.lock();
    // SAFETY: a class of property lists.
    let properties = unsafe { h5p::H5Pcreate(*h5p::H5P_CLS_DATASET_CREATE) };
    // SAFETY: three dimensions.
    assert!(unsafe { h5p::H5Pset_chunk(properties, 3, chunk.as_ptr()) } >= 0);
    // SAFETY: as many values as are said.
    assert!(unsafe { h5p::H5Pset_filter(properties, 36114, 1, values.len(), values.as_ptr()) } >= 0);
    // SAFETY: one `int16`.
    assert!(unsafe { h5p::H5Pset_fill_value(properties, kind, (&raw const fill).cast()) } >= 0);
    // SAFETY: three dimensions.
    let space = unsafe { h5s::H5Screate_simple(3, dims.as_ptr(), most.as_ptr()) };
    // SAFETY: a C string, and identifiers.
    let dataset = unsafe { h5d::H5Dcreate2(file.id(), c"/frames".as_ptr(), kind, space, 0, properties, 0) };
    assert!(dataset >= 0);
    // SAFETY: an identifier that is not used any more.
    unsafe { h5i::H5Idec_ref(dataset) };
}

/// The pixels of the chunk that begins at `first`, padding and all.
fn chunk(file: &File, first: u64, values: &[u32]) -> Vec<i16> {
    let _lock = LOCK.lock();
    // SAFETY: a C string.
    let dataset = unsafe { h5d::H5Dopen2(file.id(), c"/frames".as_ptr(), 0) };
    let mut pixels = vec![0x55_i16; 2 * N_PIXELS];
    let filter = Filter::from_cd_values(36114, values).unwrap();
    filter
        .decode(Exec::SCALAR, &stored_chunk(dataset, [first, 0, 0]).expect("it is stored"), as_bytes_mut(&mut pixels))
        .expect("it is sound");
    // SAFETY: an identifier that is not used any more.
    unsafe { h5i::H5Idec_ref(dataset) };
    pixels
}

#[test]
fn the_fill_value_of_a_dataset_stays_in_chunks_that_are_written_in_part() {
    let n_bytes = 4 * N_PIXELS as u32;
    // As the plugin stores them, and as earlier versions of it did.
    for version in [2, 1] {
        for fill in [-1_i16, -32_767] {
            let mut values = vec![THRESHOLD.into(), 0, 0, version, 1, N_PIXELS as u32, n_bytes];
            values.extend((version == 2).then_some([fill.cast_unsigned().into(), 0]).into_iter().flatten());
            let file = new_file(&format!("fill-{version}-{fill}"));
            with_fill(&file, fill, &values);
            let mut writer = Writer::<i16>::attach(&library(), file.id(), "/frames", plain()).unwrap();
            let mut frame = vec![500; N_PIXELS];
            frame[7..9].fill(fill);
            frame[9] = fill + 3;
            writer.push(&frame).unwrap();
            writer.push(&frame).unwrap();
            writer.finish().unwrap();
            frame[9] = 0;
            let filled = vec![fill; N_PIXELS];
            // Frame 2 was there and never written; frame 5 is padding.
            assert_eq!(chunk(&file, 2, &values), [&filled[..], &frame].concat(), "version {version}, {fill}");
            assert_eq!(chunk(&file, 4, &values), [&frame[..], &filled].concat(), "version {version}, {fill}");
        }
    }
}
