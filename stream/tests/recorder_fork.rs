//! A recorder in a process that forks. Alone: a child has the other tests' files open and locked for a moment.

#![cfg(unix)]

mod common;

use common::hdf5::library;
use common::path;
use darkchunk::chunk::{Compression, Processing};
use darkchunk_hdf5::{Dataset, File};
use darkchunk_stream::Error;
use darkchunk_stream::recorder::{Options, Pushed, Recorder};

const N_PIXELS: usize = 16 * 24;

fn camera(number: u64) -> Vec<i16> {
    let is_bright = |pixel: usize| (pixel as u64).is_multiple_of(number + 2);
    (0..N_PIXELS).map(|pixel| if is_bright(pixel) { 100 + number as i16 } else { 0 }).collect()
}

fn push(recorder: &mut Recorder<i16>, number: u64) {
    assert_eq!(recorder.push(number, camera(number)).expect("taken"), Pushed::Taken);
}

#[test]
fn a_process_that_forks_records_on_and_its_child_is_told_and_does_not_hang() {
    for writer_thread in [false, true] {
        let path = path(&format!("recorder_fork_{writer_thread}"));
        let file = File::create(&library(), &path).expect("a file");
        let dataset = Dataset::new(16, 24, Compression::drle(20));
        let options = Options { writer_thread, ..Options::default() };
        let mut recorder =
            Recorder::create(&library(), file.id(), &dataset, Processing::default(), options).expect("a recorder");
        (0..50).for_each(|number| push(&mut recorder, number));
        let monitor = recorder.monitor();
        // SAFETY: the child calls nothing that other threads may hold, and ends at once.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let is_told = matches!(recorder.push(50, Vec::new()), Err(error) if error.error == Error::Forked)
                && recorder.finish() == Err(Error::Forked)
                && monitor.statistics() == Err(Error::Forked);
            drop(recorder);
            // SAFETY: nothing of the parent's is run at the end.
            unsafe { libc::_exit(i32::from(!is_told)) };
        }
        let mut status = -1;
        // SAFETY: our own child, and room for its status.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0, "the child was told");
        (50..100).for_each(|number| push(&mut recorder, number));
        let found = recorder.finish().expect("finished");
        assert_eq!((found.n_stored, found.n_held), (100, 0));
    }
}
