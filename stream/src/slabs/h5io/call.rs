//! A call of a library's `process`.

#![allow(unsafe_code)]

use std::ffi::c_int;

use super::abi::{Context, Dataspace, MAX_RANK, SKIP, STOP};
use super::{Begun, Known, Shapes};
use crate::slabs::{Call, Verdict};

impl Begun {
    /// What the arrays of a call look like, but for how many slices it has.
    pub(super) fn shapes(&self, inputs: &[Known]) -> Shapes {
        let wants = &self.wants;
        let n_axes = wants.inputs.iter().flat_map(|(_, taken)| &taken.map).max().copied().unwrap_or(0);
        let is_led =
            |map: &[u32], padding: (u64, u64)| (wants.max_block > 1 && map.contains(&n_axes)) || padding != (0, 0);
        let mut shapes = Shapes::default();
        for (input, (_, taken)) in inputs.iter().zip(&wants.inputs) {
            let core = input.dims.iter().zip(&taken.map).filter(|(_, axis)| **axis == 0).map(|(dim, _)| *dim);
            let is_led = is_led(&taken.map, taken.padding);
            let dims: Vec<u64> = is_led.then_some(0).into_iter().chain(core).collect();
            let is_fixed = i32::from(taken.map.iter().all(|axis| *axis == 0));
            let (before, n_axes) = (taken.padding.0 as i64, i64::from(n_axes));
            shapes.inputs.push(Dataspace { is_fixed, before, n_axes, ..Dataspace::new(Some(input.number), &dims) });
            shapes.padding.push(taken.padding);
            shapes.is_led.push(is_led);
        }
        for output in &wants.outputs {
            let core = output.shape.iter().filter(|dim| **dim >= 0).map(|dim| dim.unsigned_abs());
            let dims: Vec<u64> = (wants.max_block > 1).then_some(0).into_iter().chain(core).collect();
            let n_axes = i64::from(n_axes);
            shapes.outputs.push(Dataspace { n_axes, ..Dataspace::new(Some(output.number), &dims) });
        }
        shapes
    }

    /// Calls `process` with the context of a worker.
    pub(super) fn called(&self, context: Context, call: &Call<'_>, outputs: &mut [&mut [u8]]) -> Verdict {
        let mut place = [0; MAX_RANK];
        for (at, from) in place.iter_mut().zip(call.place) {
            *at = *from as i64;
        }
        let n_slices = call.n as i64;
        let given = call.inputs.iter().zip(&self.shapes.inputs).zip(&self.shapes.is_led);
        let inputs: Vec<Dataspace> = given
            .map(|((view, shape), is_led)| {
                let data = view.data.as_ptr().cast_mut().cast();
                let mut input = Dataspace { n_slices, place, data, ..*shape };
                if *is_led {
                    input.shape[0] = view.n as i64;
                }
                input
            })
            .collect();
        let made = outputs.iter_mut().zip(&self.shapes.outputs).map(|(output, shape)| {
            let mut made = Dataspace { n_slices, place, data: output.as_mut_ptr().cast(), ..*shape };
            if self.wants.max_block > 1 {
                made.shape[0] = n_slices;
            }
            made
        });
        let made: Vec<Dataspace> = made.collect();
        #[cfg(unix)]
        let _in_library = super::exit::InLibrary::enter();
        let Some(process) = self.table.process else { return Verdict::Failed("it has no process".into()) };
        let (n_inputs, n_outputs) = (inputs.len() as c_int, made.len() as c_int);
        // SAFETY: the library's own function, as `h5io.h` declares it; arrays are as large as their shapes say and live through the
        // call; inputs are only read, which it is told.
        let code = unsafe { process(context, call.slice as i64, n_inputs, inputs.as_ptr(), n_outputs, made.as_ptr()) };
        match code {
            0 => Verdict::Done,
            SKIP => Verdict::Skip,
            STOP => Verdict::Stop,
            code => Verdict::Failed(self.words("process", context, code)),
        }
    }
}
