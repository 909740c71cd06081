//! Writes seeds for every fuzz target: `seeds OUT [REAL]`.
//!
//! They come from the golden chunks, the corpus of bad chunks and simulated frames, all small; and from the folder REAL,
//! chunks and pixels of real files as `real_chunks.py` leaves them. OUT gets a folder for each target. Where a chunk is
//! known to be sound it is decoded first, so that a seed of nothing but refusals is noticed.

use darkchunk::chunk::Filter;
use darkchunk::codec::ChunkLayout;
use darkchunk::element::{ByteOrder, ElementClass, ElementType};
use darkchunk::{Exec, Result};
use darkchunk_fuzz::seeds::{Case, Seed, of_pixels};
use darkchunk_sim::regimes;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What the fuzzer cuts its inputs to.
const MAX_INPUT_BYTES: usize = 4096;

/// The golden chunks by the beginning of their names: filter, and parameters as stored for them.
const GOLDEN: [(&str, u32, &[u32]); 29] = [
    ("drle-exceptions-uint16-le", 36114, &[20, 0, 0, 1, 3, 351, 1404]),
    ("drle-exceptions-uint16-be", 36114, &[20, 0, 0, 1, 4, 351, 1404]),
    ("drle-exceptions-int16-le", 36114, &[20, 0, 0, 2, 1, 351, 1404, 0, 2, 65_535, 65_534]),
    ("drle-int16-le", 36114, &[20, 0, 0, 1, 1, 351, 1404]),
    ("drle-int16-be", 36114, &[20, 0, 0, 1, 2, 351, 1404]),
    ("drle-uint16-le", 36114, &[20, 0, 0, 1, 3, 351, 1404]),
    ("drle-uint16-be", 36114, &[20, 0, 0, 1, 4, 351, 1404]),
    ("drle-bare", 36114, &[20, 1, 0, 1, 1, 351, 1404]),
    ("drle-packed-int16-le", 36114, &[20, 2, 0, 3, 1, 351, 1404]),
    ("drle-packed-uint16-be", 36114, &[20, 2, 0, 3, 4, 351, 1404]),
    ("bitshuffle-plain-1", 32008, &[0, 4, 1, 128, 0, 0, 1404]),
    ("bitshuffle-plain-2", 32008, &[0, 4, 2, 128, 0, 0, 1404]),
    ("bitshuffle-plain-4", 32008, &[0, 4, 4, 128, 0, 0, 1404]),
    ("bitshuffle-plain-12", 32008, &[0, 4, 12, 128, 0, 0, 1404]),
    ("bitshuffle-lz4-2", 32008, &[0, 4, 2, 128, 2, 0, 1404]),
    ("bitshuffle-lz4-4", 32008, &[0, 4, 4, 128, 2, 0, 1404]),
    ("bitshuffle-zstd-2", 32008, &[0, 4, 2, 128, 3, 3, 1404]),
    ("blosc-", 32001, &[2, 2, 2, 1392, 5, 1, 1]),
    ("lz4-one-block", 32004, &[0, 1404]),
    ("lz4-blocks", 32004, &[500, 1404]),
    ("zstd", 32015, &[3, 1404]),
    ("bounded-sparse", 36115, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 3, 13, 27, 1404, 0, 0]),
    ("bounded-exact-be", 36115, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 1, 4, 9, 20, 1440, 0, 0]),
    ("bounded-unbiased", 36115, &[2, 1, 1, 0, 0, 0, 0, 0, 1, 2, 0, 1, 4, 9, 20, 1440, 0, 0]),
    ("bounded-float-relative", 36115, &[4, 0xD2F1_A9FC, 0x3F50_624D, 0, 0, 0, 0, 0, 0, 3, 0, 1, 11, 9, 20, 2880, 0, 0]),
    ("bounded-float-absolute", 36115, &[3, 0, 0x3FE0_0000, 0, 0, 0, 0, 0, 0, 2, 0, 1, 11, 9, 20, 2880, 0, 0]),
    ("bounded-float-be", 36115, &[3, 0x47AE_147B, 0x3F84_7AE1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 12, 9, 20, 2880, 0, 0]),
    ("bounded-float-", 36115, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 1, 12, 9, 20, 2880, 0, 0]),
    ("bounded-", 36115, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 3, 9, 20, 1440, 0, 0]),
];

/// Parameters as callers give them, for every way of each filter.
const GIVEN: [(u32, &[u32]); 31] = [
    (36114, &[20]),
    (36114, &[1, 0, 0, 2, 0, 0, 0, 0, 2, 65_535, 3]),
    (36114, &[1, 0, 100]),
    (36114, &[20, 1]),
    (36114, &[1, 2]),
    (32008, &[0, 0]),
    (32008, &[0, 2]),
    (32008, &[64, 2]),
    (32008, &[0, 3, 1]),
    (32008, &[256, 3, 5]),
    (32001, &[]),
    (32001, &[0, 0, 0, 0, 5, 1, 0]),
    (32001, &[0, 0, 0, 0, 5, 2, 0]),
    (32001, &[0, 0, 0, 0, 9, 0, 0]),
    (32001, &[0, 0, 0, 0, 5, 1, 1]),
    (32001, &[0, 0, 0, 0, 1, 2, 1]),
    (32001, &[0, 0, 0, 0, 5, 0, 2]),
    (32001, &[0, 0, 0, 0, 5, 1, 3]),
    (32001, &[0, 0, 0, 0, 5, 1, 4]),
    (32001, &[0, 0, 0, 0, 5, 2, 5]),
    (32001, &[0, 0, 0, 0, 0, 1, 1]),
    (32004, &[0]),
    (32004, &[300]),
    (32015, &[1]),
    (32015, &[12]),
    (36115, &[]),
    (36115, &[1, 3]),
    (36115, &[2, 1]),
    (36115, &[3, 0x47AE_147B, 0x3F84_7AE1]),
    (36115, &[4, 0xD2F1_A9FC, 0x3F50_624D, 0, 0, 0, 0, 0, 16, 3]),
    (36115, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 3]),
];

/// Frames of one kind, as bytes.
struct Pixels {
    name: String,
    layout: ChunkLayout,
    bytes: Vec<u8>,
}

type Failure = Box<dyn std::error::Error>;

fn main() -> std::result::Result<(), Failure> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let (out, real) = match &arguments[..] {
        [out] => (out, None),
        [out, real] => (out, Some(real)),
        _ => return Err("usage: seeds OUT [REAL]".into()),
    };
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests");
    let mut writer = Writer { out: out.clone(), n_seeds: BTreeMap::new() };
    golden(&tests.join("golden"), &mut writer)?;
    listed(&tests.join("corpus/chunks"), &mut writer)?;
    for pixels in simulated() {
        encoded(&pixels, &mut writer)?;
    }
    if let Some(real) = real {
        listed(real, &mut writer)?;
        for pixels in real_pixels(real)? {
            encoded(&pixels, &mut writer)?;
        }
    }
    for (target, n_seeds) in &writer.n_seeds {
        println!("{target:20} {n_seeds:5} seeds");
    }
    Ok(())
}

struct Writer {
    out: PathBuf,
    n_seeds: BTreeMap<&'static str, usize>,
}

impl Writer {
    fn put(&mut self, name: &str, seeds: Vec<Seed>) -> std::io::Result<()> {
        let short = seeds.into_iter().filter(|seed| seed.input.len() <= MAX_INPUT_BYTES);
        for (at, Seed { target, input }) in short.enumerate() {
            let folder = self.out.join(target);
            std::fs::create_dir_all(&folder)?;
            std::fs::write(folder.join(format!("{name}-{at}")), input)?;
            *self.n_seeds.entry(target).or_default() += 1;
        }
        Ok(())
    }

    /// A chunk with its parameters as they are stored here, and as a writer stores them that does not tell the size.
    fn chunk(&mut self, name: &str, case: Case) -> std::io::Result<()> {
        let unsized_values = without_size(case.filter, &case.cd_values);
        self.put(name, case.of_chunk())?;
        let Some(cd_values) = unsized_values else { return Ok(()) };
        self.put(&format!("{name}-unsized"), Case { cd_values, ..case }.of_chunk())
    }
}

fn without_size(filter: u32, cd_values: &[u32]) -> Option<Vec<u32>> {
    match filter {
        32008 => cd_values.get(..5).map(<[u32]>::to_vec),
        32004 | 32015 => cd_values.get(..1).map(<[u32]>::to_vec),
        _ => None,
    }
}

/// The pixels of a chunk: as many bytes as the dataset's chunks have where that is known, else as chunk or parameters say.
fn decoded(case: &Case, chunk_len: Option<usize>) -> Result<Vec<u8>> {
    let codec = Filter::from_cd_values(case.filter, &case.cd_values)?;
    let mut bytes = vec![0; chunk_len.map_or_else(|| codec.decoded_len(&case.bytes), Ok)?];
    codec.decode(Exec::SCALAR, &case.bytes, &mut bytes)?;
    Ok(bytes)
}

fn golden(folder: &Path, writer: &mut Writer) -> std::result::Result<(), Failure> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let row = GOLDEN.iter().find(|(start, ..)| name.starts_with(start));
        let (_, filter, cd_values) = row.ok_or(format!("{name}: no parameters for this golden chunk"))?;
        let text = std::fs::read_to_string(&path)?;
        let digits: Vec<u8> = text.chars().filter_map(|digit| digit.to_digit(16)).map(|digit| digit as u8).collect();
        let bytes = digits.as_chunks().0.iter().map(|[high, low]| high << 4 | low).collect();
        let case = Case { filter: *filter, cd_values: cd_values.to_vec(), bytes };
        decoded(&case, None).map_err(|error| format!("{name}: {error}"))?;
        writer.chunk(&name, case)?;
    }
    Ok(())
}

fn numbers(value: &Value) -> Option<Vec<u32>> {
    value.as_array()?.iter().map(|value| value.as_u64().map(|value| value as u32)).collect()
}

/// The rows of a JSON file, each with its bytes.
fn rows(json: &Path, bytes: &Path) -> std::result::Result<Vec<(Value, Vec<u8>)>, Failure> {
    let rows: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(json)?)?;
    let all = std::fs::read(bytes)?;
    let number = |row: &Value, key: &str| row[key].as_u64().map(|value| value as usize).ok_or(key.to_owned());
    let with_bytes = |row: Value| -> std::result::Result<_, Failure> {
        let at = number(&row, "at")?;
        let bytes = all.get(at..at + number(&row, "n_bytes")?).ok_or("a row is outside of the file of bytes")?;
        Ok((row, bytes.to_vec()))
    };
    rows.into_iter().map(with_bytes).collect()
}

/// Bytes of a decoded chunk, by the dataset's type (numpy's short text for it) and the chunk's shape.
fn chunk_len(row: &Value) -> Option<usize> {
    let n_bytes: usize = row["dtype"].as_str()?.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().ok()?;
    let dims = numbers(&row["chunk"])?;
    Some(dims.iter().map(|dim| *dim as usize).product::<usize>() * n_bytes)
}

/// Stored chunks, of a folder like the corpus of bad ones.
fn listed(folder: &Path, writer: &mut Writer) -> std::result::Result<(), Failure> {
    for (row, bytes) in rows(&folder.join("manifest.json"), &folder.join("chunks.bin"))? {
        let name = row["name"].as_str().ok_or("a row without a name")?;
        let filter = row["filter"].as_u64().ok_or("a row without a filter")? as u32;
        let case = Case { filter, cd_values: numbers(&row["stored"]).ok_or("a row without parameters")?, bytes };
        if row["expected"] == "right" {
            decoded(&case, chunk_len(&row)).map_err(|error| format!("{name}: {error}"))?;
        }
        writer.chunk(name, case)?;
    }
    Ok(())
}

/// Pixels, and chunks of them, for each way of every filter that takes them.
fn encoded(pixels: &Pixels, writer: &mut Writer) -> std::result::Result<(), Failure> {
    for (filter, given) in GIVEN {
        let Ok(cd_values) = Filter::localise(filter, given, &pixels.layout) else { continue };
        let name = format!("{}-{filter}-{given:?}", pixels.name).replace([',', ' ', '[', ']'], "_");
        let codec = Filter::from_cd_values(filter, &cd_values)?;
        let mut bytes = vec![0; codec.max_encoded_len(pixels.bytes.len())];
        let Ok(n_bytes) = codec.encode(Exec::SCALAR, &pixels.bytes, &mut bytes) else { continue };
        bytes.truncate(n_bytes);
        let content = Case { filter, cd_values: cd_values.clone(), bytes: pixels.bytes.clone() };
        writer.put(&format!("{name}-pixels"), content.of_content())?;
        let case = Case { filter, cd_values, bytes };
        decoded(&case, None).map_err(|error| format!("{name}: {error}"))?;
        writer.chunk(&name, case)?;
    }
    Ok(writer.put(&pixels.name, of_pixels(pixels.layout.element.n_bytes, &pixels.bytes))?)
}

fn layout(class: ElementClass, n_bytes: usize, dims: &[u64]) -> ChunkLayout {
    let element = ElementType { class, n_bytes, base_bytes: n_bytes, order: ByteOrder::Little };
    ChunkLayout::new(element, dims.to_vec())
}

/// Frames of all kinds: small ones, whose pixels fit an input, and larger ones that fit it when encoded.
fn simulated() -> Vec<Pixels> {
    let mut all = Vec::new();
    let mut put = |name: &str, class, n_bytes, n_frames: usize, (height, width): (usize, usize), bytes: Vec<u8>| {
        let layout = layout(class, n_bytes, &[n_frames as u64, height as u64, width as u64]);
        all.push(Pixels { name: format!("{name}-{n_frames}x{height}x{width}"), layout, bytes });
    };
    let le = |pixels: Vec<i16>| pixels.iter().flat_map(|pixel| pixel.to_le_bytes()).collect::<Vec<u8>>();
    let ule = |pixels: Vec<u16>| pixels.iter().flat_map(|pixel| pixel.to_le_bytes()).collect::<Vec<u8>>();
    let wide = |pixels: Vec<u32>| pixels.iter().flat_map(|pixel| pixel.to_le_bytes()).collect::<Vec<u8>>();
    let (signed, unsigned, other) = (ElementClass::Signed, ElementClass::Unsigned, ElementClass::Other);
    let small = (23, 31);
    put("dark", signed, 2, 1, small, le(regimes::all_dark(small)));
    put("few-bright", signed, 2, 2, small, le(regimes::bright_frames(2, small, 0.0056, 1)));
    put("bright", signed, 2, 1, small, le(regimes::bright(small, 0.055, 2)));
    put("hot-rows", signed, 2, 1, small, le(regimes::hot_rows(small, 3)));
    put("photons", unsigned, 2, 1, small, ule(regimes::poisson_u16(small, 1.0, 4)));
    put("masked", unsigned, 2, 1, (23, 1060), ule(regimes::masked_photons_u16((23, 1060), 0.02, 9)));
    put("noise", unsigned, 2, 1, small, ule(regimes::noise_12bit(small, 5)));
    put("raw-camera", unsigned, 2, 1, small, ule(regimes::raw_camera(small, 0.0056, 6)));
    put("wide-photons", unsigned, 4, 1, small, wide(regimes::poisson_u32(small, 0.5, 7)));
    put("bytes", unsigned, 1, 1, small, regimes::poisson_u16(small, 2.0, 8).iter().map(|pixel| *pixel as u8).collect());
    let float = ElementClass::Float;
    let numbers = |pixels: Vec<u16>| pixels.iter().flat_map(|pixel| (f32::from(*pixel) / 7.0).to_le_bytes()).collect::<Vec<u8>>();
    put("numbers", float, 4, 1, small, numbers(regimes::noise_12bit(small, 10)));
    let records = wide(regimes::poisson_u32(small, 0.1, 9)[..690].to_vec());
    put("records", other, 12, 1, (23, 10), records);
    let large = (128, 160);
    put("dark", signed, 2, 3, large, le(regimes::all_dark(large).repeat(3)));
    put("few-bright", signed, 2, 2, large, le(regimes::bright_frames(2, large, 0.001, 10)));
    put("hot-rows", signed, 2, 1, large, le(regimes::hot_rows(large, 11)));
    put("wide-photons", unsigned, 4, 1, large, wide(regimes::poisson_u32(large, 0.002, 12)));
    all
}

/// Pieces of real frames.
fn real_pixels(folder: &Path) -> std::result::Result<Vec<Pixels>, Failure> {
    let pixels = |(row, bytes): (Value, Vec<u8>)| -> std::result::Result<Pixels, Failure> {
        let class = match row["class"].as_str() {
            Some("signed") => ElementClass::Signed,
            Some("unsigned") => ElementClass::Unsigned,
            Some("float") => ElementClass::Float,
            _ => ElementClass::Other,
        };
        let dims: Vec<u64> =
            numbers(&row["dims"]).ok_or("pixels without a shape")?.into_iter().map(u64::from).collect();
        let n_elements = dims.iter().product::<u64>() as usize;
        let name = row["name"].as_str().ok_or("pixels without a name")?.to_owned();
        Ok(Pixels { name, layout: layout(class, bytes.len() / n_elements.max(1), &dims), bytes })
    };
    rows(&folder.join("pixels.json"), &folder.join("pixels.bin"))?.into_iter().map(pixels).collect()
}
