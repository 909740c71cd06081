//! What `h5io.h` declares, in its order.

use std::ffi::{c_char, c_int, c_void};

use darkchunk_hdf5::results::{NumberClass, NumberType};

/// `H5IO_ABI`
pub(super) const ABI: u32 = 1;
/// `H5IO_MAX_RANK`
pub(super) const MAX_RANK: usize = 32;
/// `H5IO_SKIP`
pub(super) const SKIP: c_int = -1;
/// `H5IO_STOP`
pub(super) const STOP: c_int = -2;

/// `h5io_one`
pub(super) const ONE: i32 = 0;
/// `h5io_context`
pub(super) const CONTEXT: i32 = 1;
/// `h5io_any`
pub(super) const ANY: i32 = 2;

/// `h5io_same`
pub(super) const SAME: i32 = 0;
const BYTES: i32 = 100;

/// The numbers of C, by their numbers here.
const NUMBERS: [(i32, NumberClass, usize); 10] = [
    (1, NumberClass::Signed, 1),
    (2, NumberClass::Unsigned, 1),
    (3, NumberClass::Signed, 2),
    (4, NumberClass::Unsigned, 2),
    (5, NumberClass::Signed, 4),
    (6, NumberClass::Unsigned, 4),
    (7, NumberClass::Signed, 8),
    (8, NumberClass::Unsigned, 8),
    (9, NumberClass::Float, 4),
    (10, NumberClass::Float, 8),
];

/// The number of an element type.
pub(super) fn type_of(number: NumberType) -> i32 {
    let found = NUMBERS.iter().find(|(_, class, n_bytes)| (*class, *n_bytes) == (number.class, number.n_bytes));
    found.map_or(BYTES, |(code, ..)| *code)
}

/// The element type of a number.
pub(super) fn number_of(code: i32) -> Option<NumberType> {
    let found = NUMBERS.iter().find(|(known, ..)| *known == code);
    found.map(|(_, class, n_bytes)| NumberType::native(*class, *n_bytes))
}

/// `h5io_global_param_t`
#[repr(C)]
#[derive(Debug)]
pub(super) struct Param {
    pub(super) struct_size: u32,
    pub(super) abi: u32,
    pub(super) rank: i32,
    pub(super) n_ranks: i32,
    pub(super) worker: i32,
    pub(super) n_workers: i32,
    pub(super) has_output: i32,
    pub(super) n_arguments: i32,
    pub(super) arguments: *const *const c_char,
    pub(super) file: *const c_char,
}

/// `h5io_dataspace_t`
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(super) struct Dataspace {
    pub(super) struct_size: u32,
    pub(super) kind: i32,
    pub(super) element_bytes: u64,
    pub(super) rank: i32,
    pub(super) is_fixed: i32,
    pub(super) shape: [i64; MAX_RANK],
    pub(super) n_slices: i64,
    pub(super) before: i64,
    pub(super) n_axes: i64,
    pub(super) place: [i64; MAX_RANK],
    pub(super) data: *mut c_void,
}

impl Dataspace {
    /// An array of this type and shape, without data.
    pub(super) fn new(number: Option<NumberType>, dims: &[u64]) -> Self {
        let mut shape = [0; MAX_RANK];
        for (at, dim) in shape.iter_mut().zip(dims) {
            *at = i64::try_from(*dim).unwrap_or(i64::MAX);
        }
        Self {
            struct_size: size_of::<Self>() as u32,
            kind: number.map_or(SAME, type_of),
            element_bytes: number.map_or(0, |number| number.n_bytes as u64),
            rank: dims.len().min(MAX_RANK) as i32,
            is_fixed: 0,
            shape,
            n_slices: 0,
            before: 0,
            n_axes: 0,
            place: [0; MAX_RANK],
            data: std::ptr::null_mut(),
        }
    }
}

pub(super) type Context = *mut c_void;
type Init = unsafe extern "C" fn(*mut Context, *const Param, *mut c_int, *mut c_int) -> c_int;
type RequestInput = unsafe extern "C" fn(Context, c_int, *mut *const c_char) -> c_int;
type SetInputSlice = unsafe extern "C" fn(Context, c_int, *const Dataspace, *mut c_int) -> c_int;
type RequestOutput = unsafe extern "C" fn(Context, c_int, *mut *const c_char, *mut Dataspace) -> c_int;
type Process = unsafe extern "C" fn(Context, i64, c_int, *const Dataspace, c_int, *const Dataspace) -> c_int;
type Complete = unsafe extern "C" fn(Context) -> c_int;
type ErrorText = unsafe extern "C" fn(Context, c_int) -> *const c_char;
type SetPadding = unsafe extern "C" fn(Context, c_int, *mut c_int, *mut c_int) -> c_int;
type SetBlock = unsafe extern "C" fn(Context, *mut c_int) -> c_int;

/// `h5io_library_function`
pub(super) type Entry = unsafe extern "C" fn(u32) -> *const Table;

/// `h5io_library_t`
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    pub(super) struct_size: u32,
    pub(super) abi: u32,
    pub(super) threads: i32,
    pub(super) reserved: i32,
    pub(super) name: *const c_char,
    pub(super) version: *const c_char,
    pub(super) h5io_init: Option<Init>,
    pub(super) request_input: Option<RequestInput>,
    pub(super) set_input_slice: Option<SetInputSlice>,
    pub(super) request_output: Option<RequestOutput>,
    pub(super) process: Option<Process>,
    pub(super) processing_complete: Option<Complete>,
    pub(super) get_error_code: Option<ErrorText>,
    pub(super) set_padding: Option<SetPadding>,
    pub(super) set_block: Option<SetBlock>,
}

impl Table {
    /// Nothing is filled in.
    pub(super) const EMPTY: Self = Self {
        struct_size: 0,
        abi: 0,
        threads: 0,
        reserved: 0,
        name: std::ptr::null(),
        version: std::ptr::null(),
        h5io_init: None,
        request_input: None,
        set_input_slice: None,
        request_output: None,
        process: None,
        processing_complete: None,
        get_error_code: None,
        set_padding: None,
        set_block: None,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = include_str!("../../../../ffi/include/h5io.h");

    #[test]
    fn the_numbers_are_those_of_the_header() {
        let has = |text: String| assert!(HEADER.contains(&text), "{text}");
        has(format!("#define H5IO_ABI {ABI}\n"));
        has(format!("#define H5IO_MAX_RANK {MAX_RANK}\n"));
        has(format!("#define H5IO_SKIP ({SKIP})"));
        has(format!("#define H5IO_STOP ({STOP})"));
        for (name, number) in [("one", ONE), ("context", CONTEXT), ("any", ANY), ("same", SAME), ("bytes", BYTES)] {
            has(format!(" h5io_{name} = {number}"));
        }
        for (code, class, n_bytes) in NUMBERS {
            let word = match class {
                NumberClass::Signed => "int",
                NumberClass::Unsigned => "uint",
                _ => "float",
            };
            has(format!(" h5io_{word}{} = {code}", 8 * n_bytes));
        }
    }

    /// The fields of a structure of the header.
    fn fields(name: &str) -> Vec<&'static str> {
        let end = format!("}} {name};");
        let text =
            HEADER.split(&end[..]).next().and_then(|text| text.rsplit("typedef struct {").next()).expect("there");
        let text: String = text.split("/*").map(|part| part.split_once("*/").map_or(part, |(_, rest)| rest)).collect();
        let lines = text.split(';').map(str::trim).filter(|line| !line.is_empty());
        let name_of = |line: &str| match line.split_once("(*") {
            Some((_, rest)) => rest.split(')').next().expect("a name").to_owned(),
            None => line.split('[').next().and_then(|line| line.rsplit([' ', '*']).next()).expect("a name").to_owned(),
        };
        lines.map(name_of).map(|name| &*name.leak()).collect()
    }

    macro_rules! compare {
        ($type:ty, $name:literal, $value:expr, $($field:ident as $there:literal),*) => {{
            let value: $type = $value;
            let mut expected = Vec::new();
            let mut at = 0;
            $(
                let place = std::ptr::from_ref(&value.$field) as usize - std::ptr::from_ref(&value) as usize;
                assert!(place >= at, "{} comes too early", $there);
                at = place;
                expected.push($there);
            )*
            let _ = at;
            assert_eq!(fields($name), expected);
        }};
    }

    #[test]
    fn the_structures_have_the_fields_of_the_header_in_its_order() {
        compare!(Table, "h5io_library_t", Table::EMPTY, struct_size as "struct_size", abi as "abi",
            threads as "threads", reserved as "reserved", name as "name", version as "version", h5io_init as "h5io_init",
            request_input as "request_input", set_input_slice as "set_input_slice", request_output as "request_output",
            process as "process", processing_complete as "processing_complete", get_error_code as "get_error_code",
            set_padding as "set_padding", set_block as "set_block");
        compare!(Dataspace, "h5io_dataspace_t", Dataspace::new(None, &[]), struct_size as "struct_size", kind as "type",
            element_bytes as "element_bytes", rank as "rank", is_fixed as "is_fixed", shape as "shape",
            n_slices as "n_slices", before as "before", n_axes as "n_axes", place as "place", data as "data");
        let param = Param {
            struct_size: 0,
            abi: 0,
            rank: 0,
            n_ranks: 0,
            worker: 0,
            n_workers: 0,
            has_output: 0,
            n_arguments: 0,
            arguments: std::ptr::null(),
            file: std::ptr::null(),
        };
        compare!(Param, "h5io_global_param_t", param, struct_size as "struct_size", abi as "abi", rank as "rank",
            n_ranks as "n_ranks", worker as "worker", n_workers as "n_workers", has_output as "has_output",
            n_arguments as "n_arguments", arguments as "arguments", file as "file");
    }
}
