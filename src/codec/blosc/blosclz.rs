//! BloscLZ, the compressor that Blosc brings along: an LZ77 format of the FastLZ family.
//!
//! A stream is a row of operations, each led by a control byte:
//!
//! ```text
//! 000ccccc                      c + 1 literal bytes follow (1..=32)
//! lllddddd [255 …] [n]  dddddddd   copy l + 2 bytes from the distance d + 1 (13 bits, l = 1..=6)
//! 111ddddd 255 … n  dddddddd       l = 7 + 255 + … + n: each byte of 255 says that another follows
//! lll11111 [… n] 255 DDDDDDDD DDDDDDDD   far: the distance is D + 8192 (16 bits, high byte first)
//! ```
//!
//! The first operation is always literals; the upper three bits of its control byte are a mark (1) that readers ignore.
//! The last operation of an encoded stream is literals too, because the reference decoder insists on it. Everything is
//! written in terms of checked slices: an encoder that runs out of room and a decoder that meets nonsense give `None`.

/// Shortest input that is worth trying.
const MIN_INPUT: usize = 32;
/// Literals of one operation.
const MAX_LITERALS: usize = 32;
/// The first distance that needs the far form.
const FAR: usize = 8192;
/// The largest distance.
const MAX_DISTANCE: usize = FAR + 0xFFFF;
/// Shortest copies worth an operation, near and far.
const MIN_NEAR: usize = 5;
const MIN_FAR: usize = 8;
/// No match begins in the last bytes: there is always a literal at the end.
const TAIL: usize = 12;
/// The mark in the first control byte.
const MARK: u8 = 1 << 5;

/// The table of positions that an encoder keeps between streams.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    positions: Vec<u32>,
}

impl Encoder {
    /// Encodes `src` to the front of `dst` and returns the bytes written; `None` where they do not fit.
    pub(super) fn encode(&mut self, effort: u32, src: &[u8], dst: &mut [u8]) -> Option<usize> {
        if src.len() < MIN_INPUT {
            return None;
        }
        let hash_bits = (11 + effort).min(14);
        self.positions.clear();
        self.positions.resize(1 << hash_bits, 0);
        let mut out = Output { dst, at: 0 };
        let mut anchor = 0;
        // The first byte is always a literal: the first operation has to be.
        let mut search = Search { src, positions: &mut self.positions, shift: 32 - hash_bits, skip_bits: 4 + effort };
        while let Some(found) = search.next_match(anchor) {
            out.literals(&src[anchor..found.start])?;
            out.copy(found.len, found.distance)?;
            anchor = found.start + found.len;
            search.remember(anchor - 2);
        }
        out.literals(&src[anchor..])?;
        out.dst[0] |= MARK;
        Some(out.at)
    }
}

/// A part of the input that was there before.
struct Match {
    start: usize,
    len: usize,
    distance: usize,
}

struct Search<'a> {
    src: &'a [u8],
    positions: &'a mut [u32],
    shift: u32,
    /// After 2^skip_bits positions without a match, the search takes longer steps.
    skip_bits: u32,
}

impl Search<'_> {
    fn word(&self, at: usize) -> u32 {
        let bytes = self.src[at..at + 4].first_chunk().expect("four bytes");
        u32::from_le_bytes(*bytes)
    }

    /// Puts `at` into the table and returns what stood in its place.
    fn replace(&mut self, at: usize, word: u32) -> usize {
        let slot = (word.wrapping_mul(0x9E37_79B1) >> self.shift) as usize;
        std::mem::replace(&mut self.positions[slot], at as u32) as usize
    }

    fn remember(&mut self, at: usize) {
        if at + 4 <= self.src.len() {
            self.replace(at, self.word(at));
        }
    }

    /// The next match from `anchor` on.
    fn next_match(&mut self, anchor: usize) -> Option<Match> {
        let end = self.src.len() - TAIL;
        let mut at = anchor.max(1);
        let mut tries = 1_usize << self.skip_bits;
        while at < end {
            let word = self.word(at);
            let before = self.replace(at, word);
            if before < at && at - before <= MAX_DISTANCE && self.word(before) == word {
                let found = self.extend(anchor.max(1), before, at);
                let least = if found.distance < FAR { MIN_NEAR } else { MIN_FAR };
                if found.len >= least {
                    return Some(found);
                }
            }
            at += tries >> self.skip_bits;
            tries += 1;
        }
        None
    }

    /// The whole match around `at`, of which four bytes are known to be the same as at `before`. It leaves the last byte
    /// of the input alone.
    fn extend(&self, floor: usize, mut before: usize, mut at: usize) -> Match {
        let mut len = 4 + common_prefix(&self.src[before + 4..], &self.src[at + 4..self.src.len() - 1]);
        while at > floor && before > 0 && self.src[at - 1] == self.src[before - 1] {
            at -= 1;
            before -= 1;
            len += 1;
        }
        Match { start: at, len, distance: at - before }
    }
}

/// How many bytes at the front of `b` are those of `a`, which is longer.
fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let (words_a, words_b) = (a.as_chunks::<8>().0, b.as_chunks::<8>().0);
    for (i, (x, y)) in words_a.iter().zip(words_b).enumerate() {
        let differ = u64::from_le_bytes(*x) ^ u64::from_le_bytes(*y);
        if differ != 0 {
            return 8 * i + differ.trailing_zeros() as usize / 8;
        }
    }
    let tail = 8 * words_b.len();
    tail + a[tail..].iter().zip(&b[tail..]).take_while(|(x, y)| x == y).count()
}

struct Output<'a> {
    dst: &'a mut [u8],
    at: usize,
}

impl Output<'_> {
    fn put(&mut self, bytes: &[u8]) -> Option<()> {
        self.dst.get_mut(self.at..self.at + bytes.len())?.copy_from_slice(bytes);
        self.at += bytes.len();
        Some(())
    }

    fn literals(&mut self, bytes: &[u8]) -> Option<()> {
        for run in bytes.chunks(MAX_LITERALS) {
            self.put(&[run.len() as u8 - 1])?;
            self.put(run)?;
        }
        Some(())
    }

    fn copy(&mut self, len: usize, distance: usize) -> Option<()> {
        let is_far = distance >= FAR;
        let near = if is_far { 31 << 8 | 255 } else { distance - 1 };
        let (code, more) = if len < 9 { (len - 2, None) } else { (7, Some(len - 9)) };
        self.put(&[(code << 5 | near >> 8) as u8])?;
        if let Some(more) = more {
            let n_full = more / 255;
            self.dst.get_mut(self.at..self.at + n_full)?.fill(255);
            self.at += n_full;
            self.put(&[(more % 255) as u8])?;
        }
        self.put(&[near as u8])?;
        if is_far {
            self.put(&((distance - FAR) as u16).to_be_bytes())?;
        }
        Some(())
    }
}

/// Decodes `src` into the whole of `dst`.
pub(super) fn decode(src: &[u8], dst: &mut [u8]) -> Option<()> {
    let mut input = Input { src };
    let mut at = 0;
    let mut control = input.byte()? & 31;
    loop {
        if control < 32 {
            let literals = input.take(usize::from(control) + 1)?;
            dst.get_mut(at..at + literals.len())?.copy_from_slice(literals);
            at += literals.len();
        } else {
            let (len, distance) = input.copy(control)?;
            if len > dst.len() - at {
                return None;
            }
            repeat(dst, at.checked_sub(distance)?, at, len);
            at += len;
        }
        match input.byte() {
            Some(byte) => control = byte,
            None => return (at == dst.len()).then_some(()),
        }
    }
}

struct Input<'a> {
    src: &'a [u8],
}

impl<'a> Input<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.src.split_first()?;
        self.src = rest;
        Some(*first)
    }

    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.src.split_at_checked(n)?;
        self.src = rest;
        Some(taken)
    }

    /// The length and distance of the copy that `control` begins.
    fn copy(&mut self, control: u8) -> Option<(usize, usize)> {
        let mut len = usize::from(control >> 5) + 2;
        if len == 9 {
            loop {
                let more = self.byte()?;
                len += usize::from(more);
                if more != 255 {
                    break;
                }
            }
        }
        let near = usize::from(control & 31) << 8 | usize::from(self.byte()?);
        if near != FAR - 1 {
            return Some((len, near + 1));
        }
        let far = u16::from_be_bytes([self.byte()?, self.byte()?]);
        Some((len, FAR + usize::from(far)))
    }
}

/// Copies `len` bytes within `dst` from `from` to `to`, which lies behind it; where they overlap, the bytes repeat.
fn repeat(dst: &mut [u8], from: usize, to: usize, len: usize) {
    let distance = to - from;
    if distance == 1 {
        let byte = dst[from];
        dst[to..to + len].fill(byte);
        return;
    }
    // What has been written doubles with each step.
    let mut done = 0;
    while done < len {
        let n = (len - done).min(distance + done);
        dst.copy_within(from..from + n, to + done);
        done += n;
    }
}
