//! Tables of the entropy coder: made from counts, stored, read.

use super::numbers;
use crate::codec::cursor::Cursor;
use crate::kernels::rans::{Frequencies, N_TOKENS, TOTAL};
use crate::{Error, Result};

/// How often each token comes.
pub(crate) type Counts = [u32; N_TOKENS];

/// Tables of a model at most.
pub(crate) const MAX_TABLES: usize = 16;

/// What a token costs in the table that is stored, in 1/65536 bit.
const COST_OF_ENTRY: u64 = 7 << 16;

/// 65536 · log2(n), in integers, so that every machine decides the same.
pub(crate) fn log2(n: u32) -> u64 {
    if n < 2 {
        return 0;
    }
    let octave = n.ilog2();
    // Between 1 and 2, in 1/2^31; squaring doubles the logarithm.
    let mut x = u64::from(n) << (31 - octave);
    let mut log = u64::from(octave) << 16;
    for bit in (6..16).rev() {
        x = (x * x) >> 31;
        if x >= 1 << 32 {
            x >>= 1;
            log |= 1 << bit;
        }
    }
    log
}

/// What the tokens cost with a table of their own, the table included, in 1/65536 bit.
fn cost(counts: &Counts) -> u64 {
    let total = counts.iter().fold(0, |sum: u32, n| sum.saturating_add(*n));
    let whole = log2(total);
    let of_token = |n: &u32| if *n == 0 { 0 } else { u64::from(*n) * whole.saturating_sub(log2(*n)) + COST_OF_ENTRY };
    counts.iter().map(of_token).sum()
}

fn merged(a: &Counts, b: &Counts) -> Counts {
    let mut sum = *a;
    sum.iter_mut().zip(b).for_each(|(to, n)| *to = to.saturating_add(*n));
    sum
}

/// Classes that follow each other and share a table.
struct Cluster {
    first: usize,
    counts: Counts,
    cost: u64,
    /// What is saved if it takes in the next one; negative where it costs.
    gain: i64,
}

/// Merges neighbouring classes until there are at most `most` and nothing is gained any more. Gives for each table its first
/// class and its counts; at least one.
pub(crate) fn cluster(classes: &[Counts], most: usize) -> Vec<(usize, Counts)> {
    let is_used = |counts: &Counts| counts.iter().any(|n| *n > 0);
    let used = classes.iter().enumerate().filter(|(_, counts)| is_used(counts));
    let mut clusters: Vec<Cluster> =
        used.map(|(first, counts)| Cluster { first, counts: *counts, cost: cost(counts), gain: 0 }).collect();
    for index in 0..clusters.len() {
        renew_gain(&mut clusters, index);
    }
    while clusters.len() > 1 {
        let last = clusters.len() - 1;
        let Some((best, gain)) =
            (0..last).map(|at| (at, clusters[at].gain)).max_by_key(|(at, gain)| (*gain, last - at))
        else {
            break;
        };
        if gain < 0 && clusters.len() <= most {
            break;
        }
        let next = clusters.remove(best + 1);
        let cluster = &mut clusters[best];
        cluster.counts = merged(&cluster.counts, &next.counts);
        cluster.cost = cost(&cluster.counts);
        renew_gain(&mut clusters, best);
        if best > 0 {
            renew_gain(&mut clusters, best - 1);
        }
    }
    if clusters.is_empty() {
        return vec![(0, [0; N_TOKENS])];
    }
    clusters.into_iter().map(|cluster| (cluster.first, cluster.counts)).collect()
}

fn renew_gain(clusters: &mut [Cluster], at: usize) {
    if let [first, next, ..] = &mut clusters[at..] {
        let together = cost(&merged(&first.counts, &next.counts));
        first.gain = (first.cost + next.cost).cast_signed() - together.cast_signed();
    }
}

/// Frequencies near to the shares of the counts: at least 1 for each token that there is. Without any, the first one has all.
pub(crate) fn frequencies(counts: &Counts) -> Frequencies {
    let total: u64 = counts.iter().map(|n| u64::from(*n)).sum();
    let mut frequencies = [0_u16; N_TOKENS];
    if total == 0 {
        frequencies[0] = TOTAL as u16;
        return frequencies;
    }
    for (to, n) in frequencies.iter_mut().zip(counts).filter(|(_, n)| **n > 0) {
        *to = ((u64::from(*n) * u64::from(TOTAL) + total / 2) / total).max(1) as u16;
    }
    let mut sum: i32 = frequencies.iter().map(|n| i32::from(*n)).sum();
    // What is too much or too little goes to the most frequent one, a part at a time.
    while sum != TOTAL as i32 {
        let Some(most) = frequencies.iter_mut().rev().max() else { break };
        let change = (TOTAL as i32 - sum).max(-(i32::from(*most) / 4).max(1));
        *most = (i32::from(*most) + change) as u16;
        sum += change;
    }
    frequencies
}

pub(crate) fn put(out: &mut Vec<u8>, frequencies: &Frequencies) {
    let n = frequencies.iter().rposition(|n| *n > 0).map_or(0, |last| last + 1);
    numbers::put(out, n as u64);
    frequencies[..n].iter().for_each(|frequency| numbers::put(out, (*frequency).into()));
}

pub(crate) fn get(cursor: &mut Cursor<'_>) -> Result<Frequencies> {
    let at = cursor.at();
    let n = numbers::get_u32(cursor)? as usize;
    let mut frequencies = [0; N_TOKENS];
    let mut sum = 0_u64;
    for frequency in
        frequencies.get_mut(..n).ok_or(Error::Corrupt { at, what: "a table has more tokens than there are" })?
    {
        let read = numbers::get_u32(cursor)?;
        sum += u64::from(read);
        *frequency = read.min(TOTAL) as u16;
    }
    if sum != u64::from(TOTAL) {
        return Err(Error::Corrupt { at, what: "the frequencies of a table do not add up to 2048" });
    }
    Ok(frequencies)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(of: &[u32]) -> Counts {
        let mut counts = [0; N_TOKENS];
        counts[..of.len()].copy_from_slice(of);
        counts
    }

    #[test]
    fn the_logarithm_is_near_enough() {
        for n in [1, 2, 3, 5, 1000, 65_535, 1 << 20, u32::MAX] {
            let expected = f64::from(n).log2();
            assert!((log2(n) as f64 / 65_536.0 - expected).abs() < 0.01, "{n}");
        }
    }

    #[test]
    fn frequencies_add_up_and_no_token_is_left_out() {
        let all = counts(&[1; N_TOKENS]);
        let rare = counts(&[1, 1, 1, 1, u32::MAX, 0, 3]);
        let many = {
            let mut many = [1; N_TOKENS];
            many[7] = 1_000_000;
            many
        };
        for counts in [counts(&[]), counts(&[9]), counts(&[1, 1_000_000]), all, rare, many] {
            let frequencies = frequencies(&counts);
            assert_eq!(frequencies.iter().map(|n| u32::from(*n)).sum::<u32>(), TOTAL);
            assert!(frequencies.iter().zip(&counts).all(|(frequency, n)| *n == 0 || *frequency > 0));
            let mut bytes = Vec::new();
            put(&mut bytes, &frequencies);
            assert_eq!(get(&mut Cursor::new(&bytes)), Ok(frequencies));
        }
    }

    #[test]
    fn tables_that_do_not_add_up_are_refused() {
        for bytes in [&[1, 5][..], &[53], &[0], &[2, 0xff, 0x0f, 2]] {
            assert!(get(&mut Cursor::new(bytes)).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn classes_alike_share_a_table_and_others_do_not() {
        let (a, b) = (counts(&[1000, 10]), counts(&[10, 1000]));
        let clusters = cluster(&[a, counts(&[]), a, b, b, b], MAX_TABLES);
        assert_eq!(clusters.iter().map(|(first, _)| *first).collect::<Vec<_>>(), [0, 3]);
        assert_eq!(clusters[1].1, counts(&[30, 3000]));
        let different: Vec<Counts> = (0..40)
            .map(|at| {
                let mut one = counts(&[]);
                one[at] = 100_000;
                one
            })
            .collect();
        assert_eq!(cluster(&different, MAX_TABLES).len(), MAX_TABLES);
        assert_eq!(cluster(&[counts(&[])], MAX_TABLES).len(), 1);
    }
}
