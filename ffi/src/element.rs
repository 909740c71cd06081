//! From an element type that is known at run time to one that is known at compile time.

/// Runs an expression with the Rust type of a `dc_element`; an unknown one is a [`Failure`](crate::status::Failure).
macro_rules! with_element {
    ($element:expr, $type:ident => $then:expr) => {
        match $element {
            1 => {
                type $type = i8;
                $then
            }
            2 => {
                type $type = u8;
                $then
            }
            3 => {
                type $type = i16;
                $then
            }
            4 => {
                type $type = u16;
                $then
            }
            5 => {
                type $type = i32;
                $then
            }
            6 => {
                type $type = u32;
                $then
            }
            unknown => Err($crate::status::Failure::Argument(format!("{unknown} is no dc_element"))),
        }
    };
}

pub(crate) use with_element;
