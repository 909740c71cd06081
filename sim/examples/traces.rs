//! Writes simulated traces of a digitiser, little-endian uint16, one after the other.
//! `cargo run --release -p darkchunk-sim --example traces -- TRACES SAMPLES SEED FILE`

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [n_traces, n_samples, seed, file] = arguments.as_slice() else {
        panic!("usage: traces TRACES SAMPLES SEED FILE")
    };
    let number = |text: &str| text.parse().expect("TRACES, SAMPLES and SEED are numbers");
    let samples = darkchunk_sim::traces(number(n_traces), number(n_samples), number(seed) as u64);
    std::fs::write(file, samples.iter().flat_map(|sample| sample.to_le_bytes()).collect::<Vec<_>>())
}
