//! The NeXus groups that let viewers show a file without being told where the images are.
//!
//! ```text
//! /                        @default
//!   entry                  NXentry, @default = data
//!     instrument           NXinstrument
//!       detector           NXdetector
//!         data             (frames, height, width), @interpretation = image
//!     data                 NXdata, @signal = data, @axes; data is the same dataset
//!     sum_image            NXdata, @signal = sum: the sum of all frames, once the recording is finished
//! ```

use super::api::Hid;
use super::library::Library;
use super::object::{self, Id};
use crate::{Error, Result};

/// The groups of one detector's images.
#[derive(Debug)]
pub(super) struct Layout {
    /// What the entry is in: the file's root, or, where the dataset's path is relative, the group that it starts from.
    root: &'static str,
    /// Path of the entry.
    entry: String,
    /// Names of the four steps of the dataset's path: entry, instrument, detector, dataset.
    names: [String; 4],
}

impl Layout {
    /// From the dataset's path, `/ENTRY/INSTRUMENT/DETECTOR/NAME`, or the same without the first stroke.
    pub(super) fn new(path: &str) -> Result<Self> {
        let steps: Vec<String> = path.split('/').filter(|step| !step.is_empty()).map(str::to_owned).collect();
        let names: [String; 4] = steps.try_into().map_err(|_| {
            Error::Unsupported(format!(
                "NeXus needs a path like /entry/instrument/detector/data, not {path}: give such a path, or no NeXus"
            ))
        })?;
        let (root, first) = if path.starts_with('/') { ("/", "/") } else { (".", "") };
        Ok(Self { root, entry: format!("{first}{}", names[0]), names })
    }

    /// Makes the groups around the dataset, up to the one that holds it.
    pub(super) fn create(&self, library: &Library, at: Hid) -> Result<()> {
        let root = object::open(library, at, self.root)?;
        if object::attribute_is_missing(&root, "default")? {
            object::set_string(&root, "default", &self.names[0])?;
        }
        let [_, instrument, detector, _] = &self.names;
        let instrument = format!("{}/{instrument}", self.entry);
        let detector = format!("{instrument}/{detector}");
        for (path, class) in [(&self.entry, "NXentry"), (&instrument, "NXinstrument"), (&detector, "NXdetector")] {
            let group = object::group(library, at, path)?;
            object::set_string(&group, "NX_class", class)?;
        }
        Ok(())
    }

    /// Shows the dataset, which has its name already, as the entry's plot.
    pub(super) fn show(&self, dataset: &Id, at: Hid) -> Result<()> {
        object::set_string(dataset, "interpretation", "image")?;
        let plot = self.plot("data", "data", dataset, at)?;
        let entry = object::open(dataset.library(), at, &self.entry)?;
        if object::attribute_is_missing(&entry, "default")? {
            object::set_string(&entry, "default", &plot)?;
        }
        Ok(())
    }

    /// Shows the sum image as a plot beside it.
    pub(super) fn show_sum(&self, sum: &Id, at: Hid) -> Result<()> {
        object::set_string(sum, "interpretation", "image")?;
        self.plot("sum_image", "sum", sum, at).map(drop)
    }

    /// A group of the entry that shows `dataset` as `signal`; the group's name is returned. A detector that is not
    /// called so has its name in it.
    fn plot(&self, group: &str, signal: &str, dataset: &Id, at: Hid) -> Result<String> {
        let detector = &self.names[2];
        let group = if detector == "detector" { group.to_owned() } else { format!("{group}_{detector}") };
        let plot = object::group(dataset.library(), at, &format!("{}/{group}", self.entry))?;
        let rank = if signal == "sum" { 2 } else { 3 };
        object::set_string(&plot, "NX_class", "NXdata")?;
        object::set_string(&plot, "signal", signal)?;
        object::set_strings(&plot, "axes", &[rank as u64], &vec!["."; rank])?;
        if !object::exists(dataset.library(), plot.get(), signal)? {
            object::link(dataset, plot.get(), signal)?;
        }
        Ok(group)
    }
}
