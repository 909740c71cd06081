//! What speaks HDF5, through an injected table of functions: the writer, later the reader.
