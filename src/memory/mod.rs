//! Memory that is worked in.

pub(crate) mod scratch;
