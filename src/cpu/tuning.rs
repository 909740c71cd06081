//! What depends on whose cores they are. It changes the time and nothing else.
//!
//! [`TABLE`] has one row a family of processors, and each value in it was measured. Kernels take [`Tuning::current`] once a call, and
//! read from it what they need to know.

use super::Isa;

/// Processors with the same tuning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    /// AMD's up to Zen 4, and Hygon's, which descend from them.
    AmdToZen4,
    /// AMD's from Zen 5 on.
    AmdFromZen5,
    /// Intel's, and all others with x86-64. Measured on an Emerald Rapids.
    OtherX86,
    /// Those that are not x86-64. They are sent no prefetches.
    NotX86,
}

impl Family {
    /// That of this processor. AMD's are known by SSE4a, which Intel never had, and Zen 5 by AVX-VNNI, which came with it. Where a
    /// virtual machine hides one of these, the processor is taken for another.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    fn current() -> Self {
        match [is_x86_feature_detected!("sse4a"), is_x86_feature_detected!("avxvnni")] {
            [true, false] => Self::AmdToZen4,
            [true, true] => Self::AmdFromZen5,
            [false, _] => Self::OtherX86,
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    #[inline]
    fn current() -> Self {
        Self::NotX86
    }
}

/// A value for each instruction set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ByIsa<T> {
    avx512: T,
    avx2: T,
    sse41: T,
    /// For NEON and without vectors.
    other: T,
}

impl<T: Copy> ByIsa<T> {
    const fn all(value: T) -> Self {
        Self { avx512: value, avx2: value, sse41: value, other: value }
    }

    /// The value for `isa`.
    #[inline]
    pub(crate) fn get(&self, isa: Isa) -> T {
        match isa {
            Isa::Avx512 => self.avx512,
            Isa::Avx2 => self.avx2,
            Isa::Sse41 => self.sse41,
            Isa::Neon | Isa::Scalar => self.other,
        }
    }
}

/// How kernels prefetch what they read and write next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prefetch {
    /// A page ahead, and only where that is measured to help: a Zen 4 prefetches best by itself.
    Rarely,
    /// Every cache line, early and into the first-level cache. Between the instructions of a kernel a Zen 5 prefetches little by itself:
    /// with this it reads as fast as its memory is. With every line prefetched twice, it reads 0.8 to 0.9 as fast.
    Once,
    /// Every cache line, early into the second-level cache and late into the first. An Emerald Rapids, whose own prefetching ends with
    /// each page, reads and writes about as fast as its memory is by this: what waits for the second-level cache takes no place of the
    /// few that wait for the first.
    Twice,
}

impl Prefetch {
    /// Whether kernels prefetch all that they read and write.
    #[inline(always)]
    pub(crate) fn is_of_every_line(self) -> bool {
        self != Self::Rarely
    }
}

/// How a scan of pixels prefetches those that are scanned later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScanPrefetch {
    /// Not at all: what follows is not scanned.
    Nothing,
    /// Two cache lines of a page. A Zen 4 prefetches a stream by itself, best of all if it is told early where that goes on: more
    /// prefetches take the places of its own, and a pass beside a dark image took 1.3 times as long with every line. Not if a sum
    /// is added to meanwhile, which disturbs it. Where pixels are written an Emerald Rapids wants no more either, with AVX-512.
    TwoLines,
    /// Every cache line of the pixels, and the first ones of each page of the dark image. A Zen 3 gained as much by every line.
    EveryLine,
    /// Every cache line of the pixels as kernels do. An Emerald Rapids wants those of the dark image as well, late; a Zen 5, which
    /// prefetches it by itself, may take 1.3 times as long with them. With two lines of a page an Emerald Rapids took 1.5 times as long,
    /// and a Zen 5 1.6 to 2.2 times.
    AsKernels(Prefetch),
}

/// How memory that is in no cache is made 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clear {
    /// By one `memset`.
    Plain,
    /// By a `memset` for every KiB, but of [`MEMSET_BYTES`] by one. From 2 KiB on `memset` takes `rep stosb`, which a Zen 5 is slow to
    /// begin: with 4 KiB it takes 1.4 times as long as other stores, with 64 KiB 0.8 times.
    InPieces,
    /// Each page prefetched before: an Emerald Rapids clears 1.3 times as much so.
    Prefetched,
}

/// See [`Clear::InPieces`].
pub(crate) const MEMSET_BYTES: usize = 64 * 1024;

/// What is best for a family of processors.
#[derive(Debug)]
pub(crate) struct Tuning {
    family: Family,
    /// How transposes prefetch.
    pub(crate) prefetch: Prefetch,
    /// How a pass that writes a stream prefetches.
    pub(crate) scan_to_stream: ByIsa<ScanPrefetch>,
    /// How a pass that writes pixels prefetches, which takes longer than to read them.
    pub(crate) scan_to_pixels: ByIsa<ScanPrefetch>,
    /// The same where they are added to a sum.
    pub(crate) scan_to_pixels_and_sum: ByIsa<ScanPrefetch>,
    /// Frames that take turns while they are encoded. A Zen 4 prefetches two by itself, but not more, beside the dark image and what is
    /// written; below AVX-512 a Zen 4 and a Zen 3 compute longer than they wait for memory, and lose by turns. So does a Zen 5, for which
    /// one frame is prefetched early. An Emerald Rapids gains by more of them.
    pub(crate) frames_at_once: ByIsa<usize>,
    /// How memory is cleared.
    pub(crate) clear: Clear,
    /// Bytes that DRLE's decoder clears ahead: worth a call, and small enough for the first-level cache. On a Zen 5 they are as many as
    /// `memset` clears fast, and stay in the second-level one: DRLE at 0.56 % bright pixels takes 0.9 of the time so.
    pub(crate) clear_ahead_bytes: usize,
    /// Whether DRLE streams of few tokens are decoded token by token. A Zen 5 takes up to twice as long so.
    pub(crate) sparse_by_tokens: bool,
    /// Whether memory is cleared before bytes are unshuffled into it: what is cleared is not fetched to be written. On a Zen 4 it takes a
    /// fifth less with AVX-512, nothing is gained with AVX2, and narrower stores take more. So do the others, which prefetch.
    pub(crate) clear_before_unshuffle: ByIsa<bool>,
    /// Whether the begin of a block's output is prefetched before the block is decompressed, as nothing else is prefetched meanwhile.
    /// Not measured with AVX-512 on a Zen 4.
    pub(crate) prefetch_output: ByIsa<bool>,
}

const ONLY_AVX512: ByIsa<bool> = ByIsa { avx512: true, ..ByIsa::all(false) };
const ALL_BUT_AVX512: ByIsa<bool> = ByIsa { avx512: false, ..ByIsa::all(true) };
const TWO_LINES_WITH_AVX512: ByIsa<ScanPrefetch> =
    ByIsa { avx512: ScanPrefetch::TwoLines, ..ByIsa::all(ScanPrefetch::EveryLine) };
const ONCE: ByIsa<ScanPrefetch> = ByIsa::all(ScanPrefetch::AsKernels(Prefetch::Once));
const TWICE: ByIsa<ScanPrefetch> = ByIsa::all(ScanPrefetch::AsKernels(Prefetch::Twice));

static TABLE: [Tuning; 4] = [
    Tuning {
        family: Family::AmdToZen4,
        prefetch: Prefetch::Rarely,
        scan_to_stream: TWO_LINES_WITH_AVX512,
        scan_to_pixels: TWO_LINES_WITH_AVX512,
        scan_to_pixels_and_sum: ByIsa::all(ScanPrefetch::EveryLine),
        frames_at_once: ByIsa { avx512: 2, ..ByIsa::all(1) },
        clear: Clear::Plain,
        clear_ahead_bytes: 16 * 1024,
        sparse_by_tokens: true,
        clear_before_unshuffle: ONLY_AVX512,
        prefetch_output: ALL_BUT_AVX512,
    },
    Tuning {
        family: Family::AmdFromZen5,
        prefetch: Prefetch::Once,
        scan_to_stream: ONCE,
        scan_to_pixels: ONCE,
        scan_to_pixels_and_sum: ONCE,
        frames_at_once: ByIsa::all(1),
        clear: Clear::InPieces,
        clear_ahead_bytes: MEMSET_BYTES,
        sparse_by_tokens: false,
        clear_before_unshuffle: ByIsa::all(false),
        prefetch_output: ByIsa::all(true),
    },
    Tuning {
        family: Family::OtherX86,
        prefetch: Prefetch::Twice,
        scan_to_stream: TWICE,
        scan_to_pixels: ByIsa { avx512: ScanPrefetch::TwoLines, ..TWICE },
        scan_to_pixels_and_sum: TWICE,
        frames_at_once: ByIsa { avx512: 4, avx2: 2, sse41: 2, other: 1 },
        clear: Clear::Prefetched,
        clear_ahead_bytes: 16 * 1024,
        sparse_by_tokens: true,
        clear_before_unshuffle: ByIsa::all(false),
        prefetch_output: ByIsa::all(true),
    },
    Tuning {
        family: Family::NotX86,
        prefetch: Prefetch::Rarely,
        scan_to_stream: ByIsa::all(ScanPrefetch::EveryLine),
        scan_to_pixels: ByIsa::all(ScanPrefetch::EveryLine),
        scan_to_pixels_and_sum: ByIsa::all(ScanPrefetch::EveryLine),
        frames_at_once: ByIsa::all(1),
        clear: Clear::Plain,
        clear_ahead_bytes: 16 * 1024,
        sparse_by_tokens: true,
        clear_before_unshuffle: ByIsa::all(false),
        prefetch_output: ByIsa::all(true),
    },
];

impl Tuning {
    /// The row of this processor.
    #[inline]
    pub(crate) fn current() -> &'static Self {
        let family = Family::current();
        let row = &TABLE[family as usize];
        debug_assert_eq!(row.family, family);
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_has_its_row() {
        for (i, row) in TABLE.iter().enumerate() {
            assert_eq!(row.family as usize, i, "{:?}", row.family);
        }
    }

    #[test]
    fn the_row_is_that_of_the_processor_and_always_the_same() {
        assert_eq!(Tuning::current().family, Family::current());
        assert_eq!(Tuning::current().family == Family::NotX86, cfg!(not(target_arch = "x86_64")));
    }

    #[test]
    fn what_is_prefetched_by_kernels_is_not_cleared_before() {
        for row in TABLE.iter().filter(|row| row.prefetch.is_of_every_line()) {
            assert_eq!(row.clear_before_unshuffle, ByIsa::all(false), "{:?}", row.family);
        }
    }
}
