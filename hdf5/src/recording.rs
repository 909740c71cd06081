//! What is stored beside the frames when a recording is finished: what was done to them, and what that cost.
//! [The crate](crate) has the names.

use super::chunk_writer::ChunkWriter;
use super::object::{self, Id, Stored};
use crate::{Error, Result};
use darkchunk::chunk::{Filter, FrameEncoder, Totals};
use darkchunk::frame::Element;
use darkchunk::kernels::dark::FrameCounts;

fn group_path(chunks: &ChunkWriter) -> String {
    format!("{}_darkchunk", chunks.path())
}

/// The group that an earlier recording left.
fn earlier(chunks: &ChunkWriter) -> Result<Option<Id>> {
    let (library, path) = (chunks.library(), group_path(chunks));
    let is_there = object::exists(library, chunks.place(), &path)?;
    is_there.then(|| object::open(library, chunks.place(), &path)).transpose()
}

/// Refuses to continue a recording in another way than it was begun: what is stored beside the frames is said of all.
pub(super) fn agree<P: Element + Stored>(encoder: &FrameEncoder<P>, chunks: &ChunkWriter) -> Result<()> {
    let Some(group) = earlier(chunks)? else { return Ok(()) };
    let refused = |what: String| {
        let remedy = "give the same, or record to another dataset";
        Err(Error::Unsupported(format!("the frames of {} were recorded with {what}: {remedy}", chunks.path())))
    };
    match object::number::<u16>(&group, "threshold")? {
        found if found == encoder.threshold() => {}
        None => return refused("no threshold".into()),
        Some(threshold) => return refused(format!("the threshold {threshold}")),
    }
    let dims = &chunks.shape().dims()[1..];
    match (object::exists(chunks.library(), group.get(), "dark")?, encoder.dark()) {
        (false, None) => Ok(()),
        (false, Some(_)) => refused("no dark image".into()),
        (true, Some(dark)) if object::read_array::<P>(&group, "dark", dims)? == dark => Ok(()),
        (true, _) => refused(format!("the dark image {}/dark", group_path(chunks))),
    }
}

/// Continues what an earlier recording left beside the frames, where that is of all the frames that are there.
pub(super) fn resume(totals: &mut Totals, chunks: &ChunkWriter) -> Result<()> {
    let Some(group) = earlier(chunks)? else { return Ok(()) };
    let number = |name| object::number::<u64>(&group, name);
    let (Some(n_frames), Some(first_frame)) = (number("frames")?, number("first_frame")?) else { return Ok(()) };
    if first_frame.checked_add(n_frames) != Some(chunks.n_stored()) {
        return Ok(());
    }
    if let Some(sum) = &mut totals.sum {
        if !object::exists(chunks.library(), group.get(), "sum")? {
            return Ok(());
        }
        sum.begin_with(object::read_array(&group, "sum", &chunks.shape().dims()[1..])?, n_frames);
    }
    totals.counts = FrameCounts {
        n_bright: number("pixels_bright")?.unwrap_or(0),
        n_zeroed: number("pixels_zeroed")?.unwrap_or(0),
        zeroed_sum: object::number(&group, "zeroed_sum")?.unwrap_or(0),
        n_saturated: number("pixels_saturated")?.unwrap_or(0),
    };
    totals.n_frames = n_frames;
    Ok(())
}

/// Stores everything beside the frames, all of which are in the file. May be done again, with newer numbers.
pub(super) fn store<P: Element + Stored>(encoder: &mut FrameEncoder<P>, chunks: &ChunkWriter) -> Result<()> {
    let group = object::group(chunks.library(), chunks.place(), &group_path(chunks))?;
    object::set_string(&group, "NX_class", "NXcollection")?;
    store_counts(&group, encoder.totals(), chunks)?;
    store_filter(&group, chunks)?;
    if let Some(threshold) = encoder.threshold() {
        object::set_number(&group, "threshold", threshold)?;
    }
    if let Some(dark) = encoder.dark() {
        object::write_array(&group, "dark", &chunks.shape().dims()[1..], dark)?;
    }
    store_sum(&group, encoder, chunks)
}

fn store_sum<P: Element>(group: &Id, encoder: &mut FrameEncoder<P>, chunks: &ChunkWriter) -> Result<()> {
    let (dims, has_threshold) = (&chunks.shape().dims()[1..], encoder.threshold().is_some());
    let Some(sum) = &mut encoder.totals_mut().sum else { return Ok(()) };
    let n_frames = sum.n_frames();
    let dataset = if sum.is_signed() && !has_threshold {
        object::write_array(group, "sum", dims, sum.total())?
    } else {
        let total: Vec<u64> = sum.total().iter().map(|sum| sum.cast_unsigned()).collect();
        object::write_array(group, "sum", dims, &total)?
    };
    store_span(&dataset, n_frames, chunks)?;
    chunks.nexus().map_or(Ok(()), |nexus| nexus.show_sum(&dataset, chunks.place()))
}

/// The frames that the numbers of `object` are of: the last `n_frames`.
fn store_span(object: &Id, n_frames: u64, chunks: &ChunkWriter) -> Result<()> {
    object::set_number(object, "frames", n_frames)?;
    object::set_number(object, "first_frame", chunks.n_stored() - n_frames)
}

fn store_counts(group: &Id, totals: &Totals, chunks: &ChunkWriter) -> Result<()> {
    store_span(group, totals.n_frames, chunks)?;
    object::set_number(group, "pixels_bright", totals.counts.n_bright)?;
    object::set_number(group, "pixels_zeroed", totals.counts.n_zeroed)?;
    object::set_number(group, "zeroed_sum", totals.counts.zeroed_sum)?;
    object::set_number(group, "pixels_saturated", totals.counts.n_saturated)
}

fn store_filter(group: &Id, chunks: &ChunkWriter) -> Result<()> {
    object::set_string(group, "software", concat!("darkchunk ", env!("CARGO_PKG_VERSION")))?;
    let Some((id, values)) = chunks.cd_values() else { return Ok(()) };
    object::set_number(group, "filter", id)?;
    object::set_string(group, "filter_name", Filter::from_cd_values(id, values)?.name())?;
    object::set_numbers(group, "filter_parameters", &[values.len() as u64], values)
}
