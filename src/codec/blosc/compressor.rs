//! The six compressors, and the five formats of what they write.

use crate::threads::Pace;

/// How streams are compressed, as `cd_values[6]` numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compressor {
    /// BloscLZ: fast, and in every build of Blosc.
    BloscLz = 0,
    /// LZ4: the fastest.
    Lz4 = 1,
    /// LZ4 with a slower, stronger search.
    Lz4Hc = 2,
    /// Snappy. Has no levels.
    Snappy = 3,
    /// zlib.
    Zlib = 4,
    /// Zstd: the smallest.
    Zstd = 5,
}

impl Compressor {
    /// Every compressor.
    pub const ALL: [Self; 6] = [Self::BloscLz, Self::Lz4, Self::Lz4Hc, Self::Snappy, Self::Zlib, Self::Zstd];

    pub(super) fn pace(self) -> Pace {
        if self == Self::Lz4Hc { Pace::Slow } else { self.format().pace() }
    }

    pub(super) fn format(self) -> Format {
        match self {
            Self::BloscLz => Format::BloscLz,
            Self::Lz4 | Self::Lz4Hc => Format::Lz4,
            Self::Snappy => Format::Snappy,
            Self::Zlib => Format::Zlib,
            Self::Zstd => Format::Zstd,
        }
    }
}

/// What a stream is, as the header's flags number it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// BloscLZ.
    BloscLz = 0,
    /// An LZ4 block.
    Lz4 = 1,
    /// Snappy without framing.
    Snappy = 2,
    /// A zlib stream.
    Zlib = 3,
    /// A Zstd frame.
    Zstd = 4,
}

impl Format {
    const ALL: [Self; 5] = [Self::BloscLz, Self::Lz4, Self::Snappy, Self::Zlib, Self::Zstd];

    pub(super) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|format| *format as u8 == number)
    }

    pub(super) fn pace(self) -> Pace {
        match self {
            Self::BloscLz | Self::Lz4 | Self::Snappy => Pace::Fast,
            Self::Zlib | Self::Zstd => Pace::Slow,
        }
    }

    /// No stream decodes to more than this many times its length.
    pub(super) fn max_expansion(self) -> usize {
        match self {
            Self::BloscLz | Self::Lz4 => 256,
            Self::Snappy => 64,
            Self::Zlib => 1032,
            // A block that repeats one byte: 128 KiB from 4 bytes.
            Self::Zstd => 128 << 8,
        }
    }
}
