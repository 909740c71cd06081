//! The talk's recording with our writer: `ours N_THREADS CASE.json FILE.h5`. Prints one line of JSON.
//!
//! The same images, the same work (dark image, threshold, sum) and the same clock as `talk.py`: from making the file to
//! its close. What the writer does by default is on: counts, NeXus groups, a flush every second. Images are pushed as an
//! array of pointers to some, as a camera's ring of buffers gives them; a chunk has as many, each its own segment.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use darkchunk::Threads;
use darkchunk::chunk::Compression;
use darkchunk_hdf5::{Dataset, File, Processing, Writer};
use serde_json::{Value, json};

/// Images that are pushed at once, and that a chunk has. The talk put 50 into an entry.
const IMAGES_PER_CHUNK: usize = 16;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [threads, case, output] = &arguments[..] else { return Err("usage: ours N_THREADS CASE.json FILE.h5".into()) };
    let threads = Threads::new(threads.parse()?);
    let case: Value = serde_json::from_str(&std::fs::read_to_string(case)?)?;
    let number = |key: &str| case[key].as_u64().ok_or(format!("the case has no {key}"));
    let (height, width) = (number("height")? as usize, number("width")? as usize);
    let images = pixels(&case["images"])?;
    let images: Vec<&[i16]> = images.chunks_exact(height * width).collect();
    let threshold = number("threshold")? as u16;
    let processing =
        Processing { dark: Some(pixels(&case["dark"])?.into()), exec: threads.into(), ..Processing::default() };
    let library = darkchunk_hdf5::load::library()?;
    let (start, cpu_start) = (Instant::now(), cpu_seconds()?);
    let file = File::create(&library, Path::new(output))?;
    let mut dataset = Dataset::new(height, width, Compression::drle(threshold));
    dataset.frames_per_chunk = IMAGES_PER_CHUNK;
    let mut writer = Writer::create(&library, file.id(), &dataset, processing)?;
    let mut left = number("n_frames")? as usize;
    let mut next = images.iter().copied().cycle();
    while left > 0 {
        let some: Vec<&[i16]> = next.by_ref().take(left.min(IMAGES_PER_CHUNK)).collect();
        writer.push_frames(&some)?;
        left -= some.len();
    }
    writer.finish()?;
    drop(writer);
    file.close()?;
    let (seconds, cpu_seconds) = (start.elapsed().as_secs_f64(), cpu_seconds()? - cpu_start);
    let file_bytes = std::fs::metadata(output)?.len();
    println!("{}", json!({ "seconds": seconds, "cpu_seconds": cpu_seconds, "file_bytes": file_bytes }));
    Ok(())
}

/// What this thread, which does everything where there is one, has had of the processor: Linux counts it in nanoseconds.
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text.split_whitespace().next().ok_or("schedstat is empty")?;
    Ok(nanoseconds.parse::<f64>()? / 1e9)
}

/// A file of little-endian pixels.
fn pixels(path: &Value) -> Result<Vec<i16>, Box<dyn Error>> {
    let bytes = std::fs::read(path.as_str().ok_or("the case names no file")?)?;
    let mut pixels = Vec::with_capacity(bytes.len() / 2);
    ask_for_huge_pages(pixels.spare_capacity_mut());
    pixels.extend(bytes.as_chunks::<2>().0.iter().map(|pixel| i16::from_le_bytes(*pixel)));
    Ok(pixels)
}

/// As numpy does on Linux for large arrays, and so for the images of the other two.
#[cfg(target_os = "linux")]
fn ask_for_huge_pages<T>(memory: &mut [T]) {
    const PAGE: usize = 4096;
    let bytes = memory.as_mut_ptr_range();
    let start = bytes.start.map_addr(|at| at.next_multiple_of(PAGE));
    let n_bytes = bytes.end.addr().saturating_sub(start.addr());
    // SAFETY: nothing but memory of this program lies between, and the advice does not change what is in it. Where the kernel
    // refuses, pages are small.
    unsafe { libc::madvise(start.cast(), n_bytes, libc::MADV_HUGEPAGE) };
}

#[cfg(not(target_os = "linux"))]
fn ask_for_huge_pages<T>(_: &mut [T]) {}
