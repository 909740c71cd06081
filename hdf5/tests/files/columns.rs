//! Columns: what is set is what any program reads, whatever the order, and however often it is written.

use std::collections::BTreeMap;

use crate::common::*;
use darkchunk::chunk::Compression;
use darkchunk_hdf5::{Column, Columns, Dataset, Error, File, FrameStatus, Number, Processing, Writer};

const GROUP: &str = "/entry/instrument/detector/frames";

/// One column of each type, and a vector of each.
fn all_columns() -> Vec<Column> {
    let single = Number::ALL.map(|number| Column::new(&format!("{number:?}"), number));
    let vectors = Number::ALL.iter().zip(1..).map(|(number, len)| {
        let mut column = Column::new(&format!("{number:?}s"), *number);
        column.len = len;
        column.units = "mm".to_owned();
        column
    });
    single.into_iter().chain(vectors).collect()
}

/// Numbers at random, the same each time.
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }
}

/// The rows as they should be: by frame, status and bytes.
type Rows = BTreeMap<u64, (FrameStatus, Vec<u8>)>;

/// Whether all columns of the group are what `rows` says, and `n_rows` long.
fn check(file: &File, group: &str, columns: &[Column], rows: &Rows, n_rows: u64) {
    let (dims, statuses) = read_all(file, &format!("{group}/frame_status"));
    assert_eq!(dims, [n_rows]);
    for (frame, status) in statuses.iter().enumerate() {
        let expected = rows.get(&(frame as u64)).map_or(FrameStatus::Missing, |(status, _)| *status);
        assert_eq!(*status, expected as u8, "status of frame {frame}");
    }
    let mut start = 0;
    for column in columns {
        let (dims, bytes) = read_all(file, &format!("{group}/{}", column.name));
        let expected = if column.len == 0 { vec![n_rows] } else { vec![n_rows, column.len as u64] };
        assert_eq!(dims, expected, "{column:?}");
        let end = start + column.row_bytes();
        for (frame, found) in bytes.chunks_exact(column.row_bytes()).enumerate() {
            let row = rows.get(&(frame as u64)).filter(|(_, row)| !row.is_empty());
            let expected = row.map_or_else(|| hole(column), |(_, row)| row[start..end].to_vec());
            assert_eq!(found, expected, "{column:?} of frame {frame}");
        }
        start = end;
    }
}

fn hole(column: &Column) -> Vec<u8> {
    let number = match column.number {
        Number::F32 => f32::NAN.to_ne_bytes().to_vec(),
        Number::F64 => f64::NAN.to_ne_bytes().to_vec(),
        number => vec![0; number.n_bytes()],
    };
    number.repeat(column.len.max(1))
}

/// Frames nearly in order, with holes, late ones, some of them very late, and some set again.
fn frames(random: &mut Random, n_frames: usize) -> Vec<u64> {
    let mut order = Vec::new();
    let mut late = Vec::new();
    for frame in 0..n_frames {
        match random.next(20) {
            0 => {}
            1 => late.push(frame as u64),
            2 => order.extend([frame as u64, frame.saturating_sub(random.next(300)) as u64]),
            _ => order.push(frame as u64),
        }
        if random.next(40) == 0 && !late.is_empty() {
            order.push(late.swap_remove(random.next(late.len())));
        }
    }
    order.extend(late);
    order
}

#[test]
fn every_row_is_read_as_it_was_set_last_in_whatever_order_they_came() {
    let columns = all_columns();
    for (seed, flush_each) in [(1, usize::MAX), (2, 1000), (3, 100), (4, 7)] {
        let file = new_file(&format!("columns-{seed}"));
        let mut writer = Columns::create(&library(), file.id(), GROUP, &columns).expect("a group");
        let (mut random, mut rows) = (Random(seed), Rows::new());
        for (index, frame) in frames(&mut random, 3000).into_iter().enumerate() {
            let row: Vec<u8> = (0..writer.row_bytes()).map(|_| random.next(256) as u8).collect();
            writer.set(frame, FrameStatus::Written, &row).expect("a row");
            rows.insert(frame, (FrameStatus::Written, row));
            writer.write_full().expect("written");
            if index % flush_each == flush_each - 1 {
                writer.write(0).expect("written");
                assert_eq!(writer.n_held(), 0);
            }
        }
        writer.write(3100).expect("written");
        drop(writer);
        file.close().expect("closed");
        let file = File::open(&library(), &path_of(&format!("columns-{seed}")), false).expect("it opens");
        check(&file, GROUP, &columns, &rows, 3100);
    }
}

#[test]
fn a_status_alone_leaves_the_numbers_as_they_are() {
    let columns = [Column::new("time", Number::F64), Column::new("pulse", Number::U64)];
    let file = new_file("columns-status");
    let mut writer = Columns::create(&library(), file.id(), "frames", &columns).expect("a group");
    let row = [1.5_f64.to_ne_bytes(), 77_u64.to_ne_bytes()].concat();
    writer.set(0, FrameStatus::Written, &row).expect("a row");
    writer.set(1, FrameStatus::Vetoed, &row).expect("a row");
    writer.set(0, FrameStatus::Incomplete, &[]).expect("a status");
    writer.set(3, FrameStatus::Dropped, &[]).expect("a status");
    writer.write(0).expect("written");
    // Far away, so that the first chunk is let go, and read again for a late status.
    for frame in (300..4000).step_by(300) {
        writer.set(frame, FrameStatus::Written, &row).expect("a row");
        writer.write_full().expect("written");
    }
    writer.set(1, FrameStatus::Refused, &[]).expect("a status");
    writer.write(0).expect("written");
    let mut rows: Rows = (300..4000).step_by(300).map(|frame| (frame, (FrameStatus::Written, row.clone()))).collect();
    rows.insert(0, (FrameStatus::Incomplete, row.clone()));
    rows.insert(1, (FrameStatus::Refused, row));
    rows.insert(3, (FrameStatus::Dropped, Vec::new()));
    check(&file, "frames", &columns, &rows, 3901);
}

#[test]
fn several_groups_and_places_of_nexus_are_in_one_file_with_images_and_spectra() {
    let file = new_file("columns-nexus");
    let library = library();
    let mut images =
        Writer::create(&library, file.id(), &dataset(Compression::drle(1), 1), Processing::default()).expect("images");
    // A spectrum is a frame of one row.
    let spectra = Dataset {
        path: "/entry/instrument/spectrometer/data".into(),
        ..Dataset::new(1, 10_000, Compression::bitshuffle_lz4())
    };
    let mut spectra = Writer::create(&library, file.id(), &spectra, plain()).expect("spectra");
    let angle = Column { units: "deg".into(), ..Column::new("/entry/sample/rotation_angle", Number::F32) };
    let groups = [(GROUP, vec![angle, Column::new("image_key", Number::U8)]), ("/entry/beam", vec![])];
    let mut groups =
        groups.map(|(path, columns)| Columns::create(&library, file.id(), path, &columns).expect("a group"));
    let spectrum = |index: i16| (0..10_000).map(|channel| channel % (index + 7)).collect::<Vec<i16>>();
    for frame in 0..40_u8 {
        images.push(&camera(frame.into())).expect("taken");
        spectra.push(&spectrum(frame.into())).expect("taken");
        let row = [&f32::from(frame).to_ne_bytes()[..], &[frame % 3]].concat();
        groups[0].set(frame.into(), FrameStatus::Written, &row).expect("a row");
        groups[1].set(frame.into(), FrameStatus::Written, &[]).expect("a row");
    }
    for group in &mut groups {
        group.write(40).expect("written");
    }
    images.finish().expect("finished");
    spectra.finish().expect("finished");
    assert_eq!(read::<i16>(&file, "/entry/instrument/spectrometer/data")[39], spectrum(39));
    assert_eq!(read::<i16>(&file, PATH).len(), 40);
    let angles: Vec<u8> = (0..40_u8).flat_map(|frame| f32::from(frame).to_ne_bytes()).collect();
    assert_eq!(read_all(&file, "/entry/sample/rotation_angle"), (vec![40], angles));
    assert_eq!(read_all(&file, &format!("{GROUP}/image_key")).1, (0..40).map(|frame| frame % 3).collect::<Vec<u8>>());
    assert_eq!(read_all(&file, "/entry/beam/frame_status"), (vec![40], vec![1; 40]));
}

#[test]
fn what_cannot_be_a_column_or_a_row_is_refused_and_changes_nothing() {
    let file = new_file("columns-refused");
    let create = |columns: &[Column]| Columns::create(&library(), file.id(), "group", columns);
    for names in [&["a", "a"][..], &["frame_status"], &["sum"], &["b", "dark"], &["changes"], &[""]] {
        let columns: Vec<Column> = names.iter().map(|name| Column::new(name, Number::U8)).collect();
        assert!(matches!(create(&columns), Err(Error::Unsupported(_))), "{names:?}");
    }
    let absolute = [Column::new("/group/sum", Number::U8)];
    let made = Columns::create(&library(), file.id(), "/group", &absolute);
    assert!(matches!(made, Err(Error::Unsupported(_))), "{made:?}");
    // Whichever way group and column are named.
    for name in ["/group/changes", "/group/dark"] {
        let made = create(&[Column::new(name, Number::U8)]);
        assert!(matches!(made, Err(Error::Unsupported(_))), "{made:?}");
    }
    let mut writer = create(&[Column::new("a", Number::U16)]).expect("a group");
    assert!(matches!(create(&[Column::new("b", Number::U16)]), Err(Error::NameTaken { .. })));
    for row in [&[1][..], &[1, 2, 3]] {
        assert!(matches!(writer.set(0, FrameStatus::Written, row), Err(Error::Codec(_))));
    }
    assert!(writer.set(u64::MAX, FrameStatus::Written, &[1, 2]).is_err());
    assert_eq!(writer.n_held(), 0);
    writer.write(2).expect("written");
    check(&file, "group", &[Column::new("a", Number::U16)], &Rows::new(), 2);
    drop(writer);
    file.close().expect("closed");
    let read_only = File::open(&library(), &path_of("columns-refused"), false).expect("it opens");
    assert!(matches!(Columns::create(&library(), read_only.id(), "other", &[]), Err(Error::ReadOnly)));
}
