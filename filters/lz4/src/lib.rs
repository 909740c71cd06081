//! The HDF5 filter plugin `libh5lz4`: a table and nothing else.
