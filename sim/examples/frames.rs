//! Prints simulated camera frames, raw and little-endian, after dark subtraction and threshold: what a recording of the
//! same camera must read back as. `cargo run --release -p darkchunk-sim --example frames -- BRIGHT SEED FRAMES`

use darkchunk_sim::Camera;
use std::io::Write;

const SHAPE: darkchunk_sim::Shape = (1024, 1024);

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [bright, seed, n_frames] = arguments.as_slice() else { panic!("usage: frames BRIGHT SEED FRAMES") };
    let bright: f64 = bright.parse().expect("BRIGHT is a fraction");
    let n_frames: usize = n_frames.parse().expect("FRAMES is a number");
    let mut camera = Camera::new(SHAPE, bright, seed.parse().expect("SEED is a number"));
    let mut frame = vec![0i16; SHAPE.0 * SHAPE.1];
    let mut bytes = Vec::with_capacity(2 * frame.len());
    let mut out = std::io::stdout().lock();
    for _ in 0..n_frames {
        camera.next_thresholded(&mut frame);
        bytes.clear();
        bytes.extend(frame.iter().flat_map(|pixel| pixel.to_le_bytes()));
        match out.write_all(&bytes) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
            other => other?,
        }
    }
    Ok(())
}
