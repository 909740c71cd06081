//! One format on one input: who runs, what is checked first, and the two races.
//!
//! Before anything is timed, every coder decodes what every other one encoded, and each result is compared with the
//! frame. In the decode race all decode the *same* chunks, made by the peer where there is one: what lies in the files.

pub mod formats;
pub mod fused;
pub mod memory;

use std::cell::RefCell;
use std::hint::black_box;

use crate::inputs::Input;
use crate::limits::ReadLoop;
use crate::peers::Coder;
use crate::pool::Pool;
use crate::report::{OURS, Row};
use crate::timing::{Budget, Contestant, Times, race};

/// Frames that are checked, and counted for the ratio.
const CHECKED_FRAMES: usize = 4;

/// Coders of one format, to be raced on one input.
pub struct Group {
    /// The format, as in the tables.
    pub name: String,
    /// Peers and ours. The first one's chunks are what all decode.
    pub coders: Vec<Coder>,
}

/// What all groups of one input share.
pub struct Arena<'a> {
    /// The input.
    pub input: &'a Input,
    /// What is encoded: the input's frames, or for DRLE those with the noise on.
    pub source: &'a Pool,
    /// Where decoders write.
    pub output: &'a RefCell<Pool>,
    /// The fastest read loop.
    pub read: ReadLoop,
    /// Time for each contestant.
    pub budget: Budget,
}

impl Group {
    /// Checks, then races encoders and decoders.
    #[must_use]
    pub fn run(mut self, arena: &Arena<'_>) -> Vec<Row> {
        let stored = self.check(arena);
        let mut rows = self.race_encoders(arena, &stored);
        rows.extend(self.race_decoders(arena, &stored));
        rows
    }

    /// Every coder's chunks through every coder's decoder; the stored bytes of each.
    fn check(&mut self, arena: &Arena<'_>) -> Vec<usize> {
        let n_frames = CHECKED_FRAMES.min(arena.input.n_distinct);
        let mut decoded = vec![0; arena.source.frame_bytes()];
        let mut stored = vec![0; self.coders.len()];
        for slot in 0..n_frames {
            for (encoder, stored) in stored.iter_mut().enumerate() {
                let chunk = encode_one(&mut self.coders[encoder], arena.source.frame(slot));
                *stored += chunk.len();
                for decoder in 0..self.coders.len() {
                    decoded.fill(0x5a);
                    (self.coders[decoder].decode)(&chunk, &mut decoded);
                    let (from, to) = (&self.coders[encoder], &self.coders[decoder]);
                    let who = || format!("{} {} by {} {}", from.by, from.level, to.by, to.level);
                    assert!(decoded == arena.input.frames.frame(slot), "{}: frame {slot}, {}", self.name, who());
                }
            }
        }
        stored.iter().map(|n_bytes| n_bytes / n_frames).collect()
    }

    fn race_encoders(&mut self, arena: &Arena<'_>, stored: &[usize]) -> Vec<Row> {
        let n_bytes = arena.source.frame_bytes();
        let longest = self.coders.iter().map(|coder| coder.max_encoded_len).max().unwrap_or(0);
        // One output for all, as warm for one as for the other.
        let chunk = RefCell::new(vec![1u8; longest]);
        let mut contestants = vec![Contestant::new(n_bytes, |slot| {
            black_box((arena.read.run)(arena.source.frame(slot)));
        })];
        for coder in &mut self.coders {
            let (chunk, encode) = (&chunk, &mut coder.encode);
            contestants.push(Contestant::new(n_bytes, move |slot| {
                black_box(encode(arena.source.frame(slot), &mut chunk.borrow_mut()));
            }));
        }
        let times = race(&mut contestants, arena.source.n_slots(), arena.budget);
        drop(contestants);
        self.rows("encode", "memory read", arena, &times, stored)
    }

    fn race_decoders(&mut self, arena: &Arena<'_>, stored: &[usize]) -> Vec<Row> {
        let n_bytes = arena.source.frame_bytes();
        let n_slots = arena.source.n_slots();
        let distinct: Vec<Vec<u8>> =
            (0..arena.input.n_distinct).map(|slot| encode_one(&mut self.coders[0], arena.source.frame(slot))).collect();
        let chunks: Vec<Vec<u8>> = (0..n_slots).map(|slot| distinct[slot % distinct.len()].clone()).collect();
        let chunks = &chunks;
        let mut contestants = vec![Contestant::new(n_bytes, |slot| {
            black_box(arena.output.borrow_mut().frame_mut(slot)).fill(black_box(0));
        })];
        for coder in &mut self.coders {
            let decode = &mut coder.decode;
            contestants.push(Contestant::new(n_bytes, move |slot| {
                decode(&chunks[slot], black_box(arena.output.borrow_mut().frame_mut(slot)));
            }));
        }
        let times = race(&mut contestants, n_slots, arena.budget);
        drop(contestants);
        self.rows("decode", "memset", arena, &times, stored)
    }

    /// `times[0]` is the limit's, the others are the coders'. Where there are threads, one thread by wall-clock time is only
    /// what they are compared with.
    fn rows(&self, direction: &str, limit: &str, arena: &Arena<'_>, times: &[Times], stored: &[usize]) -> Vec<Row> {
        let (limit_times, times) = (&times[0], &times[1..]);
        let peers = self.coders.iter().zip(times).filter(|(coder, _)| coder.by != OURS);
        let max_threads = self.coders.iter().map(|coder| coder.threads).max().unwrap_or(1);
        let of_one_thread = self.coders.iter().zip(times).find(|(coder, _)| coder.by == OURS && coder.threads == 1);
        let best_peer = peers.max_by(|(_, a), (_, b)| a.best_gb_per_s().total_cmp(&b.best_gb_per_s()));
        let row = |((coder, times), stored): ((&Coder, &Times), &usize)| {
            let is_ours = coder.by == OURS;
            let peer = best_peer.filter(|_| is_ours);
            let one_thread = of_one_thread.filter(|_| is_ours && coder.threads > 1).map(|(_, times)| times);
            let gb_per_s = times.best_gb_per_s();
            Row {
                name: format!("{} {direction}", self.name),
                input: arena.input.name.clone(),
                by: coder.by.clone(),
                level: coder.level.clone(),
                threads: coder.threads,
                gb_per_s,
                gb_per_s_median: times.median_gb_per_s(),
                ratio: Some(arena.source.frame_bytes() as f64 / *stored as f64),
                peer: peer.map(|(coder, _)| format!("{}, {}", coder.by, coder.level)),
                vs_peer: peer.map(|(_, peer)| gb_per_s / peer.best_gb_per_s()),
                vs_peer_median: peer.map(|(_, peer)| times.paired_ratio_to(peer)),
                vs_one_thread: one_thread.map(|one| (gb_per_s / one.best_gb_per_s(), times.paired_ratio_to(one))),
                limit: limit.into(),
                vs_limit: Some(gb_per_s / limit_times.best_gb_per_s()),
                vs_limit_median: Some(times.paired_ratio_to(limit_times)),
            }
        };
        let coders = self.coders.iter().zip(times).zip(stored);
        coders.filter(|((coder, _), _)| coder.threads == max_threads).map(row).collect()
    }
}

fn encode_one(coder: &mut Coder, frame: &[u8]) -> Vec<u8> {
    // Filled with a pattern: a chunk that is not written in full does not decode.
    let mut chunk = vec![0xa5; coder.max_encoded_len];
    let n_bytes = (coder.encode)(frame, &mut chunk);
    chunk.truncate(n_bytes);
    chunk
}
