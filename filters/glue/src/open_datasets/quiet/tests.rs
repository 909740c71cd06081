use core::cell::Cell;
use core::ffi::{c_int, c_uint};
use std::panic::{AssertUnwindSafe, catch_unwind};

use darkchunk_hdf5_abi::Hid;

use super::*;

thread_local! {
    static PRINTS: Cell<Option<PrintFn>> = const { Cell::new(None) };
    static N_CLEARED: Cell<u32> = const { Cell::new(0) };
}

unsafe extern "C" fn is_v2(_stack: Hid, is_v2: *mut c_uint) -> c_int {
    // SAFETY: the caller has room for it.
    unsafe { is_v2.write(1) };
    0
}

unsafe extern "C" fn get_auto2(_stack: Hid, print: *mut Option<PrintFn>, _data: *mut *mut c_void) -> c_int {
    // SAFETY: the caller has room for it.
    unsafe { print.write(PRINTS.get()) };
    0
}

unsafe extern "C" fn set_auto2(_stack: Hid, print: Option<PrintFn>, _data: *mut c_void) -> c_int {
    PRINTS.set(print);
    0
}

unsafe extern "C" fn clear2(_stack: Hid) -> c_int {
    N_CLEARED.set(N_CLEARED.get() + 1);
    0
}

unsafe extern "C" fn print(_stack: Hid, _data: *mut c_void) -> c_int {
    0
}

const ERRORS: Errors = Errors {
    H5Eauto_is_v2: is_v2,
    H5Eget_auto2: get_auto2,
    H5Eset_auto2: set_auto2,
    H5Eclear2: clear2,
    H5Eget_auto1: None,
    H5Eset_auto1: None,
};

#[test]
fn the_function_for_errors_is_put_back_also_after_a_panic() {
    for panics in [false, true] {
        PRINTS.set(Some(print));
        N_CLEARED.set(0);
        let result = catch_unwind(AssertUnwindSafe(|| {
            let _quiet = Quiet::new(&ERRORS).expect("it answers");
            assert!(PRINTS.get().is_none(), "nothing prints meanwhile");
            assert!(!panics, "on purpose");
        }));
        assert_eq!((result.is_err(), PRINTS.get().is_some(), N_CLEARED.get()), (panics, true, 1));
    }
}
