//! The numbers of the metrics beside those that are worked out here: a subject a file. They are one program, which is built faster than
//! many.

mod common;

mod brute_force;
mod known_defects;
mod techniques;
mod tomography;
mod transfer;
mod truth;
