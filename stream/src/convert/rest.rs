//! What is neither encoded anew nor copied chunk by chunk: links, attributes, types, strings and sequences of variable length, data
//! without chunks, references. They are compared as [`diff`] compares files.

use std::collections::HashMap;

use darkchunk_hdf5::{File, Library};

use super::{Phase, Step, Watch as Progress, go_on};
use crate::diff::{self, Difference, Options, Side, Watch, What};

/// Memory for elements.
const MEMORY: u64 = 64 << 20;

/// Differences that are named.
const MAX_NAMED: usize = 3;

struct Found<'a> {
    steps: HashMap<&'a str, &'a Step>,
    differences: Vec<String>,
    /// Those that an emptied reference does not explain.
    n_unexplained: usize,
    progress: &'a dyn Progress,
}

impl Watch for Found<'_> {
    fn begin(&mut self, path: &str) {
        self.progress.begin(Phase::Compare, path);
    }

    fn seen(&mut self, _n_bytes: u64) {}

    fn wants(&mut self, path: &str) -> bool {
        // Pixels were compared, and so were chunks as they are stored. What is elsewhere may not be there.
        let is_left = |step: &&Step| {
            let info = &step.info;
            step.storage.is_none()
                && (info.refers || info.chunk.is_none())
                && (info.chunk.is_some() || info.is_in_one_piece)
        };
        !self.progress.is_stopped() && self.steps.get(path).is_some_and(is_left)
    }

    fn found(&mut self, Difference { path, what }: Difference) -> Result<(), String> {
        go_on(self.progress, 0).map_err(|error| error.to_string())?;
        let refers = || self.steps.get(&*path).is_some_and(|step| step.info.refers);
        let is_explained = match &what {
            What::Attribute(_, before, after) => before.is_some() && after.is_some(),
            What::Elements(_) => refers(),
            _ => false,
        };
        self.n_unexplained += usize::from(!is_explained);
        let what = match what {
            What::Only(..) => "it is only in one of the two".to_owned(),
            What::Kind(old, new) => format!("{old} became {new}"),
            What::Type(old, new) | What::Shape(old, new) | What::MaxShape(old, new) => format!("{old} became {new}"),
            What::Attribute(name, ..) => format!("its attribute {name} is not the same"),
            What::Elements(elements) => format!("{} of its elements differ", elements.n_different),
            What::NotCompared(why) => format!("it could not be compared: {why}"),
        };
        self.differences.push(format!("{path}: {what}"));
        Ok(())
    }
}

/// Compares what is left of two files. References that lead nowhere are empty in the copy, of which `warnings` tell: then a
/// difference of a value is a warning, too.
pub(super) fn compare(
    library: &Library,
    (from, to): (&File, &File),
    steps: &[Step],
    is_merged: bool,
    warnings: &mut Vec<String>,
    progress: &dyn Progress,
) -> Result<(), String> {
    let steps = steps.iter().map(|step| (&*step.path, step)).collect();
    let mut found = Found { steps, differences: Vec::new(), n_unexplained: 0, progress };
    let options = Options { memory: MEMORY, ..Options::default() };
    let side = |file, is_merged| Side { file, path: "/", is_merged };
    diff::files(library, side(from, is_merged), side(to, false), options, &mut found)?;
    // After a stop not all was looked at.
    go_on(progress, 0).map_err(|error| error.to_string())?;
    let Found { differences, n_unexplained, .. } = found;
    if differences.is_empty() {
        return Ok(());
    }
    if !warnings.is_empty() && n_unexplained == 0 {
        warnings.extend(differences);
        return Ok(());
    }
    let n_more = differences.len().saturating_sub(MAX_NAMED);
    let more = if n_more > 0 { format!("; and {n_more} more") } else { String::new() };
    let named = differences.iter().take(MAX_NAMED).cloned().collect::<Vec<_>>().join("; ");
    Err(format!("the new file is not the same: {named}{more}: nothing was replaced"))
}
