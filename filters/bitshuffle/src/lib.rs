//! The HDF5 filter plugin `libh5bitshuffle`: a table and nothing else.
