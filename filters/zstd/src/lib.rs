//! The HDF5 filter plugin `libh5zstd`: a table and nothing else.
