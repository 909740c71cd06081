//! What the fuzz targets do; a target is a name and one line.
//!
//! Each input is a set of [filter parameters](parameters) and bytes. [`seeds`] writes such inputs from chunks and pixels.

pub mod bounded;
pub mod entry;
pub mod parameters;
pub mod references;
pub mod seeds;

use arbitrary::{Result, Unstructured};
use darkchunk::codec::bounded::Bounded;
use darkchunk::codec::drle::Drle;
use darkchunk::codec::{Codec, DecodedSize, OpenChunk};
use darkchunk::cpu::Level;
use darkchunk::pipeline::{Pipeline, Step};
use darkchunk::salvage::Verdict;
use darkchunk::salvage::scan::Scan;
use darkchunk::{Exec, Threads};
use parameters::Parameters;

/// Larger outputs are left out: they cost time and show nothing that small ones do not.
const MAX_DECODED_BYTES: usize = 1 << 22;

/// The most content of a codec whose parameters do not say how much it is.
const MAX_CONTENT_BYTES: usize = 20_000;

/// Three, however small the parts are.
fn threads() -> Threads {
    Threads::new(3).with_min_bytes(1)
}

/// Any bytes to any parameters: an error, or all of the output, the same whatever was in it before and with any number of
/// threads.
pub fn decode<C: Codec>(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let Ok(parameters) = Parameters::arbitrary_for::<C>(&mut u) else { return };
    let Ok(codec) = C::from_cd_values(&parameters.cd_values) else { return };
    let chunk = u.take_rest();
    let Ok(mut open) = codec.open(chunk) else { return };
    let n_bytes = match open.decoded_size() {
        Ok(DecodedSize::Exactly(n_bytes)) if n_bytes <= MAX_DECODED_BYTES => n_bytes,
        Ok(DecodedSize::AtMost(max)) if max <= MAX_DECODED_BYTES => match decode_unsized(&open, max) {
            Some(n_bytes) => n_bytes,
            None => return,
        },
        _ => return,
    };
    let decode = |level: Level, fill| {
        let mut decoded = vec![fill; n_bytes];
        codec.decode(level.into(), chunk, &mut decoded).map(|()| decoded)
    };
    // One that is proved, where it can be: by other means than the above.
    let is_proved = open.prove();
    let into_zeros = |level: Level| {
        let mut decoded = vec![0; n_bytes];
        open.decode_zeroed(level.into(), &mut decoded).map(|()| decoded)
    };
    let first = decode(Level::SCALAR, 0x00);
    assert!(first.is_ok() || !is_proved, "a chunk that is proved does not decode: {first:?}");
    for &level in Level::available() {
        let again = decode(level, 0xff);
        for again in [again, into_zeros(level)] {
            assert_eq!(first.is_ok(), again.is_ok(), "{level:?}: {first:?} {again:?}");
            if let (Ok(first), Ok(again)) = (&first, &again) {
                assert!(first == again, "{level:?}: the output depends on the level or on what was there");
            }
        }
    }
    let mut decoded = vec![0x55; n_bytes];
    let by_threads = codec.decode(threads().into(), chunk, &mut decoded).map(|()| decoded);
    assert!(by_threads == decode(Level::current(), 0xff), "threads see other data or another error: {by_threads:?}");
}

/// Decodes a chunk that does not say its size, by every level and whatever was in the output before. Returns its size.
fn decode_unsized(chunk: &impl OpenChunk, max: usize) -> Option<usize> {
    let decode = |level: Level, fill| {
        let mut decoded = vec![fill; max];
        let n_bytes = chunk.decode_up_to(level.into(), &mut decoded).ok()?;
        decoded.truncate(n_bytes);
        Some(decoded)
    };
    let first = decode(Level::SCALAR, 0x00);
    for &level in Level::available() {
        assert!(decode(level, 0xff) == first, "{level:?}: the output depends on the level or on what was there");
    }
    first.map(|decoded| decoded.len())
}

/// Pixels or bytes to be encoded: as they come, or mostly zero with the input scattered in it.
fn content(u: &mut Unstructured<'_>, n_bytes: usize) -> Result<Vec<u8>> {
    let is_sparse = u.arbitrary()?;
    let stride = if is_sparse { u.int_in_range(1..=200)? } else { 1 };
    let mut content = vec![0; n_bytes];
    let mut at = 0;
    while at < n_bytes && !u.is_empty() {
        content[at] = u.arbitrary()?;
        at += stride;
    }
    Ok(content)
}

/// What `C` encodes: parameters it made itself, and the chunk.
fn encoding_case<C: Codec>(data: &[u8]) -> Option<(C, Vec<u8>)> {
    let mut u = Unstructured::new(data);
    let parameters = Parameters::arbitrary_for::<C>(&mut u).ok()?;
    let codec = C::from_cd_values(&parameters.cd_values).ok()?;
    let n_bytes = match codec.chunk_bytes() {
        Some(n_bytes) => n_bytes,
        None => u.int_in_range(1..=MAX_CONTENT_BYTES).ok()?,
    };
    (n_bytes <= MAX_DECODED_BYTES).then_some(())?;
    Some((codec, content(&mut u, n_bytes).ok()?))
}

/// Encodes and decodes: nothing is lost, but for what DRLE's threshold takes, which a second time takes nothing more, and what the
/// bounded codec may be off.
pub fn round_trip<C: Codec>(data: &[u8]) {
    let Some((codec, content)) = encoding_case::<C>(data) else { return };
    let Some((chunk, once)) = through(&codec, &content) else { return };
    match C::FILTER_ID {
        Drle::FILTER_ID => {
            let (_, twice) = through(&codec, &once).expect("what was decoded can be encoded");
            assert!(once == twice, "a second threshold took more");
        }
        Bounded::FILTER_ID => bounded::assert_kept(&chunk, &content, &once),
        _ => assert!(once == content, "what was decoded is not what was encoded"),
    }
}

/// The chunk, and what it decodes to.
fn through<C: Codec>(codec: &C, content: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut chunk = vec![0xee; codec.max_encoded_len(content.len())];
    let n_bytes = codec.encode(Exec::current(), content, &mut chunk).ok()?;
    chunk.truncate(n_bytes);
    assert_eq!(codec.decoded_len(&chunk).expect("the header of an encoded chunk"), content.len());
    let mut decoded = vec![0xdd; content.len()];
    codec.decode(Exec::current(), &chunk, &mut decoded).expect("an encoded chunk");
    Some((chunk, decoded))
}

/// Every level encodes to the same bytes, or refuses with the same error, and so does any number of threads.
pub fn levels<C: Codec>(data: &[u8]) {
    let Some((codec, content)) = encoding_case::<C>(data) else { return };
    let encode = |exec: Exec, fill| {
        let mut chunk = vec![fill; codec.max_encoded_len(content.len())];
        let n_bytes = codec.encode(exec, &content, &mut chunk)?;
        chunk.truncate(n_bytes);
        Ok::<_, darkchunk::Error>(chunk)
    };
    let first = encode(Exec::SCALAR, 0x00);
    for &level in Level::available() {
        assert!(encode(level.into(), 0xff) == first, "{level:?} differs from scalar");
    }
    assert!(encode(threads().into(), 0x55) == first, "threads differ from one");
}

/// What is to be salvaged: the filters, the chunk's mask, a stored chunk, and how much it should decode to.
pub(crate) struct SalvageCase {
    pipeline: Pipeline,
    mask: u32,
    n_bytes: usize,
    pub(crate) chunk: Vec<u8>,
}

fn salvage_case<C: Codec>(data: &[u8]) -> Option<SalvageCase> {
    let mut u = Unstructured::new(data);
    let parameters = Parameters::arbitrary_for::<C>(&mut u).ok()?;
    let codec = C::from_cd_values(&parameters.cd_values).ok()?;
    let n_bytes = codec.chunk_bytes().or_else(|| u.int_in_range(0..=MAX_CONTENT_BYTES).ok());
    let n_bytes = n_bytes.filter(|n_bytes| *n_bytes <= MAX_DECODED_BYTES)?;
    let around: u8 = u.arbitrary().ok()?;
    let pipeline = pipeline::<C>(around, &parameters.cd_values)?;
    let mask = if around & 0x80 == 0 { 0 } else { u.arbitrary().ok()? };
    let chunk = damaged(&pipeline, n_bytes, &mut u).unwrap_or_else(|| u.take_rest().to_vec());
    Some(SalvageCase { pipeline, mask, n_bytes, chunk })
}

/// The codec, and what `around` says before and after it, gzip at the end: nothing where it is 0.
fn pipeline<C: Codec>(around: u8, cd_values: &[u32]) -> Option<Pipeline> {
    const SHUFFLE: (u32, &[u32]) = (2, &[2]);
    const FLETCHER32: (u32, &[u32]) = (3, &[]);
    const UNKNOWN: (u32, &[u32]) = (6, &[]);
    let others = |bits: u8| match bits & 7 {
        1 => vec![SHUFFLE],
        2 => vec![FLETCHER32],
        3 => vec![SHUFFLE, FLETCHER32],
        4 => vec![FLETCHER32, SHUFFLE],
        5 => vec![(2, &[3][..])],
        6 => vec![UNKNOWN],
        7 => vec![(C::FILTER_ID, cd_values)],
        _ => Vec::new(),
    };
    let gzip: &[(u32, &[u32])] = if around & 0x40 == 0 { &[] } else { &[(1, &[1])] };
    let filters = [&others(around)[..], &[(C::FILTER_ID, cd_values)], &others(around >> 3), gzip].concat();
    Pipeline::new(filters).ok()
}

/// Salvages any bytes, or a sound chunk with damage: the output is all decoded or filled, whatever was in it before.
pub fn salvage<C: Codec>(data: &[u8]) {
    let Some(SalvageCase { pipeline, mask, n_bytes, chunk }) = salvage_case::<C>(data) else { return };
    let salvaged = |level, before| {
        let mut dst = vec![before; n_bytes];
        let verdict = darkchunk::salvage::salvage(level, &pipeline, mask, &chunk, &[0x5a], &mut dst);
        let damage = verdict.damage();
        assert!(damage.iter().all(|damage| dst[damage.lost.clone()].iter().all(|byte| *byte == 0x5a)), "not filled");
        let is_written = !matches!(verdict, Verdict::NotExamined(_)) && !pipeline.steps().iter().any(is_unknown);
        (damage.iter().map(|damage| damage.lost.clone()).collect::<Vec<_>>(), is_written.then_some(dst))
    };
    let first = salvaged(Level::SCALAR, 0x00);
    for &level in Level::available() {
        assert!(salvaged(level, 0xff) == first, "{level:?}: what is saved depends on the level or on what was there");
    }
}

/// Looks for DRLE containers in any bytes: a frame that is found decodes.
pub fn scan(data: &[u8]) {
    let mut scan = Scan::new(data);
    while let Some(found) = scan.next_container().expect("memory can be read") {
        for frame in found.frames().flatten().filter(|frame| 2 * frame.n_pixels() <= MAX_DECODED_BYTES) {
            let (codec, chunk) = (Drle::new(1).expect("a threshold"), frame.to_container().expect("memory"));
            codec
                .decode(Exec::current(), &chunk, &mut vec![0; 2 * frame.n_pixels()])
                .expect("a frame that is proved decodes");
        }
    }
}

fn is_unknown(step: &Step) -> bool {
    matches!(step, Step::Other { .. })
}

/// A chunk that was encoded, with some bytes changed, and perhaps cut.
fn damaged(pipeline: &Pipeline, n_bytes: usize, u: &mut Unstructured<'_>) -> Option<Vec<u8>> {
    if u.ratio(1, 4).ok()? {
        return None;
    }
    let n_changes = u.int_in_range(0..=8).ok()?;
    let changes: Vec<(u32, u8)> = (0..n_changes).map(|_| u.arbitrary()).collect::<Result<_>>().ok()?;
    let cut: u16 = if u.ratio(1, 4).ok()? { u.arbitrary().ok()? } else { 0 };
    let content = content(u, n_bytes).ok()?;
    let mut chunk = pipeline.encode(Exec::current(), &content).ok()?;
    chunk.truncate(chunk.len().saturating_sub(cut.into()));
    let n_bytes = chunk.len().max(1);
    for (at, value) in changes {
        chunk.get_mut(at as usize % n_bytes).into_iter().for_each(|byte| *byte ^= value);
    }
    Some(chunk)
}

/// Calls a function for the codec that the first byte of the input names, with the rest of it. `None` where there is no
/// first byte.
#[macro_export]
macro_rules! for_one_codec {
    ($data:expr, $run:ident) => {{
        use darkchunk::codec::{
            bitshuffle::Bitshuffle, blosc::Blosc, bounded::Bounded, drle::Drle, lz4::Lz4, zstd::Zstd,
        };
        $data.split_first().map(|(first, rest)| match first % 6 {
            0 => $run::<Drle>(rest),
            1 => $run::<Bitshuffle>(rest),
            2 => $run::<Blosc>(rest),
            3 => $run::<Lz4>(rest),
            4 => $run::<Zstd>(rest),
            _ => $run::<Bounded>(rest),
        })
    }};
}
