use super::{WORD, ZeroRuns};
use crate::cpu::Level;

/// Byte after byte: the runs that fill a word, as far as the last whole word and what follows it in the run.
fn expected(bytes: &[u8]) -> Vec<(usize, usize)> {
    let whole = bytes.len() - bytes.len() % WORD;
    let mut runs = Vec::new();
    let mut start = 0_usize;
    for end in 0..=whole {
        if bytes[..whole].get(end).is_none_or(|byte| *byte != 0) {
            if start.next_multiple_of(WORD) + WORD <= end {
                runs.push((start, end));
            }
            start = end + 1;
        }
    }
    runs
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes")]
fn every_run_at_every_place_is_found_at_every_level() {
    let mut runs = ZeroRuns::default();
    for &level in Level::available() {
        for n_bytes in (0..40).chain(500..540).chain(1020..1030) {
            for start in (0..n_bytes.min(20)).chain(490..n_bytes) {
                for len in [1, 6, 7, 8, 9, 55, 56, 57, 63, 64, 65, 120, 200] {
                    let mut bytes = vec![0x80; n_bytes];
                    bytes[start..(start + len).min(n_bytes)].fill(0);
                    runs.find(level, &bytes);
                    assert_eq!(
                        runs.iter(&bytes).collect::<Vec<_>>(),
                        expected(&bytes),
                        "{level:?} {n_bytes} bytes, {len} from {start}"
                    );
                }
            }
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes")]
fn many_short_runs_are_found_at_every_level() {
    let mut runs = ZeroRuns::default();
    for &level in Level::available() {
        for period in 1..40 {
            for phase in 0..period {
                let bytes: Vec<u8> = (0..1500).map(|i| u8::from(i % period == phase)).collect();
                runs.find(level, &bytes);
                assert_eq!(
                    runs.iter(&bytes).collect::<Vec<_>>(),
                    expected(&bytes),
                    "{level:?} one in {period} from {phase}"
                );
            }
        }
    }
}
