//! What the metadata of a frame costs in Rust: `columns TURNS FOLDER`. Prints a line of JSON.
//!
//! Small frames without a filter, recorded by one thread with a journal, once with 14 numbers each and once without; the best turn of each
//! counts, and the difference is the metadata: taken, put into columns and journal, written 256 rows at once.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use darkchunk::chunk::{Compression, Processing};
use darkchunk_hdf5::{Column, Dataset, File, Library, Number};
use darkchunk_stream::recorder::{Options, Recorder};
use serde_json::json;

const SIDE: usize = 16;
const N_COLUMNS: usize = 14;
const N_FRAMES: u64 = 50_000;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [turns, folder] = &arguments[..] else { return Err("usage: columns TURNS FOLDER".into()) };
    let (library, path) = (darkchunk_hdf5::load::library()?, Path::new(folder).join("columns.h5"));
    let mut best = [f64::INFINITY; 2];
    for _ in 0..turns.parse()? {
        for (n, best) in [0, N_COLUMNS].into_iter().zip(&mut best) {
            *best = best.min(turn(&library, &path, n)?);
        }
    }
    std::fs::remove_file(&path)?;
    println!("{}", json!({ "name": "Rust, push_with", "without": best[0], "with": best[1] }));
    Ok(())
}

/// Processor time of a frame, in microseconds.
fn turn(library: &Library, path: &Path, n_columns: usize) -> Result<f64> {
    let columns = (0..n_columns).map(|n| Column::new(&format!("column{n}"), Number::F64)).collect();
    let options = Options { n_workers: 0, columns, ..Options::default() };
    let file = File::create(library, path)?;
    let dataset = Dataset::new(SIDE, SIDE, Compression::NONE);
    let processing = Processing { sum: false, ..Processing::default() };
    let mut recorder = Recorder::<u16, Arc<[u16]>>::create(library, file.id(), &dataset, processing, options)?;
    let (frame, mut numbers): (Arc<[u16]>, _) = (vec![1; SIDE * SIDE].into(), [0_f64; N_COLUMNS]);
    let start = cpu_ns()?;
    for number in 0..N_FRAMES {
        numbers.fill(number as f64);
        let row = row_of(&numbers);
        let pushed = recorder.push_with(number, Arc::clone(&frame), &row[..8 * n_columns]);
        pushed.map_err(darkchunk_stream::Error::from)?;
    }
    recorder.finish()?;
    let ns = cpu_ns()? - start;
    drop(recorder);
    file.close()?;
    Ok(ns as f64 / 1000.0 / N_FRAMES as f64)
}

fn row_of(numbers: &[f64; N_COLUMNS]) -> [u8; 8 * N_COLUMNS] {
    let mut row = [0; 8 * N_COLUMNS];
    row.chunks_exact_mut(8).zip(numbers).for_each(|(bytes, number)| bytes.copy_from_slice(&number.to_ne_bytes()));
    row
}

/// What this thread, which does everything, has had of a processor.
fn cpu_ns() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split_whitespace().next().ok_or("schedstat is empty")?.parse()?)
}
