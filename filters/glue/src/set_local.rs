//! Completing a filter's parameters when a dataset is created.
//!
//! HDF5 calls this on a private copy of the creation properties each time a dataset is created with the filter, also
//! with properties that were completed before: it is idempotent, as the codec's `localise` is. All that cannot be
//! written is refused here, before there is a dataset.

use core::ffi::c_int;

use darkchunk::codec::Codec;

use crate::caller::Caller;
use crate::guard::guard;
use crate::host::{Host, Unknown};
use crate::{errors, layout};
use darkchunk_hdf5_abi::Hid;

const SUCCESS: c_int = 0;
const FAILURE: c_int = -1;

/// `set_local`, by an HDF5 that may be unknown: then the parameters stay as they are given.
pub(crate) fn run<C: Codec>(caller: Caller, dcpl: Hid, datatype: Hid) -> c_int {
    let done = guard(|| match Host::of(caller) {
        Ok(host) => complete::<C>(&host, dcpl, datatype),
        Err(Unknown) => Ok(()),
    });
    match done {
        Ok(()) => SUCCESS,
        Err(text) => {
            errors::push(caller, C::NAME, c"set_local", &text);
            FAILURE
        }
    }
}

/// Completes the parameters of the filter of `C` in a pipeline; leaves them alone where they are complete.
pub(crate) fn complete<C: Codec>(host: &Host, dcpl: Hid, datatype: Hid) -> Result<(), String> {
    let id = C::FILTER_ID.cast_signed();
    let (flags, given) = host.filter_parameters(dcpl, id)?;
    let layout = layout::of::<C>(host, dcpl, datatype)?;
    let localise = if layout::is_before_another::<C>(host, dcpl)? { C::localise_before_another } else { C::localise };
    let complete = localise(&given, &layout).map_err(|error| error.to_string())?;
    if complete == given { Ok(()) } else { host.modify_filter(dcpl, id, flags, &complete) }
}

#[cfg(test)]
mod tests;
