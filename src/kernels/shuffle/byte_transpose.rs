//! The byte transpose in lanes of 16 bytes, stamped into `sse41`, `avx2` and `neon` by [`lane_kernels`].
//!
//! A lane tile is 16 elements: 16 bytes of every row out. A register holds one lane of each of several neighbouring
//! tiles, and no step crosses lanes. `unpack` of `a` and `b` makes the two registers of their low and high halves,
//! interleaved byte by byte. If the bits of a byte's position are `p3 p2 p1 p0` and the pair differs in bit `r` of the
//! register number, then afterwards the position is `p2 p1 p0 r`, and bit `r` of the register number says what `p3` was.
//!
//! So four rounds of unpack put the 4 bits of an element's number, highest first, where a byte's position was, for
//! elements of 2, 4, 8 and 16 bytes alike. For 4 bytes, with `e` the element and `p` the byte in it:
//!
//! ```text
//! loaded             register e3 e2    position e1 e0 p1 p0
//! 4 rounds           register p1 p0    position e3 e2 e1 e0     16 bytes of row p
//! ```
//!
//! The prefetch back takes only as many rounds as the element's size has bits. Elements of more than 16 bytes are done in
//! columns of 16 bytes, the last one moved back where they do not divide; other sizes below 16 are first padded.

/// Elements in a lane tile.
pub(super) const LANE_ELEMENTS: usize = 16;

/// Elements of `element_size` bytes to the front of `W`-byte ones. What follows there means nothing.
#[inline]
pub(in crate::kernels) fn pad<const W: usize>(element_size: usize, src: &[u8], dst: &mut [[u8; W]]) {
    for (i, padded) in dst.iter_mut().enumerate() {
        let element = &src[i * element_size..];
        match element.first_chunk() {
            Some(with_more) => *padded = *with_more,
            None => padded[..element_size].copy_from_slice(&element[..element_size]),
        }
    }
}

/// The inverse of [`pad`]. Writes up to `W - element_size` bytes after the elements, where `dst` has them.
#[inline]
pub(in crate::kernels) fn unpad<const W: usize>(element_size: usize, src: &[[u8; W]], dst: &mut [u8]) {
    for (i, padded) in src.iter().enumerate() {
        let element = &mut dst[i * element_size..];
        match element.first_chunk_mut() {
            Some(with_more) => *with_more = *padded,
            None => element[..element_size].copy_from_slice(&padded[..element_size]),
        }
    }
}

/// `shuffle` and `unshuffle` for one instruction set: its features, lanes a register, and the module that takes blocks of
/// less than a tile. The file that calls it has the primitives.
macro_rules! lane_kernels {
    ($features:literal, $lanes:literal, $smaller:ident) => {
        use super::byte_transpose::{LANE_ELEMENTS, pad, unpad};
        use crate::cpu::tuning::{Prefetch, Tuning};
        use crate::kernels::prefetch::CACHE_LINE_BYTES;

        /// Elements in a tile.
        const TILE: usize = LANE_ELEMENTS * $lanes;

        /// See [`super::shuffle`].
        #[target_feature(enable = $features)]
        pub(super) fn shuffle(element_size: usize, src: &[u8], dst: &mut [u8]) {
            let n_elements = src.len() / element_size;
            if n_elements < TILE {
                return super::$smaller::shuffle(element_size, src, dst);
            }
            let prefetch = prefetch(element_size);
            for tile in (0..n_elements).step_by(TILE) {
                // The last tile is moved back so that it is whole: it repeats some of the one before.
                let first = tile.min(n_elements - TILE);
                let elements = &src[first * element_size..];
                if let Some(prefetch) = prefetch {
                    prefetch.ahead(elements.as_ptr(), TILE * element_size);
                }
                let rows = &mut dst[first..];
                match element_size {
                    2 => shuffle_column::<2>(2, elements, n_elements, 2, rows),
                    4 => shuffle_column::<4>(4, elements, n_elements, 4, rows),
                    8 => shuffle_column::<8>(8, elements, n_elements, 8, rows),
                    3 => shuffle_padded::<4>(3, elements, n_elements, rows),
                    5..8 => shuffle_padded::<8>(element_size, elements, n_elements, rows),
                    9..16 => shuffle_padded::<16>(element_size, elements, n_elements, rows),
                    _ => {
                        for byte in (0..element_size).step_by(16) {
                            let byte = byte.min(element_size - 16);
                            shuffle_column::<16>(
                                element_size,
                                &elements[byte..],
                                n_elements,
                                16,
                                &mut rows[byte * n_elements..],
                            );
                        }
                    }
                }
            }
        }

        /// How a tile's memory is prefetched, if it is: smaller ones would prefetch each cache line several times.
        fn prefetch(element_size: usize) -> Option<Prefetch> {
            Some(Tuning::current().prefetch)
                .filter(|prefetch| prefetch.is_of_every_line() && TILE * element_size >= CACHE_LINE_BYTES)
        }

        /// See [`super::unshuffle`].
        #[target_feature(enable = $features)]
        pub(super) fn unshuffle(element_size: usize, src: &[u8], dst: &mut [u8]) {
            let n_elements = src.len() / element_size;
            if n_elements < TILE {
                return super::$smaller::unshuffle(element_size, src, dst);
            }
            let prefetch = prefetch(element_size);
            for tile in (0..n_elements).step_by(TILE) {
                if let Some(prefetch) = prefetch {
                    prefetch.ahead(dst.as_ptr().wrapping_add(tile * element_size), TILE * element_size);
                }
                unshuffle_tile::<false>(element_size, n_elements, src, tile.min(n_elements - TILE), dst);
            }
        }

        /// See [`super::unshuffle_marked`].
        #[target_feature(enable = $features)]
        pub(super) fn unshuffle_marked(element_size: usize, marks: &[u64], src: &[u8], dst: &mut [u8]) {
            let n_elements = src.len() / element_size;
            super::marks::for_each_marked::<1>(marks, |group| {
                for tile in (group..group + super::marks::GROUP_ELEMENTS).step_by(TILE) {
                    unshuffle_tile::<true>(element_size, n_elements, src, tile, dst);
                }
            });
        }

        /// The elements of the tile that begins with element `first`. `MARKED` makes two functions of it, so that each is part of
        /// the one loop that calls it: otherwise neither is.
        #[inline]
        #[target_feature(enable = $features)]
        fn unshuffle_tile<const MARKED: bool>(
            element_size: usize,
            n_elements: usize,
            src: &[u8],
            first: usize,
            dst: &mut [u8],
        ) {
            let elements = &mut dst[first * element_size..];
            let rows = &src[first..];
            match element_size {
                2 => unshuffle_pairs(rows, n_elements, elements),
                4 => unshuffle_column::<4>(4, rows, n_elements, 4, elements),
                8 => unshuffle_column::<8>(8, rows, n_elements, 8, elements),
                3 => unshuffle_padded::<4>(3, rows, n_elements, elements),
                5..8 => unshuffle_padded::<8>(element_size, rows, n_elements, elements),
                9..16 => unshuffle_padded::<16>(element_size, rows, n_elements, elements),
                _ => {
                    for byte in (0..element_size).step_by(16) {
                        let byte = byte.min(element_size - 16);
                        unshuffle_column::<16>(
                            element_size,
                            &rows[byte * n_elements..],
                            n_elements,
                            16,
                            &mut elements[byte..],
                        );
                    }
                }
            }
        }

        #[target_feature(enable = $features)]
        fn shuffle_padded<const W: usize>(element_size: usize, src: &[u8], row_bytes: usize, dst: &mut [u8]) {
            let mut padded = [[0; W]; TILE];
            pad(element_size, src, &mut padded);
            shuffle_column::<W>(W, padded.as_flattened(), row_bytes, element_size, dst);
        }

        #[target_feature(enable = $features)]
        fn unshuffle_padded<const W: usize>(element_size: usize, src: &[u8], row_bytes: usize, dst: &mut [u8]) {
            let mut padded = [[0; W]; TILE];
            unshuffle_column::<W>(W, src, row_bytes, element_size, padded.as_flattened_mut());
            unpad(element_size, &padded, dst);
        }

        /// The first `n_rows` rows (at most `W`) of a tile, from `W` bytes of each of the elements at `src`.
        #[inline]
        #[target_feature(enable = $features)]
        fn shuffle_column<const W: usize>(stride: usize, src: &[u8], row_bytes: usize, n_rows: usize, dst: &mut [u8]) {
            let mut v = [zero(); W];
            for (q, v) in v.iter_mut().enumerate() {
                *v = load_lanes(src, q * (16 / W) * stride, LANE_ELEMENTS * stride);
            }
            let mut distance = W / 2;
            for _ in 0..4 {
                round(&mut v, distance);
                distance = if distance == 1 { W / 2 } else { distance / 2 };
            }
            for byte in 0..n_rows {
                // Three bits of a register number take four rounds: they end up turned round by one.
                let register = if W == 8 { byte % 2 * 4 + byte / 2 } else { byte };
                store_row(dst, byte * row_bytes, v[register]);
            }
        }

        /// The tile of two rows. `spread` puts the first quarters of a row where unpacking takes them from, so that what comes
        /// of it lies side by side and is stored whole.
        #[inline]
        #[target_feature(enable = $features)]
        fn unshuffle_pairs(src: &[u8], row_bytes: usize, dst: &mut [u8]) {
            let (first, second) = (spread(load_row(src, 0)), spread(load_row(src, row_bytes)));
            store_row(dst, 0, unpack_low(first, second));
            store_row(dst, TILE, unpack_high(first, second));
        }

        /// The inverse of [`shuffle_column`]. Bytes of an element beyond `n_rows` are written as 0.
        #[inline]
        #[target_feature(enable = $features)]
        fn unshuffle_column<const W: usize>(
            stride: usize,
            src: &[u8],
            row_bytes: usize,
            n_rows: usize,
            dst: &mut [u8],
        ) {
            let mut v = [zero(); W];
            for (byte, v) in v.iter_mut().enumerate().take(n_rows) {
                *v = load_row(src, byte * row_bytes);
            }
            rounds(&mut v, W / 2);
            for (q, v) in v.into_iter().enumerate() {
                store_lanes(dst, q * (16 / W) * stride, LANE_ELEMENTS * stride, v);
            }
        }

        /// Rounds of unpack for the bits of the register number from `distance` down.
        #[inline]
        #[target_feature(enable = $features)]
        pub(in crate::kernels) fn rounds<const N: usize>(v: &mut [Vector; N], mut distance: usize) {
            while distance > 0 {
                round(v, distance);
                distance /= 2;
            }
        }

        /// Unpacks every pair of registers that are `distance` apart.
        #[inline]
        #[target_feature(enable = $features)]
        pub(in crate::kernels) fn round<const N: usize>(v: &mut [Vector; N], distance: usize) {
            for i in 0..N {
                if i & distance == 0 {
                    let (a, b) = (v[i], v[i + distance]);
                    (v[i], v[i + distance]) = (unpack_low(a, b), unpack_high(a, b));
                }
            }
        }
    };
}

pub(super) use lane_kernels;
