//! The bit transpose in lanes of 16 bytes, stamped into `sse41`, `avx2` and `neon` by [`lane_kernels`].
//!
//! A lane tile is 16 groups: 128 elements in, 16 bytes of every row out. A register holds one lane of each of `LANES`
//! neighbouring tiles, and no step crosses lanes. Everything is two exchanges, done to pairs of registers:
//!
//! * `unpack`, as in the byte transpose: a byte's position `p3 p2 p1 p0` becomes `p2 p1 p0 r`, and bit `r` of the register
//!   number, in which the pair differs, becomes what `p3` was.
//! * `exchange_bits` of 8 registers is the transpose of 8x8 bits, where the 8 bytes that share a position in the
//!   registers are the matrix: 9 operations a register, where the same inside of a quadword takes 18.
//!
//! Let an element have `W` bytes (1, 2, 4, 8, 16), its number in the tile be `g3 g2 g1 g0 e2 e1 e0` (group, then element in
//! the group) and `p` be the number of a byte in it. For `W = 4`, lanes are loaded so that
//!
//! ```text
//! j = g1 g0, 8 registers for each:   register e2 g3 g2    position e1 e0 p1 p0
//! 2 rounds of unpack                 register e2 e1 e0    position p1 p0 g3 g2
//! exchange_bits                      register b2 b1 b0    position p1 p0 g3 g2
//! for each bit, the 4 of all j:      register g1 g0       position p1 p0 g3 g2
//! 2 rounds of unpack                 register p1 p0       position g3 g2 g1 g0     16 bytes of row 8p + b
//! ```
//!
//! The other sizes differ only in how the four rounds of unpack divide; 1 byte takes one more to bring `g0` round. The
//! inverse is the same steps from the rows. Elements of more than 16 bytes are done in columns of 16 bytes, the last one
//! moved back where they do not divide; other sizes below 16 are first padded to the next `W`.

/// Elements in a lane tile.
pub(super) const LANE_ELEMENTS: usize = 128;

/// Number in the lane tile of the first element that register `q` of batch `j` holds.
#[inline]
pub(super) fn first_element<const W: usize>(q: usize, j: usize) -> usize {
    if W == 1 {
        return q * 16;
    }
    let (high_of_element, high_of_group) = (q / (16 / W), q % (16 / W));
    (high_of_group * W + j) * 8 + high_of_element * (16 / W)
}

/// `transpose` and `inverse` for one instruction set: its features, lanes a register, and the module that takes blocks of
/// less than a tile. The file that calls it has the primitives.
macro_rules! lane_kernels {
    ($features:literal, $lanes:literal, $smaller:ident) => {
        use super::bit_transpose::{LANE_ELEMENTS, first_element};
        use crate::cpu::tuning::{Prefetch, Tuning};
        use crate::kernels::shuffle::byte_transpose::{pad, unpad};

        /// Groups in a tile.
        const TILE: usize = 16 * $lanes;

        /// See [`super::transpose`].
        #[target_feature(enable = $features)]
        pub(super) fn transpose(element_size: usize, src: &[u8], dst: &mut [u8]) {
            let n_groups = src.len() / (8 * element_size);
            if n_groups < TILE {
                return super::$smaller::transpose(element_size, src, dst);
            }
            let prefetch = Tuning::current().prefetch;
            for tile in (0..n_groups).step_by(TILE) {
                // The last tile is moved back so that it is whole: it repeats some of the one before.
                let group = tile.min(n_groups - TILE);
                let elements = &src[group * 8 * element_size..];
                let rows = Rows { n_groups, group, last: usize::MAX, prefetch };
                match element_size {
                    1 => transpose_tile::<1>(elements, rows, dst),
                    2 => transpose_tile::<2>(elements, rows, dst),
                    4 => transpose_tile::<4>(elements, rows, dst),
                    8 => transpose_tile::<8>(elements, rows, dst),
                    3 => transpose_padded::<4>(3, elements, rows, dst),
                    5..8 => transpose_padded::<8>(element_size, elements, rows, dst),
                    9..16 => transpose_padded::<16>(element_size, elements, rows, dst),
                    _ => {
                        for column in (0..element_size).step_by(16) {
                            let first = column.min(element_size - 16);
                            transpose_column::<16>(element_size, &elements[first..], rows, first..first + 16, dst);
                        }
                    }
                }
            }
        }

        /// See [`super::inverse_rows`].
        #[target_feature(enable = $features)]
        pub(super) fn inverse(element_size: usize, src: &[u8], n_rows: usize, dst: &mut [u8]) {
            let n_groups = src.len() / (8 * element_size);
            if n_groups < TILE {
                return super::$smaller::inverse(element_size, src, n_rows, dst);
            }
            let prefetch = Tuning::current().prefetch;
            for tile in (0..n_groups).step_by(TILE) {
                let group = tile.min(n_groups - TILE);
                let elements = &mut dst[group * 8 * element_size..];
                let rows = Rows { n_groups, group, last: n_rows - 1, prefetch };
                // Bytes of the elements that have another row than the last one: all bits of the others are the same.
                let n_bytes = rows.last.div_ceil(8);
                match (element_size, n_bytes) {
                    (1, _) => inverse_tile::<1, 1>(src, rows, elements),
                    (2, 0 | 1) => inverse_tile::<2, 1>(src, rows, elements),
                    (2, _) => inverse_tile::<2, 2>(src, rows, elements),
                    (4, 0 | 1) => inverse_tile::<4, 1>(src, rows, elements),
                    (4, 2) => inverse_tile::<4, 2>(src, rows, elements),
                    (4, _) => inverse_tile::<4, 4>(src, rows, elements),
                    (8, 0..=2) => inverse_tile::<8, 2>(src, rows, elements),
                    (8, _) => inverse_tile::<8, 8>(src, rows, elements),
                    (3, _) => inverse_padded::<4>(3, src, rows, elements),
                    (5..8, _) => inverse_padded::<8>(element_size, src, rows, elements),
                    (9..16, _) => inverse_padded::<16>(element_size, src, rows, elements),
                    _ => {
                        for column in (0..element_size).step_by(16) {
                            let first = column.min(element_size - 16);
                            inverse_column::<16, 16>(
                                element_size,
                                src,
                                rows,
                                first..first + 16,
                                &mut elements[first..],
                            );
                        }
                    }
                }
            }
        }

        /// The rows of a tile, which are zeros where it is; what is read next is fetched from memory.
        #[inline]
        #[target_feature(enable = $features)]
        fn transpose_tile<const W: usize>(src: &[u8], rows: Rows, dst: &mut [u8]) {
            let src = &src[..8 * TILE * W];
            rows.prefetch.ahead(src.as_ptr(), src.len());
            let mut is_zero = true;
            for part in 0..W {
                let mut v = [zero(); 8];
                for (i, v) in v.iter_mut().enumerate() {
                    *v = load_row(src, (8 * part + i) * TILE);
                }
                is_zero &= are_zero(v);
            }
            if is_zero {
                for byte in 0..W {
                    for bit in 0..8 {
                        store_row(dst, rows.at(byte, bit), zero());
                    }
                }
                return;
            }
            transpose_column::<W>(W, src, rows, 0..W, dst);
        }

        /// The elements of a tile; those that are written next are fetched from memory.
        #[inline]
        #[target_feature(enable = $features)]
        fn inverse_tile<const W: usize, const M: usize>(src: &[u8], rows: Rows, dst: &mut [u8]) {
            let tile = &dst[..8 * TILE * W];
            rows.prefetch.ahead(tile.as_ptr(), tile.len());
            inverse_column::<W, M>(W, src, rows, 0..W, dst);
        }

        /// Where a tile's bytes are in the rows.
        #[derive(Clone, Copy)]
        struct Rows {
            n_groups: usize,
            group: usize,
            /// The row that stands for all after it.
            last: usize,
            /// How memory is asked for.
            prefetch: Prefetch,
        }

        impl Rows {
            #[inline]
            fn at(self, byte: usize, bit: usize) -> usize {
                (byte * 8 + bit).min(self.last) * self.n_groups + self.group
            }
        }

        #[target_feature(enable = $features)]
        fn transpose_padded<const W: usize>(element_size: usize, src: &[u8], rows: Rows, dst: &mut [u8]) {
            let mut padded = [[0; W]; $lanes * LANE_ELEMENTS];
            pad(element_size, src, &mut padded);
            transpose_column::<W>(W, padded.as_flattened(), rows, 0..element_size, dst);
        }

        #[target_feature(enable = $features)]
        fn inverse_padded<const W: usize>(element_size: usize, src: &[u8], rows: Rows, dst: &mut [u8]) {
            let mut padded = [[0; W]; $lanes * LANE_ELEMENTS];
            inverse_column::<W, W>(W, src, rows, 0..element_size, padded.as_flattened_mut());
            unpad(element_size, &padded, dst);
        }

        /// The rows of `bytes` (at most `W`) of a tile, from `W` bytes of each of the elements at `src`.
        #[inline]
        #[target_feature(enable = $features)]
        fn transpose_column<const W: usize>(
            stride: usize,
            src: &[u8],
            rows: Rows,
            bytes: std::ops::Range<usize>,
            dst: &mut [u8],
        ) {
            let src = &src[..(8 * TILE - 1) * stride + W];
            let mut batches = [[zero(); 8]; W];
            for (j, batch) in batches.iter_mut().enumerate() {
                let mut v = [zero(); 8];
                for (q, v) in v.iter_mut().enumerate() {
                    *v = load_lanes(src, first_element::<W>(q, j) * stride, LANE_ELEMENTS * stride);
                }
                *batch = exchange_bits(gather_groups::<W>(v));
            }
            for bit in 0..8 {
                let mut v = [zero(); W];
                for (v, batch) in v.iter_mut().zip(&batches) {
                    *v = batch[bit];
                }
                rounds(&mut v, W / 2);
                for (byte, v) in bytes.clone().zip(v) {
                    store_row(dst, rows.at(byte, bit), v);
                }
            }
        }

        /// The inverse of [`transpose_column`], where only the first `M` of the bytes have other rows than the last one. Bytes of
        /// an element that are not among `bytes` are written as 0.
        #[inline]
        #[target_feature(enable = $features)]
        fn inverse_column<const W: usize, const M: usize>(
            stride: usize,
            src: &[u8],
            rows: Rows,
            bytes: std::ops::Range<usize>,
            dst: &mut [u8],
        ) {
            let dst = &mut dst[..(8 * TILE - 1) * stride + W];
            let mut planes = [[zero(); 8]; W];
            for (byte, plane) in bytes.zip(planes.iter_mut().take(M)) {
                let mut v = [zero(); 8];
                for (bit, v) in v.iter_mut().enumerate() {
                    *v = load_row(src, rows.at(byte, bit));
                }
                if !are_zero(v) {
                    *plane = spread_groups::<W>(exchange_bits(v));
                }
            }
            if M < W {
                let last = [load_row(src, rows.at(W - 1, 7)); 8];
                if !are_zero(last) {
                    planes[M..].fill(spread_groups::<W>(exchange_bits(last)));
                }
            }
            for q in 0..8 {
                let mut v = [zero(); W];
                for (v, plane) in v.iter_mut().zip(&planes) {
                    *v = plane[q];
                }
                rounds(&mut v, W / 2);
                for (j, v) in v.into_iter().enumerate() {
                    store_lanes(dst, first_element::<W>(q, j) * stride, LANE_ELEMENTS * stride, v);
                }
            }
        }

        /// The rounds of unpack that make the register number the element in its group.
        #[inline]
        #[target_feature(enable = $features)]
        fn gather_groups<const W: usize>(mut v: [Vector; 8]) -> [Vector; 8] {
            if W > 1 {
                rounds(&mut v, 8 / W);
                return v;
            }
            rounds(&mut v, 4);
            round(&mut v, 4);
            [v[0], v[4], v[1], v[5], v[2], v[6], v[3], v[7]]
        }

        /// The rounds of unpack that make a position of the element's number in its group.
        #[inline]
        #[target_feature(enable = $features)]
        fn spread_groups<const W: usize>(mut v: [Vector; 8]) -> [Vector; 8] {
            rounds(&mut v, if W == 1 { 4 } else { 8 / W });
            v
        }

        /// Bit `b` of register `e` changes places with bit `e` of register `b`.
        #[inline]
        #[target_feature(enable = $features)]
        fn exchange_bits(mut v: [Vector; 8]) -> [Vector; 8] {
            for i in [0, 2, 4, 6] {
                (v[i], v[i + 1]) = exchange::<1>(v[i], v[i + 1], 0x55);
            }
            for i in [0, 1, 4, 5] {
                (v[i], v[i + 2]) = exchange::<2>(v[i], v[i + 2], 0x33);
            }
            for i in [0, 1, 2, 3] {
                (v[i], v[i + 4]) = exchange::<4>(v[i], v[i + 4], 0x0F);
            }
            v
        }
    };
}

pub(super) use lane_kernels;
