//! One chunk through a filter.
//!
//! Nothing HDF5 hands in is believed further than it must be: the pointers are checked for null, the input is what
//! `n_bytes` says (newer versions hand in a larger buffer), and a decoded chunk has a size that is the dataset's, as far as that
//! can be known (`open_datasets`). On failure 0 is returned and everything is as it was.

#![allow(unsafe_code)]

use core::ffi::{c_uint, c_void};

use darkchunk::Error;
use darkchunk::codec::{Codec, DecodedSize, OpenChunk};

use crate::buffer::{Allocator, Buffer, CAN_GROW, with_scratch};
use crate::caller::Caller;
use crate::errors;
use crate::guard::guard;
use crate::host::Host;
use crate::open_datasets::{self, Decoded, Refusal, Room};
use crate::threads::exec;
use darkchunk_hdf5_abi::constants::{H5Z_FLAG_OPTIONAL, H5Z_FLAG_REVERSE};

/// The most parameters that a file can hold for a filter: their number has 16 bits there.
const MAX_PARAMETERS: usize = u16::MAX as usize;

/// A chunk that decodes to so many times its bytes is decoded in the buffer it came in, made larger. HDF5 took that one out of
/// the memory that the last chunk left, so that the next one fits there again; elsewhere, memory would be new to the caches every
/// time, or to the process. It costs a copy of what is stored. Only if it is certain that the chunk decodes: making it larger may
/// move the buffer, and where a filter fails HDF5 1.10 frees the one it had (`H5Ocopy` of references).
const MIN_GROWTH: usize = 32;

/// A larger chunk gets new memory: it is in no cache anyhow.
const MAX_GROWN_BYTES: usize = 32 << 20;

/// The arguments of one call.
pub(crate) struct Call {
    pub(crate) flags: c_uint,
    pub(crate) cd_nelmts: usize,
    pub(crate) cd_values: *const c_uint,
    pub(crate) n_bytes: usize,
    pub(crate) buf_size: *mut usize,
    pub(crate) buf: *mut *mut c_void,
}

/// What became of a chunk.
enum Outcome<'a> {
    /// This many bytes, in a new buffer.
    Done(Buffer<'a>, usize),
    /// This many bytes, in HDF5's own.
    DoneThere(usize),
}

/// `filter`: returns the number of bytes in the new `*buf`, or 0 with nothing changed.
///
/// # Safety
/// `cd_values` is null or holds `cd_nelmts` values; `buf_size` and `buf` are null or point to HDF5's; `*buf` is null or
/// has `*buf_size` bytes that were written, allocated as HDF5 does.
pub(crate) unsafe fn run<C: Codec>(caller: Caller, call: &Call) -> usize {
    // SAFETY: as for this function.
    let done = guard(|| unsafe { pass::<C>(caller, call) });
    done.unwrap_or_else(|text| {
        // Where the filter is optional HDF5 goes on without it, and a text would be left over.
        if call.flags & H5Z_FLAG_REVERSE != 0 || call.flags & H5Z_FLAG_OPTIONAL == 0 {
            errors::push(caller, C::NAME, c"filter", &text);
        }
        0
    })
}

/// # Safety
/// As for [`run`].
unsafe fn pass<C: Codec>(caller: Caller, call: &Call) -> Result<usize, String> {
    let allocator = Allocator::of(caller)?;
    // SAFETY: as for this function.
    let values = unsafe { call.values() }?;
    // SAFETY: as for this function.
    let input = unsafe { call.input() }?;
    let codec = C::from_cd_values(values).map_err(text)?;
    let outcome = if call.flags & H5Z_FLAG_REVERSE != 0 {
        let room = |n_bytes| {
            let filter = C::FILTER_ID.cast_signed();
            open_datasets::room(caller, &Decoded { filter, values, n_bytes, claimed: codec.chunk_bytes() })
        };
        // SAFETY: as for this function; `input` is not used any more.
        unsafe { decode(&codec, call, &allocator, room) }?
    } else {
        check_size(&codec, input, || Host::of(caller).is_err())?;
        encode(&codec, input, &allocator)?
    };
    match outcome {
        Outcome::Done(output, n_bytes) => {
            // SAFETY: as for this function; `input` is not used any more.
            unsafe { call.replace(&allocator, output, n_bytes) };
            Ok(n_bytes)
        }
        Outcome::DoneThere(n_bytes) => Ok(n_bytes),
    }
}

/// Why pixels are not encoded whose element type is not known.
const INCOMPLETE: &str = "the parameters (cd_values) were not completed when the dataset was made, as this HDF5 cannot be called \
    back; give complete ones";

/// Refuses to encode what could be lost by it: pixels taken for those of another dataset, of which they are is known once parameters
/// are complete; and a chunk of another size than the parameters claim in an HDF5 that is hidden, where it would not be read again.
fn check_size<C: Codec>(codec: &C, input: &[u8], is_hidden: impl FnOnce() -> bool) -> Result<(), String> {
    let n_bytes = input.len();
    match codec.chunk_bytes() {
        Some(claimed) if claimed != n_bytes && (C::MUST_BE_FIRST || is_hidden()) => Err(format!(
            "the chunk that is to be encoded has {n_bytes} bytes, the parameters (cd_values) say {claimed}"
        )),
        None if C::MUST_BE_FIRST => Err(INCOMPLETE.to_owned()),
        _ => Ok(()),
    }
}

fn encode<'a, C: Codec>(codec: &C, input: &[u8], allocator: &'a Allocator) -> Result<Outcome<'a>, String> {
    with_scratch(codec.max_encoded_len(input.len()), |scratch| {
        let n_bytes = codec.encode(exec(), input, scratch).map_err(text)?;
        let encoded = scratch.get(..n_bytes).filter(|encoded| !encoded.is_empty());
        let encoded = encoded.ok_or("internal error: nothing was encoded")?;
        Ok(Outcome::Done(allocator.copy_of(encoded)?, n_bytes))
    })?
}

/// `room` says how much memory HDF5 may read of a chunk of a size, at least as much, or that it is the wrong size.
///
/// # Safety
/// As for [`run`].
unsafe fn decode<'a, C: Codec>(
    codec: &C,
    call: &Call,
    allocator: &'a Allocator,
    room: impl FnOnce(usize) -> Result<Room, Refusal>,
) -> Result<Outcome<'a>, String> {
    // SAFETY: as for this function.
    let input = unsafe { call.input() }?;
    let may_grow = |n_bytes| n_bytes <= MAX_GROWN_BYTES && input.len() <= n_bytes / MIN_GROWTH;
    if CAN_GROW && C::CAN_PROVE && codec.chunk_bytes().is_some_and(may_grow) {
        return with_scratch(input.len(), |stored| {
            stored.copy_from_slice(input);
            // SAFETY: as for this function; `stored` is a copy, and `input` is not used any more.
            let decode_there = |chunk: &C::Open<'_>, n_bytes| unsafe { decode_there(chunk, call, allocator, n_bytes) };
            decode_chunk(codec, stored, allocator, room, Some(decode_there))
        })?;
    }
    let elsewhere = None::<fn(&C::Open<'_>, usize) -> Result<(), String>>;
    decode_chunk(codec, input, allocator, room, elsewhere)
}

/// `decode_there`, if it is given, decodes a chunk that is proved to decode to so many bytes in HDF5's own buffer.
fn decode_chunk<'a, 'c, C: Codec>(
    codec: &'c C,
    stored: &'c [u8],
    allocator: &'a Allocator,
    room: impl FnOnce(usize) -> Result<Room, Refusal>,
    decode_there: Option<impl FnOnce(&C::Open<'c>, usize) -> Result<(), String>>,
) -> Result<Outcome<'a>, String> {
    let mut chunk = codec.open(stored).map_err(damage)?;
    let n_bytes = match chunk.decoded_size().map_err(damage)? {
        DecodedSize::Exactly(n_bytes) => n_bytes,
        DecodedSize::AtMost(max_bytes) => return decode_unsized(&chunk, max_bytes, allocator, room),
    };
    if n_bytes == 0 {
        return Err(format!("the chunk decodes to nothing{OTHERS}"));
    }
    let room = room(n_bytes).map_err(|refusal| refused(&chunk, n_bytes, &refusal))?;
    let is_exact = room == Room::exactly(n_bytes);
    if let Some(decode_there) = decode_there
        && is_exact
        && chunk.prove()
    {
        decode_there(&chunk, n_bytes)?;
        return Ok(Outcome::DoneThere(n_bytes));
    }
    let wants_zeros = C::WANTS_ZEROS || !is_exact;
    let mut output = if wants_zeros { zeroed(allocator, room)? } else { allocator.to_be_written(n_bytes)? };
    let decoded = &mut output.as_mut_slice()[..n_bytes];
    let decode = if wants_zeros { C::Open::decode_zeroed } else { C::Open::decode };
    decode(&chunk, exec(), decoded).map_err(damage)?;
    Ok(Outcome::Done(output, n_bytes))
}

/// Decodes a chunk that does not say its size, only that it is at most `max_bytes`: to memory of its own first, of which the system
/// gives as much as is written. When its size is known HDF5 gets that, or a copy if much of it is left.
fn decode_unsized<'a>(
    chunk: &impl OpenChunk,
    max_bytes: usize,
    allocator: &'a Allocator,
    room: impl FnOnce(usize) -> Result<Room, Refusal>,
) -> Result<Outcome<'a>, String> {
    let mut decoded = allocator.zeroed(max_bytes)?;
    let n_bytes = chunk.decode_up_to(exec(), decoded.as_mut_slice()).map_err(damage)?;
    if n_bytes == 0 {
        return Err(format!("the chunk decodes to nothing{OTHERS}"));
    }
    let room = room(n_bytes).map_err(|refusal| format!("{}{OTHERS}", refusal.text(n_bytes)))?;
    // Both together are no more than the blocks can hold.
    if room == Room::exactly(n_bytes) && n_bytes > max_bytes / 2 {
        return Ok(Outcome::Done(decoded, n_bytes));
    }
    let mut output = zeroed(allocator, room)?;
    output.as_mut_slice()[..n_bytes].copy_from_slice(&decoded.as_mut_slice()[..n_bytes]);
    Ok(Outcome::Done(output, n_bytes))
}

/// What is only cheaper is no reason to fail. With less than is needed HDF5 could read what is somebody's.
fn zeroed(allocator: &Allocator, room: Room) -> Result<Buffer<'_>, String> {
    allocator.zeroed(room.cheap).or_else(|_| allocator.zeroed(room.needed))
}

/// Decodes a chunk that is proved to have `n_bytes`, and is opened from a copy, in the buffer that it came in.
///
/// # Safety
/// As for [`run`]; what `input` returned is not used any more.
unsafe fn decode_there(
    chunk: &impl OpenChunk,
    call: &Call,
    allocator: &Allocator,
    n_bytes: usize,
) -> Result<(), String> {
    // SAFETY: as for this function.
    let buffer = unsafe { call.grow(allocator, n_bytes) }?;
    // SAFETY: allocated and with values, and HDF5 does not use it before the end of this call.
    let buffer = unsafe { &mut *buffer };
    chunk.decode(exec(), &mut buffer[..n_bytes]).map_err(damage)?;
    // SAFETY: checked by `input`.
    unsafe { call.buf_size.write(n_bytes) };
    Ok(())
}

fn text(error: Error) -> String {
    error.to_string()
}

/// What is so whenever a chunk is refused.
const OTHERS: &str = "; other chunks are not affected";

/// What is to be done about a chunk that is damaged.
const REMEDY: &str =
    "; `darkchunk recover` saves what is good of this one, the rest has to come from a copy of the file";

fn damage(error: Error) -> String {
    let is_damage = matches!(
        error,
        Error::Corrupt { .. } | Error::Truncated { .. } | Error::Checksum { .. } | Error::WrongSize { .. }
    );
    format!("{error}{OTHERS}{}", if is_damage { REMEDY } else { "" })
}

/// What is said of a chunk whose size is refused: that it is damaged, if it does not decode.
fn refused(chunk: &impl OpenChunk, n_bytes: usize, refusal: &Refusal) -> String {
    /// With more, the memory that it takes to find out would be more than any sound chunk takes.
    const MAX_TIMES: usize = 2;
    if n_bytes / MAX_TIMES <= refusal.expected {
        let decoded = with_scratch(n_bytes, |scratch| chunk.decode(exec(), scratch));
        if let Ok(Err(error)) = decoded {
            return damage(error);
        }
    }
    format!("{}{OTHERS}", refusal.text(n_bytes))
}

impl Call {
    /// # Safety
    /// `cd_values` is null or holds `cd_nelmts` values.
    unsafe fn values(&self) -> Result<&[u32], String> {
        if self.cd_nelmts == 0 {
            return Ok(&[]);
        }
        if self.cd_values.is_null() || self.cd_nelmts > MAX_PARAMETERS {
            return Err(format!("{} filter parameters (cd_values) cannot be read", self.cd_nelmts));
        }
        // SAFETY: not null, and the caller says that there are so many.
        Ok(unsafe { core::slice::from_raw_parts(self.cd_values, self.cd_nelmts) })
    }

    /// # Safety
    /// `buf_size` and `buf` are null or valid, and `*buf` is null or has `*buf_size` bytes.
    unsafe fn input(&self) -> Result<&[u8], String> {
        if self.buf.is_null() || self.buf_size.is_null() {
            return Err("HDF5 hands in no buffer".to_owned());
        }
        // SAFETY: not null, and the caller says that it is valid.
        let available = unsafe { *self.buf_size };
        // SAFETY: not null, and the caller says that it is valid.
        let start = unsafe { *self.buf };
        if start.is_null() || self.n_bytes == 0 || self.n_bytes > available || self.n_bytes > isize::MAX as usize {
            return Err(format!("HDF5 hands in {} bytes in a buffer of {available}", self.n_bytes));
        }
        // SAFETY: not null, and no more than the buffer has.
        Ok(unsafe { core::slice::from_raw_parts(start.cast(), self.n_bytes) })
    }

    /// Makes HDF5's buffer one of at least `n_bytes`, which have values: what was in it, then whatever there is.
    ///
    /// # Safety
    /// [`input`](Self::input) has succeeded, and what it returned is not used any more.
    unsafe fn grow(&self, allocator: &Allocator, n_bytes: usize) -> Result<*mut [u8], String> {
        // SAFETY: checked by `input`.
        let n_bytes = n_bytes.max(unsafe { *self.buf_size });
        // SAFETY: checked by `input`.
        let old = unsafe { *self.buf };
        // SAFETY: HDF5's own allocation, and nobody uses it.
        let start = unsafe { allocator.grown(old, n_bytes) }?.hand_over();
        // SAFETY: checked by `input`.
        unsafe { self.buf.write(start) };
        Ok(core::ptr::slice_from_raw_parts_mut(start.cast(), n_bytes))
    }

    /// Gives HDF5 `output` for its own buffer.
    ///
    /// # Safety
    /// [`input`](Self::input) has succeeded, and what it returned is not used any more.
    unsafe fn replace(&self, allocator: &Allocator, output: Buffer<'_>, n_bytes: usize) {
        // SAFETY: checked by `input`.
        let old = unsafe { self.buf.replace(output.hand_over()) };
        // Not more, though it may have more: `H5Ocopy` copies so many bytes to where there is room for its own size only.
        // SAFETY: checked by `input`.
        unsafe { self.buf_size.write(n_bytes) };
        // SAFETY: HDF5's own allocation, and nobody has it any more.
        unsafe { allocator.free(old) };
    }
}

#[cfg(test)]
mod tests {
    use core::ptr::null;

    use darkchunk::codec::drle::Drle;
    use darkchunk::codec::lz4::Lz4;
    use darkchunk::codec::zstd::Zstd;

    use super::*;

    const PIXELS: [u8; 1000] = [7; 1000];

    /// Decodes what `codec` made of `chunk`: all that HDF5 may read, and whether it is in HDF5's own buffer.
    fn through<C: Codec>(
        codec: &C,
        chunk: &[u8],
        room: impl FnOnce(usize) -> Result<Room, Refusal>,
    ) -> Result<(Vec<u8>, bool), String> {
        let mut stored = vec![0; codec.max_encoded_len(chunk.len())];
        let n_stored = codec.encode(exec(), chunk, &mut stored).unwrap();
        let allocator = Allocator::of(Caller::at(null())).unwrap();
        let (mut buffer, mut size) = (allocator.copy_of(&stored[..n_stored])?.hand_over(), n_stored);
        let (buf, buf_size) = (&raw mut buffer, &raw mut size);
        let call = Call { flags: H5Z_FLAG_REVERSE, cd_nelmts: 0, cd_values: null(), n_bytes: n_stored, buf_size, buf };
        // SAFETY: a buffer of this size from this allocator.
        let outcome = unsafe { decode(codec, &call, &allocator, room) };
        let decoded = outcome.map(|outcome| match outcome {
            Outcome::Done(mut output, n_bytes) => {
                assert_eq!((n_bytes, size), (chunk.len(), n_stored));
                (output.as_mut_slice().to_vec(), false)
            }
            Outcome::DoneThere(n_bytes) => {
                assert_eq!((n_bytes, size), (chunk.len(), chunk.len()));
                // SAFETY: so many bytes are there, and written.
                (unsafe { core::slice::from_raw_parts(buffer.cast(), n_bytes) }.to_vec(), true)
            }
        });
        // SAFETY: from this allocator, and not used any more.
        unsafe { allocator.free(buffer) };
        decoded
    }

    /// Decodes what LZ4 with `values` made of `PIXELS`: all that HDF5 may read.
    fn decoded(values: &[u32], room: impl FnOnce(usize) -> Result<Room, Refusal>) -> Result<Vec<u8>, String> {
        let codec = Lz4::from_cd_values(values).unwrap();
        through(&codec, &PIXELS, room).map(|(decoded, _)| decoded)
    }

    #[test]
    fn there_is_what_is_needed_where_more_cannot_be_had_and_never_less() {
        const NEVER: usize = usize::MAX / 2;
        let room = |needed, cheap| decoded(&[0], |_| Ok(Room { needed, cheap }));
        for found in [room(3000, 5000), room(3000, NEVER), room(1000, NEVER)] {
            let found = found.unwrap();
            assert!(found[..1000] == PIXELS && found[1000..].iter().all(|&byte| byte == 0));
        }
        assert_eq!(room(3000, 5000).unwrap().len(), 5000);
        assert_eq!(room(3000, NEVER).unwrap().len(), 3000);
        assert_eq!(room(NEVER, NEVER), Err(format!("no memory for {NEVER} bytes")));
    }

    /// A Zstd frame of `PIXELS`, one raw block, that does not state its size.
    fn unsized_frame() -> Vec<u8> {
        let block = (1000_u32 << 3 | 1).to_le_bytes();
        [&[0x28, 0xB5, 0x2F, 0xFD, 0, 0x50][..], &block[..3], &PIXELS].concat()
    }

    fn decoded_unsized(frame: &[u8], room: impl FnOnce(usize) -> Result<Room, Refusal>) -> Result<Vec<u8>, String> {
        let allocator = Allocator::of(Caller::at(null())).unwrap();
        let codec = Zstd::new(0);
        let chunk = codec.open(frame).unwrap();
        let Ok(DecodedSize::AtMost(max_bytes)) = chunk.decoded_size() else { panic!("it states its size") };
        decode_unsized(&chunk, max_bytes, &allocator, room).map(|outcome| match outcome {
            Outcome::Done(mut output, n_bytes) => {
                assert_eq!(n_bytes, 1000);
                output.as_mut_slice().to_vec()
            }
            Outcome::DoneThere(_) => panic!("there is no buffer of HDF5"),
        })
    }

    #[test]
    #[cfg_attr(miri, ignore = "calls C")]
    fn a_chunk_that_does_not_say_its_size_is_decoded_and_then_asked_about() {
        let frame = unsized_frame();
        assert_eq!(decoded_unsized(&frame, |n_bytes| Ok(Room::exactly(n_bytes))).unwrap(), PIXELS);
        let larger = decoded_unsized(&frame, |_| Ok(Room { needed: 3000, cheap: usize::MAX / 2 })).unwrap();
        assert!(larger.len() == 3000 && larger[..1000] == PIXELS && larger[1000..].iter().all(|&byte| byte == 0));
        let text = decoded_unsized(&frame, |_| Err(Refusal::of_parameters(900))).unwrap_err();
        assert!(text.contains("1000 bytes") && text.ends_with(OTHERS), "{text}");
        // A block of a byte that is repeated 1000 times, and one of no bytes that says it is compressed.
        let damaged = [&frame[..6], &[0xC0 | 0b010, 0x1E, 0, 7, 0b101, 0, 0]].concat();
        assert!(Zstd::new(0).open(&damaged).is_ok(), "the headers are sound");
        let damaged = decoded_unsized(&damaged, |_| panic!("asked"));
        assert!(damaged.is_err(), "damage is found before anybody is asked");
    }

    #[test]
    fn a_small_chunk_that_is_sound_is_decoded_where_it_is_and_others_elsewhere() {
        for (n_bytes, is_there) in [(100_000, CAN_GROW), (200, false), (MAX_GROWN_BYTES + 2, false)] {
            let mut chunk = vec![0; n_bytes];
            for (at, pixel) in [(7, 500_i16), (99, 1)] {
                chunk[2 * at..][..2].copy_from_slice(&pixel.to_le_bytes());
            }
            let codec = Drle::from_cd_values(&[1, 0, 0, 1, 1, n_bytes as u32 / 2, n_bytes as u32]).unwrap();
            let found = through(&codec, &chunk, |n_bytes| Ok(Room::exactly(n_bytes))).unwrap();
            assert!(found == (chunk, is_there), "{n_bytes} bytes");
        }
    }

    #[test]
    fn every_size_is_asked_about_and_the_answer_counts_not_the_parameters() {
        for values in [&[0][..], &[0, 1000], &[0, 3]] {
            let found = decoded(values, |n_bytes| {
                assert_eq!(n_bytes, 1000);
                Ok(Room::exactly(n_bytes))
            });
            assert_eq!(found.unwrap(), PIXELS, "{values:?}");
        }
    }

    #[test]
    fn another_size_than_parameters_claim_is_encoded_where_it_can_be_read_again_but_not_as_pixels() {
        let check = |is_hidden| check_size(&Lz4::from_cd_values(&[0, 900]).unwrap(), &PIXELS, || is_hidden);
        assert_eq!(check(false), Ok(()));
        let text = "the chunk that is to be encoded has 1000 bytes, the parameters (cd_values) say 900";
        assert_eq!(check(true), Err(text.to_owned()));
        let drle = |values: &[u32]| check_size(&Drle::from_cd_values(values).unwrap(), &PIXELS, || false);
        assert_eq!(drle(&[1, 0, 0, 1, 1, 500, 1000]), Ok(()));
        assert_eq!(drle(&[1, 0, 0, 1, 1, 450, 900]), Err(text.to_owned()));
        assert!(drle(&[1]).unwrap_err().contains("were not completed"));
    }

    #[test]
    fn recover_is_recommended_for_what_does_not_decode_and_for_nothing_else() {
        let refusal = Refusal::of_parameters(900);
        let text = decoded(&[0, 900], |_| Err(refusal)).unwrap_err();
        assert!(text.starts_with("the chunk decodes to 1000 bytes, the parameters (cd_values) say 900"), "{text}");
        assert!(text.ends_with(OTHERS) && !text.contains("recover"), "{text}");
        let codec = Lz4::from_cd_values(&[0, 900]).unwrap();
        // A block of one literal and a match whose length has no end.
        let cut = [&1000_u64.to_be_bytes()[..], &1000_u32.to_be_bytes(), &5_u32.to_be_bytes(), &[0x1F, 7, 1, 0, 0xFF]];
        let cut = cut.concat();
        let refused = |n_bytes| refused(&codec.open(&cut).unwrap(), n_bytes, &refusal);
        let text = refused(1000);
        assert!(text.starts_with("the chunk is cut short") && text.ends_with(REMEDY), "{text}");
        assert!(!refused(1802).contains("recover"), "not tried with so much memory");
        assert!(damage(Error::Truncated { at: 1, needed: 2, available: 0 }).ends_with(REMEDY));
        assert!(damage(Error::Unsupported("a later version".to_owned())).ends_with(OTHERS));
    }
}
