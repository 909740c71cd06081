//! Hands the HDF5 that is linked into this program to darkchunk.
