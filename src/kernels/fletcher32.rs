//! HDF5's Fletcher-32 checksum.
//!
//! The bytes are 16-bit words, the high byte first; an odd byte at the end is the high byte of one more. The first sum is that of
//! all words, the second that of the first sum after each word, both modulo 65535. As the carries are added back, a sum
//! is 0 only where all words are 0, and 65535 stands for every other multiple of it.
//!
//! Words are taken in rows of `LANES` words, each lane with its own two sums `a` and `b`. For `n` words in rows,
//! word `i` counts `n - i` times in the second sum. In row `r` of `R`, lane `l`, that is `LANES * (R - r) - l` times, hence
//! `LANES * b - l * a` for a lane.

/// Words a row.
const LANES: usize = 16;

/// Rows after which a lane's second sum might not fit 32 bits.
const MAX_ROWS: usize = 360;

const MODULUS: u64 = 0xffff;

/// The checksum of `bytes`, the second sum in the upper half.
#[must_use]
pub fn fletcher32(bytes: &[u8]) -> u32 {
    let mut sums = Sums::default();
    let (rows, rest) = bytes.as_chunks::<{ 2 * LANES }>();
    rows.chunks(MAX_ROWS).for_each(|rows| sums.add_rows(rows));
    let (words, odd) = rest.as_chunks::<2>();
    words.iter().for_each(|word| sums.add(u16::from_be_bytes(*word)));
    odd.iter().for_each(|byte| sums.add(u16::from_be_bytes([*byte, 0])));
    folded(sums.second) << 16 | folded(sums.first)
}

/// Both sums, reduced but for some words.
#[derive(Default)]
struct Sums {
    first: u64,
    second: u64,
}

impl Sums {
    fn add(&mut self, word: u16) {
        self.first += u64::from(word);
        self.second += self.first;
    }

    fn add_rows(&mut self, rows: &[[u8; 2 * LANES]]) {
        let (mut a, mut b) = ([0_u32; LANES], [0_u32; LANES]);
        for row in rows {
            for lane in 0..LANES {
                a[lane] += u32::from(u16::from_be_bytes([row[2 * lane], row[2 * lane + 1]]));
                b[lane] += a[lane];
            }
        }
        self.second += (rows.len() * LANES) as u64 * self.first;
        for lane in 0..LANES {
            self.first += u64::from(a[lane]);
            self.second += LANES as u64 * u64::from(b[lane]) - lane as u64 * u64::from(a[lane]);
        }
        // A number that is not 0 stays one, as in the sums with carries.
        self.first = u64::from(folded(self.first));
        self.second = u64::from(folded(self.second));
    }
}

/// Modulo 65535; 65535 in place of 0 where the sum is not 0.
fn folded(sum: u64) -> u32 {
    if sum == 0 { 0 } else { ((sum - 1) % MODULUS + 1) as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use darkchunk_sim::Rng;

    /// Word by word, carries added as they come.
    fn specification(bytes: &[u8]) -> u32 {
        let add = |a: u32, b: u32| ((a + b) & 0xffff) + ((a + b) >> 16);
        let (mut first, mut second) = (0, 0);
        for word in bytes.chunks(2) {
            let word = u16::from_be_bytes([word[0], word.get(1).copied().unwrap_or(0)]);
            first = add(first, word.into());
            second = add(second, first);
        }
        second << 16 | first
    }

    #[test]
    fn known_checksums() {
        // Of the words 0x0102 0x0304, and of 0x6162 0x6364 0x6500.
        assert_eq!(fletcher32(&[1, 2, 3, 4]), 0x0508_0406);
        assert_eq!(fletcher32(b"abcde"), 0x4ff0_29c7);
        assert_eq!(fletcher32(&[]), 0);
    }

    #[test]
    #[cfg_attr(miri, ignore = "safe code, and takes minutes")]
    fn every_length_agrees_with_the_specification() {
        let mut rng = Rng::new(3);
        let random: Vec<u8> = (0..3000).map(|_| rng.next_u64() as u8).collect();
        for bytes in [random, vec![0xff; 3000], vec![0; 3000]] {
            for n_bytes in (0..130).chain(2990..=3000) {
                assert_eq!(fletcher32(&bytes[..n_bytes]), specification(&bytes[..n_bytes]), "{n_bytes} bytes");
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "safe code, and takes minutes")]
    fn long_input_agrees_with_the_specification() {
        let mut rng = Rng::new(4);
        let random: Vec<u8> = (0..4 * 2 * LANES * MAX_ROWS + 77).map(|_| rng.next_u64() as u8).collect();
        for bytes in [vec![0xff; random.len()], random] {
            assert_eq!(fletcher32(&bytes), specification(&bytes));
        }
    }

    #[test]
    fn a_multiple_of_the_modulus_is_not_zero() {
        assert_eq!(fletcher32(&[0xff, 0xff]), 0xffff_ffff);
        assert_eq!(fletcher32(&[0xff, 0xfe, 0x00, 0x01]), 0xfffe_ffff);
    }
}
