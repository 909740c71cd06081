//! The processor: which instruction sets it has ([`Level`]), and what is best for its family (`tuning`).

mod level;
pub(crate) mod tuning;

pub use level::{Isa, Level};
