//! Records of variable number a frame: what was pushed is read back, frame by frame.

use crate::common::{self, library, new_file, path_of, read_all};
use darkchunk::chunk::Compression;
use darkchunk::element::as_bytes;
use darkchunk_hdf5::{Column, Error, Events, File, Number};
use darkchunk_sim::Rng;

const GROUP: &str = "/entry/hits";

fn columns() -> Vec<Column> {
    vec![Column::new("x", Number::U16), Column { units: "keV".into(), ..Column::new("energy", Number::F32) }]
}

/// Numbers of type T in a dataset.
fn numbers<T, const N: usize>(file: &File, name: &str, from: fn([u8; N]) -> T) -> Vec<T> {
    let bytes = read_all(file, &format!("{GROUP}/{name}")).1;
    bytes.as_chunks::<N>().0.iter().map(|bytes| from(*bytes)).collect()
}

/// The records of a frame, by what the index of the file says.
fn of_frame(file: &File, frame: usize) -> Vec<(u16, f32)> {
    let [first, count] =
        ["event_index", "event_count"].map(|name| numbers(file, name, u64::from_ne_bytes)[frame] as usize);
    let (x, energy) = (numbers(file, "x", u16::from_ne_bytes), numbers(file, "energy", f32::from_ne_bytes));
    x[first..first + count].iter().copied().zip(energy[first..first + count].iter().copied()).collect()
}

#[test]
fn the_records_of_each_frame_come_back_whatever_their_number_and_order() {
    // HDF5 itself reads what has no filter; the tests of the wheel read all of them.
    for compression in [Compression::NONE, Compression::zstd(1)] {
        let mut rng = Rng::new(7);
        let file = new_file("events");
        let mut events = Events::create(&library(), file.id(), GROUP, &columns(), &compression).expect("made");
        let mut expected = vec![Vec::new(); 60];
        for frame in [(30..60), (0..30)].into_iter().flatten().filter(|frame| frame % 7 != 3) {
            let n = if frame == 11 { 40_000 } else { rng.below(2000) };
            let (x, energy): (Vec<u16>, Vec<f32>) =
                (0..n).map(|_| (rng.below(1024) as u16, rng.below(100) as f32 / 8.0)).unzip();
            events
                .push(
                    frame,
                    &[as_bytes(&x), &energy.iter().flat_map(|energy| energy.to_ne_bytes()).collect::<Vec<u8>>()],
                )
                .expect("taken");
            expected[frame as usize] = x.into_iter().zip(energy).collect();
            if frame % 13 == 0 {
                events.flush(60).expect("flushed");
            }
        }
        assert_eq!(events.n_events() as usize, expected.iter().map(Vec::len).sum::<usize>());
        events.flush(60).expect("flushed");
        drop(events);
        file.close().expect("closed");
        let file = File::open(&library(), &path_of("events"), false).expect("it opens");
        if compression != Compression::NONE {
            assert!(common::read_all_in(file.id(), &format!("{GROUP}/x")).is_none(), "it is compressed");
            continue;
        }
        for frame in [0, 3, 11, 12, 29, 30, 38, 59] {
            assert_eq!(of_frame(&file, frame), expected[frame], "{compression:?}: frame {frame}");
        }
        let status: Vec<u8> = (0..60).map(|frame| u8::from(frame % 7 != 3)).collect();
        assert_eq!(read_all(&file, &format!("{GROUP}/frame_status")).1, status);
        assert_eq!(numbers(&file, "x", u16::from_ne_bytes).len(), expected.iter().map(Vec::len).sum::<usize>());
    }
}

#[test]
fn what_is_not_right_is_refused_and_changes_nothing() {
    let file = new_file("events-refused");
    let create = |columns: &[Column], compression| Events::create(&library(), file.id(), GROUP, columns, &compression);
    for (columns, compression) in [
        (vec![], Compression::NONE),
        (vec![Column::new("event_index", Number::U8)], Compression::NONE),
        (vec![Column::new("/x", Number::U8)], Compression::NONE),
        (vec![Column::new("x", Number::U8), Column::new("x", Number::U8)], Compression::NONE),
        (vec![Column::new("energy", Number::F32)], Compression::drle(1)),
    ] {
        assert!(create(&columns, compression).is_err(), "{columns:?}");
    }
    let mut events = create(&columns(), Compression::zstd(1)).expect("made, as nothing was before");
    let (one, two, four) = ([0; 2], [0; 4], [0; 8]);
    events.push(5, &[&one, &two]).expect("taken");
    for (frame, values) in
        [(5, [&one[..], &two[..]]), (6, [&one, &four]), (6, [&one[..1], &two]), (1 << 60, [&one, &two])]
    {
        assert!(matches!(events.push(frame, &values), Err(Error::Unsupported(_))), "{frame}: {values:?}");
    }
    assert!(matches!(events.push(6, &[&one]), Err(Error::Unsupported(_))));
    events.push(4, &[&[], &[]]).expect("a frame without records");
    events.flush(0).expect("flushed");
    assert_eq!(events.n_events(), 1);
    assert_eq!(numbers(&file, "event_count", u64::from_ne_bytes), [0, 0, 0, 0, 0, 1]);
    assert!(matches!(create(&columns(), Compression::NONE), Err(Error::NameTaken { .. })));
}
