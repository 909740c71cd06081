//! The list of codecs, and any of them by its number.
//!
//! A codec is one line of `codecs`; [`Filter`] and all that is told of a codec by its number are made from it.

use super::framing::Block;
use super::{BlockIndex, ChunkLayout, Codec, OpenChunk};
use crate::cpu::Level;
use crate::{Error, Exec, Result};
use std::ops::{Deref, Range};

macro_rules! codecs {
    ($($(#[$built:meta])* $name:ident: $codec:ty,)*) => {
        /// Any of the codecs with its parameters.
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub enum Filter {
            $(
                $(#[$built])*
                #[doc = concat!("[`", stringify!($codec), "`]")]
                $name($codec),
            )*
        }

        $(
            $(#[$built])*
            impl From<$codec> for Filter {
                fn from(codec: $codec) -> Self {
                    Self::$name(codec)
                }
            }
        )*

        impl Filter {
            fn codec(&self) -> &dyn AnyCodec {
                match self {
                    $($(#[$built])* Self::$name(codec) => codec,)*
                }
            }

            /// [`Codec::open`].
            ///
            /// # Errors
            /// As there.
            pub fn open<'a>(&'a self, src: &'a [u8]) -> Result<FilterChunk<'a>> {
                Ok(match self {
                    $($(#[$built])* Self::$name(codec) => FilterChunk::$name(codec.open(src)?),)*
                })
            }
        }

        /// A stored chunk that a [`Filter`] has opened: an [`OpenChunk`].
        #[allow(clippy::large_enum_variant, reason = "there is one at a time, on the stack")]
        #[derive(Debug)]
        #[non_exhaustive]
        pub enum FilterChunk<'a> {
            $(
                $(#[$built])*
                #[doc = concat!("Of [`", stringify!($codec), "`].")]
                $name(<$codec as Codec>::Open<'a>),
            )*
        }

        impl<'a> Deref for FilterChunk<'a> {
            type Target = dyn OpenChunk + 'a;

            fn deref(&self) -> &Self::Target {
                match self {
                    $($(#[$built])* Self::$name(chunk) => chunk,)*
                }
            }
        }

        const ENTRIES: &[Entry] = &[$($(#[$built])* Entry::of::<$codec>(),)*];
    };
}

codecs! {
    Drle: super::drle::Drle,
    Bitshuffle: super::bitshuffle::Bitshuffle,
    #[cfg(feature = "blosc")]
    Blosc: super::blosc::Blosc,
    #[cfg(feature = "lz4")]
    Lz4: super::lz4::Lz4,
    #[cfg(feature = "zstd")]
    Zstd: super::zstd::Zstd,
    Bounded: super::bounded::Bounded,
}

/// The filters that a build may lack, and the feature that each has.
const FEATURES: [(u32, &str); 3] = [(32001, "blosc"), (32004, "lz4"), (32015, "zstd")];

/// What is said of a codec that this build lacks.
pub(super) fn not_built(what: &str, feature: &str) -> Error {
    Error::Unsupported(format!("this program was built without {what}: build darkchunk with its feature `{feature}`"))
}

/// What is known of a codec without parameters.
struct Entry {
    id: u32,
    short_name: &'static str,
    localise: fn(&[u32], &ChunkLayout) -> Result<Vec<u32>>,
    from_cd_values: fn(&[u32]) -> Result<Filter>,
}

impl Entry {
    const fn of<C: Codec + Into<Filter>>() -> Self {
        Self {
            id: C::FILTER_ID,
            short_name: C::SHORT_NAME,
            localise: C::localise,
            from_cd_values: |cd_values| C::from_cd_values(cd_values).map(Into::into),
        }
    }

    fn find(id: u32) -> Option<&'static Self> {
        ENTRIES.iter().find(|entry| entry.id == id)
    }

    fn require(id: u32) -> Result<&'static Self> {
        Self::find(id).ok_or_else(|| {
            if let Some((_, feature)) = FEATURES.iter().find(|(optional, _)| *optional == id) {
                return not_built(&format!("filter {id}"), feature);
            }
            let known: Vec<_> = ENTRIES.iter().map(|entry| format!("{} {}", entry.short_name, entry.id)).collect();
            Error::Unsupported(format!("filter {id} is none of darkchunk's ({})", known.join(", ")))
        })
    }
}

/// What a [`Filter`] asks of its codec, whichever it is: see [`Codec`].
trait AnyCodec {
    fn id(&self) -> u32;
    fn name(&self) -> &'static str;
    fn chunk_bytes(&self) -> Option<usize>;
    fn keeps_size(&self) -> bool;
    fn has_index(&self) -> bool;
    fn max_encoded_len(&self, n_bytes: usize) -> usize;
    fn encode(&self, exec: Exec, src: &[u8], dst: &mut [u8]) -> Result<usize>;
    fn decode_indexed(&self, level: Level, src: &[u8], block: &Block, dst: &mut [u8]) -> Result<()>;
}

impl<C: Codec> AnyCodec for C {
    fn id(&self) -> u32 {
        C::FILTER_ID
    }

    fn name(&self) -> &'static str {
        C::NAME
    }

    fn chunk_bytes(&self) -> Option<usize> {
        self.chunk_bytes()
    }

    fn keeps_size(&self) -> bool {
        self.keeps_size()
    }

    fn has_index(&self) -> bool {
        self.has_index()
    }

    fn max_encoded_len(&self, n_bytes: usize) -> usize {
        self.max_encoded_len(n_bytes)
    }

    fn encode(&self, exec: Exec, src: &[u8], dst: &mut [u8]) -> Result<usize> {
        self.encode(exec, src, dst)
    }

    fn decode_indexed(&self, level: Level, src: &[u8], block: &Block, dst: &mut [u8]) -> Result<()> {
        self.decode_indexed(level, src, block, dst)
    }
}

impl Filter {
    /// What is stored in the file for the parameters that a caller gave: [`Codec::localise`] of the filter `id`.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a filter that is not ours; as [`Codec::localise`].
    pub fn localise(id: u32, cd_values: &[u32], layout: &ChunkLayout) -> Result<Vec<u32>> {
        (Entry::require(id)?.localise)(cd_values, layout)
    }

    /// The filter `id` with stored parameters.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a filter that is not ours; as [`Codec::from_cd_values`].
    pub fn from_cd_values(id: u32, cd_values: &[u32]) -> Result<Self> {
        (Entry::require(id)?.from_cd_values)(cd_values)
    }

    /// Whether the filter `id` is one of ours.
    #[must_use]
    pub fn is_known(id: u32) -> bool {
        Self::short_name(id).is_some()
    }

    /// [`Codec::SHORT_NAME`] of the filter `id`, if it is one of ours.
    pub(crate) fn short_name(id: u32) -> Option<&'static str> {
        Entry::find(id).map(|entry| entry.short_name)
    }

    /// [`Codec::keeps_size`].
    pub(crate) fn keeps_size(&self) -> bool {
        self.codec().keeps_size()
    }

    /// [`Codec::has_index`].
    #[must_use]
    pub fn has_index(&self) -> bool {
        self.codec().has_index()
    }

    /// The filter's number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.codec().id()
    }

    /// The filter's name, as HDF5's tools print it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.codec().name()
    }

    /// [`Codec::chunk_bytes`].
    #[must_use]
    pub fn chunk_bytes(&self) -> Option<usize> {
        self.codec().chunk_bytes()
    }

    /// [`Codec::max_encoded_len`].
    #[must_use]
    pub fn max_encoded_len(&self, n_bytes: usize) -> usize {
        self.codec().max_encoded_len(n_bytes)
    }

    /// [`Codec::encode`].
    ///
    /// # Errors
    /// As there.
    pub fn encode(&self, exec: Exec, src: &[u8], dst: &mut [u8]) -> Result<usize> {
        self.codec().encode(exec, src, dst)
    }

    /// [`Codec::decoded_len`].
    ///
    /// # Errors
    /// As there.
    pub fn decoded_len(&self, src: &[u8]) -> Result<usize> {
        self.open(src)?.decoded_len()
    }

    /// [`Codec::decode`].
    ///
    /// # Errors
    /// As there.
    pub fn decode(&self, exec: Exec, src: &[u8], dst: &mut [u8]) -> Result<()> {
        self.open(src)?.decode(exec, dst)
    }

    /// Decodes the bytes `range` of a chunk with this `index` into the whole of `dst`, out of `bytes`, which are those that
    /// [`BlockIndex::stored`] says. Returns how many blocks were decoded.
    ///
    /// # Errors
    /// As [`OpenChunk::decode_range`]; [`Error::Corrupt`] where a block has another length than when the chunk was walked;
    /// [`Error::Unsupported`] for a filter that no index is made of.
    pub fn decode_by_index(
        &self,
        index: &BlockIndex,
        level: Level,
        range: Range<usize>,
        bytes: &[u8],
        dst: &mut [u8],
    ) -> Result<usize> {
        index.decode(range, bytes, dst, |block, dst| self.codec().decode_indexed(level, bytes, block, dst))
    }
}

#[cfg(all(test, feature = "blosc"))]
mod tests {
    use super::*;

    #[test]
    fn no_two_codecs_have_a_number_or_a_name_in_common() {
        for (index, entry) in ENTRIES.iter().enumerate() {
            let others = &ENTRIES[index + 1..];
            assert!(others.iter().all(|other| other.id != entry.id && other.short_name != entry.short_name));
        }
    }

    #[test]
    fn a_codec_that_a_build_may_lack_is_known_by_number_and_feature() {
        for (id, feature) in FEATURES {
            let name = Filter::short_name(id).expect("a codec of this build").to_lowercase();
            assert_eq!(name, feature, "{id}");
            let text = not_built(&format!("filter {id}"), feature).to_string();
            assert!(text.contains(&id.to_string()) && text.contains(&format!("`{feature}`")), "{text}");
        }
    }

    #[test]
    fn a_filter_that_is_not_known_is_refused_with_the_list() {
        let text = Filter::from_cd_values(7, &[]).unwrap_err().to_string();
        let expected = "(DRLE 36114, bitshuffle 32008, Blosc 32001, LZ4 32004, Zstd 32015, bounded 36115)";
        assert!(text.contains("filter 7") && text.contains(expected), "{text}");
    }

    #[test]
    #[cfg_attr(miri, ignore = "calls C")]
    fn an_opened_chunk_says_its_size_and_its_elements() {
        let layout = ChunkLayout::new(crate::element::ElementType::U16, vec![100]);
        let cases: [(u32, &[u32], Option<usize>); 6] = [
            (36114, &[1], Some(2)),
            (32008, &[0, 0], Some(2)),
            (32008, &[0, 2], Some(2)),
            (32001, &[5, 1, 0], Some(2)),
            (32004, &[], None),
            (32015, &[1], None),
        ];
        for (id, given, element_bytes) in cases {
            let filter = Filter::from_cd_values(id, &Filter::localise(id, given, &layout).unwrap()).unwrap();
            let mut chunk = vec![0; filter.max_encoded_len(200)];
            let n_bytes = filter.encode(Exec::SCALAR, &[7; 200], &mut chunk).unwrap();
            let chunk = filter.open(&chunk[..n_bytes]).unwrap();
            assert_eq!((chunk.decoded_len(), chunk.element_bytes()), (Ok(200), element_bytes), "{id} {given:?}");
        }
    }
}
