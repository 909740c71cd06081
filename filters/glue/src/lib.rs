//! What every plugin shares.
