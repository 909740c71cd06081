//! Byte transpose of a block of elements, and back.
