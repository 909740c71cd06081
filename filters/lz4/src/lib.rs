//! The HDF5 filter plugin `libh5lz4`: a table and nothing else.

#![deny(unsafe_code)]

darkchunk_filter::export_filter!(darkchunk::codec::lz4::Lz4);
