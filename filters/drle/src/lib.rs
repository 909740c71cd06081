//! The HDF5 filter plugin `libh5drle`: a table and nothing else.
