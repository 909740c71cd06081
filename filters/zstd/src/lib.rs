//! The HDF5 filter plugin `libh5zstd`: a table and nothing else.

#![deny(unsafe_code)]

darkchunk_filter::export_filter!(darkchunk::codec::zstd::Zstd);
