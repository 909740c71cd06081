//! What is stored beside the frames when a recording is finished: what was done to them, and what that cost.
//! [The crate](crate) has the names.

use super::api::Hid;
use super::dataset::Frames;
use super::nexus::Layout;
use super::object::{self, Id, Stored};
use crate::{Error, Result};
use darkchunk::chunk::{Filter, Sum};
use darkchunk::frame::Element;
use darkchunk::kernels::dark::FrameCounts;

/// Sum and counts of the frames from `first_frame` on.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) first_frame: u64,
    pub(super) n_frames: u64,
    pub(super) counts: FrameCounts,
    pub(super) sum: Option<Sum>,
}

/// What was done to the frames.
#[derive(Debug)]
pub(super) struct Done<'a, P> {
    pub(super) dark: Option<&'a [P]>,
    pub(super) threshold: Option<u16>,
}

fn group_path(path: &str) -> String {
    format!("{path}_darkchunk")
}

impl Account {
    pub(super) fn new(first_frame: u64, sum: Option<Sum>) -> Self {
        Self { first_frame, n_frames: 0, counts: FrameCounts::default(), sum }
    }

    /// Continues what an earlier recording left beside the frames, where that is of all the frames that are there.
    pub(super) fn resume(&mut self, frames: &Frames, at: Hid, path: &str) -> Result<()> {
        let library = frames.dataset.library();
        if !object::exists(library, at, &group_path(path))? {
            return Ok(());
        }
        let group = object::open(library, at, &group_path(path))?;
        let number = |name| object::number::<u64>(&group, name);
        let (Some(n_frames), Some(first_frame)) = (number("frames")?, number("first_frame")?) else { return Ok(()) };
        if first_frame.checked_add(n_frames) != Some(frames.n_frames) {
            return Ok(());
        }
        if let Some(sum) = &mut self.sum {
            if !object::exists(library, group.get(), "sum")? {
                return Ok(());
            }
            sum.begin_with(object::read_array(&group, "sum", &frames.shape.dims()[1..])?);
        }
        self.counts = FrameCounts {
            n_bright: number("pixels_bright")?.unwrap_or(0),
            n_zeroed: number("pixels_zeroed")?.unwrap_or(0),
            zeroed_sum: object::number(&group, "zeroed_sum")?.unwrap_or(0),
            n_saturated: number("pixels_saturated")?.unwrap_or(0),
        };
        (self.first_frame, self.n_frames) = (first_frame, n_frames);
        Ok(())
    }

    /// Stores everything. May be done again, with newer numbers.
    pub(super) fn store<P: Element + Stored>(
        &mut self,
        frames: &Frames,
        at: Hid,
        path: &str,
        done: &Done<'_, P>,
        nexus: Option<&Layout>,
    ) -> Result<()> {
        let library = frames.dataset.library();
        let group = object::group(library, at, &group_path(path))?;
        object::set_string(&group, "NX_class", "NXcollection")?;
        self.store_counts(&group)?;
        store_filter(&group, frames)?;
        if let Some(threshold) = done.threshold {
            object::set_number(&group, "threshold", threshold)?;
        }
        let dims = &frames.shape.dims()[1..];
        if let Some(dark) = done.dark {
            object::write_array(&group, "dark", dims, dark)?;
        }
        let Some(sum) = &mut self.sum else { return Ok(()) };
        let negative = sum.is_signed() && done.threshold.is_none();
        let dataset = if negative {
            object::write_array(&group, "sum", dims, sum.total())?
        } else {
            let total: Vec<u64> = sum.total().iter().map(|sum| sum.cast_unsigned()).collect();
            object::write_array(&group, "sum", dims, &total)?
        };
        self.store_span(&dataset)?;
        nexus.map_or(Ok(()), |nexus| nexus.show_sum(&dataset, at))
    }

    /// The frames that the numbers of `object` are of.
    fn store_span(&self, object: &Id) -> Result<()> {
        object::set_number(object, "frames", self.n_frames)?;
        object::set_number(object, "first_frame", self.first_frame)
    }

    fn store_counts(&self, group: &Id) -> Result<()> {
        self.store_span(group)?;
        object::set_number(group, "pixels_bright", self.counts.n_bright)?;
        object::set_number(group, "pixels_zeroed", self.counts.n_zeroed)?;
        object::set_number(group, "zeroed_sum", self.counts.zeroed_sum)?;
        object::set_number(group, "pixels_saturated", self.counts.n_saturated)
    }
}

/// Refuses to continue a recording in another way than it was begun: what is stored beside the frames is said of all.
pub(super) fn agree<P: Element + Stored>(frames: &Frames, at: Hid, path: &str, done: &Done<'_, P>) -> Result<()> {
    let library = frames.dataset.library();
    let refused = |what: String| {
        let remedy = "give the same, or record to another dataset";
        Err(Error::Unsupported(format!("the frames of {path} were recorded with {what}: {remedy}")))
    };
    if !object::exists(library, at, &group_path(path))? {
        return Ok(());
    }
    let group = object::open(library, at, &group_path(path))?;
    match object::number::<u16>(&group, "threshold")? {
        found if found == done.threshold => {}
        None => return refused("no threshold".into()),
        Some(threshold) => return refused(format!("the threshold {threshold}")),
    }
    match (object::exists(library, group.get(), "dark")?, done.dark) {
        (false, None) => Ok(()),
        (false, Some(_)) => refused("no dark image".into()),
        (true, Some(dark)) if object::read_array::<P>(&group, "dark", &frames.shape.dims()[1..])? == dark => Ok(()),
        (true, _) => refused(format!("the dark image {}/dark", group_path(path))),
    }
}

fn store_filter(group: &Id, frames: &Frames) -> Result<()> {
    object::set_string(group, "software", concat!("darkchunk ", env!("CARGO_PKG_VERSION")))?;
    let Some(stored) = &frames.filter else { return Ok(()) };
    object::set_number(group, "filter", stored.id)?;
    object::set_string(group, "filter_name", Filter::from_cd_values(stored.id, &stored.values)?.name())?;
    object::set_numbers(group, "filter_parameters", &[stored.values.len() as u64], &stored.values)
}
