//! The corpus of bad chunks, `chunks/`, which `make.py` makes, and one decode by any of the six filters.
#![allow(dead_code, reason = "each test file uses a part")]

use darkchunk::chunk::Filter;
use darkchunk::codec::bitshuffle::Bitshuffle;
use darkchunk::codec::blosc::Blosc;
use darkchunk::codec::bounded::Bounded;
use darkchunk::codec::drle::Drle;
use darkchunk::codec::lz4::Lz4;
use darkchunk::codec::zstd::Zstd;
use darkchunk::codec::{ChunkLayout, Codec, DecodedSize, OpenChunk};
use darkchunk::element::{ByteOrder, ElementClass, ElementType};
use darkchunk::{Error, Exec, Result};
use serde_json::Value;
use std::path::Path;

/// One chunk of the corpus.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) format: String,
    pub(crate) filter: u32,
    /// Parameters as a caller gives them.
    pub(crate) given: Vec<u32>,
    /// As darkchunk stores them.
    pub(crate) stored: Vec<u32>,
    /// As the filter's reference implementation stores them, where there is one.
    pub(crate) reference: Option<Vec<u32>>,
    /// As earlier versions of darkchunk stored them, where they are others.
    pub(crate) earlier: Option<Vec<u32>>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) expected: Expected,
}

/// What must become of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// The right data.
    Right,
    /// An error.
    Error,
    /// It is sound, and not the dataset's: an error where the parameters carry the size, and data of another size elsewhere.
    OtherSize,
}

impl Case {
    /// Whether this is its format's sound chunk.
    pub(crate) fn is_sound(&self) -> bool {
        self.name == self.format
    }
}

/// All chunks, and the data that each dataset has.
pub(crate) fn load() -> (Vec<Case>, Vec<u8>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/chunks");
    let manifest = std::fs::read_to_string(folder.join("manifest.json")).expect("the manifest is in the repository");
    let chunks = std::fs::read(folder.join("chunks.bin")).expect("the chunks are in the repository");
    let rows: Vec<Value> = serde_json::from_str(&manifest).expect("the manifest is JSON");
    let right = std::fs::read(folder.join("right.raw")).expect("the right data is in the repository");
    (rows.iter().map(|row| case(row, &chunks)).collect(), right)
}

fn case(row: &Value, chunks: &[u8]) -> Case {
    let text = |key: &str| row[key].as_str().expect(key).to_owned();
    let number = |key: &str| row[key].as_u64().expect(key) as usize;
    let values = |key: &str| -> Option<Vec<u32>> {
        row[key].as_array().map(|values| values.iter().map(|value| value.as_u64().expect(key) as u32).collect())
    };
    Case {
        name: text("name"),
        format: text("format"),
        filter: number("filter") as u32,
        given: values("given").expect("given"),
        stored: values("stored").expect("stored"),
        reference: values("reference"),
        earlier: values("earlier"),
        bytes: chunks[number("at")..][..number("n_bytes")].to_vec(),
        expected: match &text("expected")[..] {
            "right" => Expected::Right,
            "error" => Expected::Error,
            "other size" => Expected::OtherSize,
            other => panic!("{other} is no outcome"),
        },
    }
}

/// What a plugin does with a chunk that is of an open dataset as large as the parameters say: reads its size, or the most that it can
/// have, refuses another one than the parameters', allocates that much, here full of `fill`, and decodes. Zeroed memory goes the way
/// that is for it.
pub(crate) fn decode(filter: u32, cd_values: &[u32], bytes: &[u8], fill: u8) -> Result<Vec<u8>> {
    match filter {
        Drle::FILTER_ID => decode_by::<Drle>(cd_values, bytes, fill),
        Bitshuffle::FILTER_ID => decode_by::<Bitshuffle>(cd_values, bytes, fill),
        Blosc::FILTER_ID => decode_by::<Blosc>(cd_values, bytes, fill),
        Lz4::FILTER_ID => decode_by::<Lz4>(cd_values, bytes, fill),
        Zstd::FILTER_ID => decode_by::<Zstd>(cd_values, bytes, fill),
        Bounded::FILTER_ID => decode_by::<Bounded>(cd_values, bytes, fill),
        other => Err(Error::Unsupported(format!("no filter {other}"))),
    }
}

fn decode_by<C: Codec>(cd_values: &[u32], bytes: &[u8], fill: u8) -> Result<Vec<u8>> {
    let codec = C::from_cd_values(cd_values)?;
    let chunk = codec.open(bytes)?;
    let size = chunk.decoded_size()?;
    let (DecodedSize::Exactly(n_bytes) | DecodedSize::AtMost(n_bytes)) = size;
    let check = |found| match codec.chunk_bytes().filter(|claimed| *claimed != found) {
        Some(expected) => Err(Error::WrongSize { expected, found }),
        None => Ok(()),
    };
    if let DecodedSize::Exactly(n_bytes) = size {
        check(n_bytes)?;
    }
    let mut output = vec![fill; n_bytes];
    match size {
        DecodedSize::AtMost(_) => {
            let n_bytes = chunk.decode_up_to(Exec::current(), &mut output)?;
            check(n_bytes)?;
            output.truncate(n_bytes);
        }
        DecodedSize::Exactly(_) if fill == 0 => chunk.decode_zeroed(Exec::current(), &mut output)?,
        DecodedSize::Exactly(_) => codec.decode(Exec::current(), bytes, &mut output)?,
    }
    Ok(output)
}

/// The parameters that those given become for a chunk of int16 pixels, or of as many bytes of float32.
pub(crate) fn localise(case: &Case) -> Result<Vec<u32>> {
    let int16 = ElementType { class: ElementClass::Signed, n_bytes: 2, base_bytes: 2, order: ByteOrder::Little };
    let (element, n_frames) =
        if case.format == "bounded-float" { (ElementType::float(4, false), 1) } else { (int16, 2) };
    Filter::localise(case.filter, &case.given, &ChunkLayout::new(element, vec![n_frames, 25, 31]))
}
