//! What the writer stores and refuses, and what is found and saved in files: a subject a file. They are one program, which is built
//! faster than many; what limits, kills or watches its process, or loads another HDF5, is another.

#[path = "../common/mod.rs"]
mod common;

mod chunk_map;
mod columns;
mod events;
mod failures;
mod refusals;
mod salvage;
mod salvage_shapes;
mod sentinels;
mod virtual_dataset;
mod writer;
