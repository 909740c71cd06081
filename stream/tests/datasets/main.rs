//! What is read, compared and made of datasets: a subject a file. They are one program, which is built faster than many; what forks or
//! counts what its process does is another.

#[path = "../common/mod.rs"]
mod common;

mod compare;
mod frames;
mod partial;
mod property;
mod ranks;
mod resume;
mod slabs;
