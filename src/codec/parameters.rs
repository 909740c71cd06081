//! What callers give a filter as `cd_values`: one rule for all filters.
//!
//! * A filter has a [`Form`], a short row of values. They are given in this order; those that are left out at the end have their
//!   defaults.
//! * Zeros after them mean nothing. Anything else there is refused.
//! * Values that a file stores, given again (`h5repack`, a dataset made like another one), are told from them by each filter, and
//!   brought up to date.
//! * What could be either is refused, with a text that names the form. Nothing is guessed.
//!
//! This is for making datasets only. What a file stores is read however strange it is.

use crate::{Error, Result};

/// The values that a caller gives.
pub(super) struct Form<const N: usize> {
    /// What stands for a value that is left out.
    pub(super) defaults: [u32; N],
    /// What is said of a value too many.
    pub(super) no_more: &'static str,
}

impl<const N: usize> Form<N> {
    /// The values in the caller's `cd_values`.
    pub(super) fn read(&self, cd_values: &[u32]) -> Result<[u32; N]> {
        match cd_values.iter().skip(N).position(|value| *value != 0) {
            None => Ok(self.read_stored(cd_values)),
            Some(past_end) => {
                Err(Error::Parameter { index: N + past_end, value: cd_values[N + past_end], what: self.no_more })
            }
        }
    }

    /// The values at the front of what a file stores. What is after them is the filter's.
    pub(super) fn read_stored(&self, values: &[u32]) -> [u32; N] {
        let mut read = self.defaults;
        read.iter_mut().zip(values).for_each(|(to, value)| *to = *value);
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: Form<2> = Form { defaults: [7, 8], no_more: "two values" };

    #[test]
    fn what_is_left_out_has_its_default() {
        assert_eq!(FORM.read(&[]), Ok([7, 8]));
        assert_eq!(FORM.read(&[0]), Ok([0, 8]));
        assert_eq!(FORM.read(&[1, 2]), Ok([1, 2]));
    }

    #[test]
    fn zeros_after_them_mean_nothing_and_nothing_else_is_taken() {
        assert_eq!(FORM.read(&[1, 2, 0, 0, 0]), Ok([1, 2]));
        assert_eq!(FORM.read(&[1, 2, 0, 9, 0]), Err(Error::Parameter { index: 3, value: 9, what: "two values" }));
        assert_eq!(FORM.read_stored(&[1, 2, 0, 9, 0]), [1, 2]);
    }
}
