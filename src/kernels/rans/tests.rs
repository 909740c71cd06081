use super::*;
use crate::cpu::Level;

fn table(weights: &[u16]) -> Frequencies {
    let mut table = [0; N_TOKENS];
    table[..weights.len()].copy_from_slice(weights);
    assert_eq!(table.iter().map(|n| u32::from(*n)).sum::<u32>(), TOTAL);
    table
}

fn tables() -> [Frequencies; 5] {
    [table(&[2048]), table(&[1, 2047]), table(&[2046, 1, 1]), table(&[500, 500, 3, 1045]), table(&[1024, 1, 1023])]
}

const N_OF: [u32; 5] = [1, 2, 3, 4, 3];

struct Numbers(u32);

impl Numbers {
    fn next(&mut self, n: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) % n
    }
}

/// Rows of symbols; every sixth pixel is masked.
fn rows(numbers: &mut Numbers, n_rows: usize, width: usize) -> Vec<Vec<u16>> {
    let mut symbol = |_| {
        let table = numbers.next(5);
        let token = numbers.next(N_OF[table as usize]);
        if numbers.next(6) == 0 { NOTHING } else { (table << 6 | token) as u16 }
    };
    (0..n_rows).map(|_| (0..width).map(&mut symbol).collect()).collect()
}

fn encoded(level: Level, n_lanes: usize, rows: &[Vec<u16>]) -> Vec<u8> {
    let mut encoder = Encoder::new(&tables());
    encoder.start(n_lanes, rows.iter().map(Vec::len).sum());
    rows.iter().rev().for_each(|row| encoder.put_row(level, row));
    encoder.finish()
}

/// The tokens of a stream, and whether it ends with the last one.
fn decoded(level: Level, n_lanes: usize, rows: &[Vec<u16>], stream: &[u8]) -> (Vec<Vec<u8>>, bool) {
    let (lanes, words) = stream.split_at(4 * n_lanes);
    let mut states = [MIN_STATE; MAX_LANES];
    states.iter_mut().zip(lanes.as_chunks().0).for_each(|(state, bytes)| *state = u32::from_le_bytes(*bytes));
    let tables = DecodingTables::new(tables().iter());
    let mut decoder = Decoder::new(&tables, n_lanes, states, words.as_chunks().0);
    let mut tokens = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        let of_row: Vec<u32> = row.iter().map(|symbol| u32::from(symbol >> 6) % 5 * TOTAL).collect();
        let masked: Vec<u8> = row.iter().map(|symbol| u8::from(*symbol == NOTHING) << (at % 8)).collect();
        let mut found = vec![99; row.len()];
        // A row without masked pixels also without a mask.
        let mask = Some(&masked[..]).filter(|mask| mask.iter().any(|masked| *masked != 0));
        decoder.tokens(level, &of_row, mask, &mut found);
        tokens.push(found);
    }
    (tokens, decoder.is_at_end())
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes, and Miri has one level")]
fn tokens_come_back_at_every_level_and_streams_are_the_same() {
    let (mut numbers, n_rows) = (Numbers(5), 30);
    for width in (1..40).chain([63, 64, 100, 257]) {
        let mut rows = rows(&mut numbers, n_rows, width);
        rows.push(vec![64; width]);
        for n_lanes in [1, 2, 4, 8, 16, 32] {
            let expected = encoded(Level::SCALAR, n_lanes, &rows);
            let token = |symbol: &u16| if *symbol == NOTHING { 0 } else { (symbol & 63) as u8 };
            let tokens: Vec<Vec<u8>> = rows.iter().map(|row| row.iter().map(token).collect()).collect();
            for level in Level::available() {
                assert!(encoded(*level, n_lanes, &rows) == expected, "{level:?} {n_lanes} lanes, {width} wide");
                let found = decoded(*level, n_lanes, &rows, &expected);
                assert!(found == (tokens.clone(), true), "{level:?} {n_lanes} lanes, {width} wide");
            }
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes, and Miri has one level")]
fn a_stream_of_anything_decodes_to_the_same_at_every_level() {
    let mut numbers = Numbers(9);
    let rows = rows(&mut numbers, 6, 70);
    for n_lanes in [4, 8, 16, 32] {
        let whole: Vec<u8> = (0..n_lanes).flat_map(|n| [numbers.next(256) as u8, 0x80, n as u8, 0x7f]).collect();
        for n_words in [0, 1, 7, 15, 16, 17, 40, 200] {
            let mut stream = whole.clone();
            stream.extend((0..2 * n_words).map(|_| numbers.next(256) as u8));
            let expected = decoded(Level::SCALAR, n_lanes, &rows, &stream);
            for level in Level::available() {
                let found = decoded(*level, n_lanes, &rows, &stream);
                assert!(found == expected, "{level:?} {n_lanes} lanes, {n_words} words");
            }
        }
    }
}

#[test]
fn a_stream_that_is_cut_does_not_end_where_its_tokens_do() {
    let mut numbers = Numbers(3);
    let rows = rows(&mut numbers, 20, 50);
    for n_lanes in [1, 8, 32] {
        let stream = encoded(Level::current(), n_lanes, &rows);
        for level in Level::available() {
            assert!(!decoded(*level, n_lanes, &rows, &stream[..stream.len() - 2]).1, "{level:?}");
        }
    }
}
