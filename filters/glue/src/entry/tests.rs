//! The filter entry as HDF5 calls it: through the pointer in the table, with buffers from `malloc`.

use core::ffi::{c_int, c_uint, c_void};

use darkchunk::codec::{
    ChunkLayout, Codec, DecodedSize, OpenChunk, bitshuffle::Bitshuffle, blosc::Blosc, drle::Drle, lz4::Lz4, zstd::Zstd,
};
use darkchunk::element::ElementType;
use darkchunk::{Error, Exec, Result};

use darkchunk_hdf5_abi::constants::{H5Z_FLAG_OPTIONAL, H5Z_FLAG_REVERSE};

const N_PIXELS: usize = 4 * 50 * 60;

/// HDF5's side of a call: its buffer, which it frees in the end.
struct Host {
    start: *mut c_void,
    buf_size: usize,
}

impl Host {
    /// A buffer of `buf_size` bytes that begins with `bytes`, the rest marked.
    fn holding(bytes: &[u8], buf_size: usize) -> Self {
        // SAFETY: any size may be asked for.
        let start = unsafe { libc::malloc(buf_size.max(1)) };
        assert!(!start.is_null());
        // SAFETY: so many bytes were allocated.
        unsafe { start.cast::<u8>().write_bytes(0xEE, buf_size) };
        // SAFETY: `bytes` fit, and the buffer is new.
        unsafe { start.cast::<u8>().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len().min(buf_size)) };
        Self { start, buf_size }
    }

    fn call<C: Codec>(&mut self, flags: c_uint, values: &[c_uint], n_bytes: usize) -> usize {
        // SAFETY: the values are as many as said, and the buffer is HDF5's as the filter expects it.
        unsafe {
            super::filter::<C>(
                flags,
                values.len(),
                values.as_ptr(),
                n_bytes,
                &raw mut self.buf_size,
                &raw mut self.start,
            )
        }
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: the buffer has `buf_size` bytes, all of them written.
        unsafe { core::slice::from_raw_parts(self.start.cast(), self.buf_size) }
    }

    /// Calls, and says that nothing has changed.
    fn fails<C: Codec>(&mut self, flags: c_uint, values: &[c_uint], n_bytes: usize) {
        let (start, before) = (self.start, self.bytes().to_vec());
        assert_eq!(self.call::<C>(flags, values, n_bytes), 0, "{} {values:?} {n_bytes}", C::NAME);
        assert_eq!(self.start, start);
        assert_eq!(self.bytes(), before);
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // SAFETY: HDF5's allocation, or what the filter gave for it.
        unsafe { libc::free(self.start) };
    }
}

fn pixels() -> Vec<u8> {
    let pixel = |i: usize| if i % 97 == 3 { (i % 4000) as i16 + 1 } else { 0 };
    (0..N_PIXELS).flat_map(|i| pixel(i).to_ne_bytes()).collect()
}

fn stored_values<C: Codec>(given: &[u32]) -> Vec<u32> {
    let layout = ChunkLayout::new(ElementType::I16, vec![4, 50, 60]);
    C::localise(given, &layout).unwrap()
}

/// Runs a test with each codec.
macro_rules! for_every_codec {
    ($test:ident) => {
        $test::<Drle>(&stored_values::<Drle>(&[1]));
        $test::<Drle>(&stored_values::<Drle>(&[1, 1]));
        $test::<Bitshuffle>(&stored_values::<Bitshuffle>(&[0, 0]));
        $test::<Bitshuffle>(&stored_values::<Bitshuffle>(&[0, 2]));
        $test::<Bitshuffle>(&stored_values::<Bitshuffle>(&[0, 3, 1]));
        $test::<Blosc>(&stored_values::<Blosc>(&[5, 1, 1]));
        $test::<Lz4>(&stored_values::<Lz4>(&[]));
        $test::<Zstd>(&stored_values::<Zstd>(&[1]));
        // As earlier versions stored them.
        $test::<Zstd>(&[1, 2 * N_PIXELS as u32]);
    };
}

fn a_chunk_goes_in_and_comes_out<C: Codec>(values: &[u32]) {
    let pixels = pixels();
    // Newer versions of HDF5 hand in a buffer that is larger than the bytes in it.
    for spare in [0, 1, 4096] {
        let mut host = Host::holding(&pixels, pixels.len() + spare);
        let n_stored = host.call::<C>(0, values, pixels.len());
        assert!(n_stored > 0 && n_stored <= pixels.len() && host.buf_size == n_stored, "{} {values:?}", C::NAME);
        let mut reader = Host::holding(&host.bytes()[..n_stored], n_stored + spare);
        assert_eq!(reader.call::<C>(H5Z_FLAG_REVERSE, values, n_stored), pixels.len(), "{} {values:?}", C::NAME);
        assert!(reader.bytes()[..pixels.len()] == pixels, "{} {values:?}", C::NAME);
    }
}

#[test]
fn every_codec_round_trips_in_buffers_that_are_larger_than_their_content() {
    for_every_codec!(a_chunk_goes_in_and_comes_out);
}

#[test]
fn several_threads_may_be_in_the_filters_at_once() {
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for_every_codec!(a_chunk_goes_in_and_comes_out);
            });
        }
    });
}

fn refused_calls_change_nothing<C: Codec>(values: &[u32]) {
    let pixels = pixels();
    let mut host = Host::holding(&pixels, pixels.len());
    let has_size = values.contains(&(pixels.len() as u32));
    if has_size {
        host.fails::<C>(0, values, pixels.len() - 2);
    }
    host.fails::<C>(0, values, 0);
    host.fails::<C>(0, values, pixels.len() + 1);
    host.fails::<C>(0, values, usize::MAX);
    host.fails::<C>(H5Z_FLAG_REVERSE, values, 1);
    host.call::<C>(0, values, pixels.len());
    let n_stored = host.buf_size;
    host.fails::<C>(H5Z_FLAG_REVERSE, values, n_stored - 1);
    if has_size {
        let mut other_size = values.to_vec();
        *other_size.iter_mut().find(|value| **value == pixels.len() as u32).unwrap() += 2;
        host.fails::<C>(H5Z_FLAG_REVERSE, &other_size, n_stored);
    }
    assert_eq!(host.call::<C>(H5Z_FLAG_REVERSE, values, n_stored), pixels.len());
}

#[test]
fn on_failure_the_buffer_is_as_it_was() {
    for_every_codec!(refused_calls_change_nothing);
}

fn any_parameters_end_well<C: Codec>(values: &[u32]) {
    let pixels = pixels();
    let mut stored = Host::holding(&pixels, pixels.len());
    stored.call::<C>(0, values, pixels.len());
    for n_values in 0..=20 {
        for filler in [0, 1, 2, 7, 64, u32::MAX, 1 << 31] {
            let mut changed = values.to_vec();
            changed.resize(n_values, filler);
            for flags in [0, H5Z_FLAG_REVERSE, H5Z_FLAG_OPTIONAL] {
                let bytes = if flags == H5Z_FLAG_REVERSE { stored.bytes() } else { &pixels };
                let mut host = Host::holding(bytes, bytes.len());
                let n_bytes = host.call::<C>(flags, &changed, bytes.len());
                assert!(n_bytes == 0 || n_bytes <= host.buf_size, "{} {changed:?}", C::NAME);
            }
        }
    }
}

#[test]
fn parameters_of_any_length_are_used_or_refused() {
    for_every_codec!(any_parameters_end_well);
}

/// The scratch memory is dirty with an earlier chunk: it must not show.
fn what_was_encoded_before_does_not_show<C: Codec>(values: &[u32]) {
    let pixels = pixels();
    let mut noise: Vec<u8> = (0..pixels.len()).map(|i| (i * i % 251) as u8 & 0x7F).collect();
    let encode = |bytes: &[u8]| {
        let mut host = Host::holding(bytes, bytes.len());
        let n_stored = host.call::<C>(0, values, bytes.len());
        host.bytes()[..n_stored].to_vec()
    };
    let first = encode(&pixels);
    noise.iter_mut().skip(1).step_by(2).for_each(|byte| *byte |= 1);
    assert!(!encode(&noise).is_empty());
    assert!(encode(&pixels) == first, "{} {values:?}", C::NAME);
}

#[test]
fn equal_chunks_are_stored_equal() {
    for_every_codec!(what_was_encoded_before_does_not_show);
}

#[test]
fn pixels_of_an_unknown_type_are_not_encoded() {
    let pixels = pixels();
    Host::holding(&pixels, pixels.len()).fails::<Drle>(0, &[1], pixels.len());
    let mut known = Host::holding(&pixels, pixels.len());
    assert!(known.call::<Drle>(0, &stored_values::<Drle>(&[1]), pixels.len()) > 0);
    let n_stored = known.buf_size;
    assert_eq!(known.call::<Drle>(H5Z_FLAG_REVERSE, &[1], n_stored), pixels.len(), "a container knows its type");
}

#[test]
fn nulls_are_refused() {
    let values = stored_values::<Lz4>(&[]);
    let (mut size, mut start) = (10, core::ptr::null_mut());
    // SAFETY: what is null is refused before it is used.
    let n_bytes = unsafe { super::filter::<Lz4>(0, 2, values.as_ptr(), 10, &raw mut size, &raw mut start) };
    assert_eq!((n_bytes, size, start), (0, 10, core::ptr::null_mut()));
    // SAFETY: what is null is refused before it is used.
    let n_bytes = unsafe { super::filter::<Lz4>(0, 2, core::ptr::null(), 10, &raw mut size, core::ptr::null_mut()) };
    assert_eq!(n_bytes, 0);
    let mut host = Host::holding(&[1; 10], 10);
    // SAFETY: what is null is refused before it is used.
    let n_bytes =
        unsafe { super::filter::<Lz4>(0, 2, core::ptr::null(), 10, &raw mut host.buf_size, &raw mut host.start) };
    assert_eq!((n_bytes, host.bytes()), (0, &[1; 10][..]));
    // SAFETY: the number is refused before the values are read.
    let n_bytes = unsafe {
        super::filter::<Lz4>(0, usize::MAX, values.as_ptr(), 10, &raw mut host.buf_size, &raw mut host.start)
    };
    assert_eq!((n_bytes, host.bytes()), (0, &[1; 10][..]));
}

/// Parallel HDF5 before 1.14 loses the mark of a chunk that is stored without its filter.
#[test]
fn what_does_not_shrink_is_stored_by_the_filter_itself_also_where_it_is_optional() {
    let mut state = 1_u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    let noise: Vec<u8> = (0..2 * N_PIXELS).map(|_| random()).collect();
    // A length before each block, and one byte for 255 before literals; 34 and 4 bytes for 8 KiB.
    let more = |header, n_blocks, per_block| noise.len() + header + n_blocks * per_block;
    let stored_len = |encode: &dyn Fn(&mut Host, c_uint) -> usize| {
        [0, H5Z_FLAG_OPTIONAL].map(|flags| encode(&mut Host::holding(&noise, noise.len()), flags))
    };
    let n_blocks = noise.len().div_ceil(8192);
    let blosc = stored_values::<Blosc>(&[5, 1, 1]);
    let found = stored_len(&|host, flags| host.call::<Blosc>(flags, &blosc, noise.len()));
    assert_eq!(found, [more(16, 0, 0); 2]);
    let lz4 = stored_values::<Lz4>(&[]);
    assert_eq!(stored_len(&|host, flags| host.call::<Lz4>(flags, &lz4, noise.len())), [more(12, 1, 4); 2]);
    let bitshuffle = stored_values::<Bitshuffle>(&[]);
    let [mandatory, optional] = stored_len(&|host, flags| host.call::<Bitshuffle>(flags, &bitshuffle, noise.len()));
    assert!(mandatory == optional && (noise.len()..=more(12, n_blocks, 4 + 34)).contains(&optional), "{optional}");
    let zstd = stored_values::<Zstd>(&[]);
    let [mandatory, optional] = stored_len(&|host, flags| host.call::<Zstd>(flags, &zstd, noise.len()));
    assert!(mandatory == optional && (noise.len()..=more(18, 1, 3)).contains(&optional), "{optional}");
}

/// A codec that fails in the worst way.
struct Panics;

impl Codec for Panics {
    const FILTER_ID: u32 = 300;
    const SHORT_NAME: &'static str = Self::NAME;
    const NAME: &'static str = "panics";

    type Open<'a> = OpenPanics;

    fn localise(_: &[u32], _: &ChunkLayout) -> Result<Vec<u32>> {
        panic!("in localise")
    }

    fn from_cd_values(_: &[u32]) -> Result<Self> {
        Ok(Self)
    }

    fn chunk_bytes(&self) -> Option<usize> {
        None
    }

    fn max_encoded_len(&self, n_bytes: usize) -> usize {
        n_bytes
    }

    fn encode(&self, _: Exec, _: &[u8], _: &mut [u8]) -> Result<usize> {
        panic!("in encode")
    }

    fn open<'a>(&'a self, src: &'a [u8]) -> Result<OpenPanics> {
        if src.len() == 1 { Err(Error::Unsupported("one byte".to_owned())) } else { Ok(OpenPanics(2 * src.len())) }
    }
}

struct OpenPanics(usize);

impl OpenChunk for OpenPanics {
    fn decoded_size(&self) -> Result<DecodedSize> {
        Ok(DecodedSize::Exactly(self.0))
    }

    fn decode(&self, _: Exec, _: &mut [u8]) -> Result<()> {
        panic!("in decode")
    }
}

#[test]
fn a_panic_is_a_failure_like_any_other() {
    crate::prepare();
    let mut host = Host::holding(&[3; 64], 64);
    for flags in [0, H5Z_FLAG_OPTIONAL, H5Z_FLAG_REVERSE] {
        host.fails::<Panics>(flags, &[], 64);
    }
    host.fails::<Panics>(H5Z_FLAG_REVERSE, &[], 1);
}

#[test]
fn without_a_known_caller_set_local_leaves_everything_alone() {
    // SAFETY: the identifiers are not used, as this test is no HDF5.
    let status: c_int = unsafe { super::set_local::<Panics>(1, 2, 3) };
    assert_eq!(status, 0);
}

mod threads;
