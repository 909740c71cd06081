//! DRLE.
