//! Element types: what a pixel is, on disk and in memory.

/// What kind of number an element is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ElementClass {
    /// Two's complement integer.
    Signed,
    /// Unsigned integer.
    Unsigned,
    /// Anything else (floats, compounds, arrays, strings): bytes to us.
    Other,
}

/// Byte order of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ByteOrder {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

impl ByteOrder {
    /// The order of this machine.
    pub const NATIVE: Self = if cfg!(target_endian = "big") { Self::Big } else { Self::Little };
}

/// One element of a dataset, as HDF5 stores it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ElementType {
    /// Kind of number.
    pub class: ElementClass,
    /// Bytes an element takes (the whole of a compound or array type).
    pub n_bytes: usize,
    /// Bytes of one element of an HDF5 array type; the same as `n_bytes` for every other type. Blosc shuffles by it.
    pub base_bytes: usize,
    /// Byte order. Means nothing where `class` is [`ElementClass::Other`] or `n_bytes` is 1.
    pub order: ByteOrder,
}

impl ElementType {
    /// `int16` in this machine's byte order.
    pub const I16: Self = Self { class: ElementClass::Signed, n_bytes: 2, base_bytes: 2, order: ByteOrder::NATIVE };
    /// `uint16` in this machine's byte order.
    pub const U16: Self = Self { class: ElementClass::Unsigned, n_bytes: 2, base_bytes: 2, order: ByteOrder::NATIVE };
}
