//! The HDF5 filter plugin `libh5blosc`: a table and nothing else.
