//! What the bounded codec and packed DRLE store with the entropy coder of [`rans`](crate::kernels::rans): numbers as tokens and
//! bits, tables of how frequent tokens are, and streams of them. `docs/format.md` defines each.

pub(crate) mod numbers;
pub(crate) mod stream;
pub(crate) mod tables;
pub(crate) mod tokens;
