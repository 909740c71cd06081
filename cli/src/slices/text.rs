//! What is said of a run.

use std::ops::Range;

use darkchunk_stream::Way;
use darkchunk_stream::slabs::{InputPlan, Summary};
use serde_json::json;

use super::Common;
use crate::output::{bytes, count, print, shown, wrapped};
use crate::{Found, Outcome};

impl Common {
    /// Says what became of some slices.
    pub(super) fn summary(&self, inputs: &[InputPlan], own: Range<u64>, summary: &Summary, kept: &str) -> Outcome {
        print(&if self.style.json { self.json(inputs, own, summary) } else { self.text(inputs, summary, kept) })?;
        Ok(if summary.n_failed > 0 { Found::Something } else { Found::Nothing })
    }

    fn text(&self, inputs: &[InputPlan], summary: &Summary, kept: &str) -> String {
        let mut text = String::new();
        if !self.style.quiet {
            let Summary { n_done, n_skipped, n_failed, n_not_reached, n_kept, .. } = summary;
            let words = [(n_skipped, "skipped"), (n_failed, "failed"), (n_not_reached, "not reached"), (n_kept, kept)];
            let others = words.iter().filter(|(n, _)| **n > 0).map(|(n, words)| format!(", {n} {words}"));
            text += &wrapped(0, &format!("{} done{}", count(*n_done, "slice"), others.collect::<String>()));
            for (input, found) in inputs.iter().zip(&summary.statistics) {
                let (read, decoded) = (bytes(found.read_bytes), bytes(found.decoded_bytes));
                text += &wrapped(2, &format!("{}: {read} read, {decoded} decoded", input.path));
            }
        }
        if let Some((slice, reason)) = &summary.failure {
            text += &wrapped(2, &format!("the first that failed: slice {slice}: {}", shown(reason)));
        }
        text
    }

    fn json(&self, inputs: &[InputPlan], own: Range<u64>, summary: &Summary) -> String {
        let inputs = inputs.iter().zip(&summary.statistics).map(|(input, found)| {
            json!({ "path": input.path, "read_bytes": found.read_bytes, "decoded_bytes": found.decoded_bytes })
        });
        let failure = summary.failure.as_ref().map(|(slice, reason)| json!({ "slice": slice, "reason": reason }));
        let object = json!({
            "verb": "slices run", "file": self.file.display().to_string(),
            "output": self.output.as_ref().map(|path| path.display().to_string()), "done": summary.n_done,
            "skipped": summary.n_skipped, "failed": summary.n_failed, "not_reached": summary.n_not_reached, "kept": summary.n_kept,
            "first": own.start, "end": own.end, "failure": failure, "inputs": inputs.collect::<Vec<_>>(),
        });
        format!("{object}\n")
    }
}

pub(super) fn input_words(input: &InputPlan) -> String {
    let InputPlan { path, dims, chunk, map, .. } = input;
    let chunk = chunk.as_ref().map_or("in one piece".to_owned(), |chunk| format!("chunks {chunk:?}"));
    let how = match input.way {
        Way::Direct => String::new(),
        Way::Chunks => format!(", chunks through HDF5 ({})", input.reason),
        Way::Hdf5 => format!(", through HDF5 on one thread ({})", input.reason),
    };
    let stored = input.stored_bytes.map_or(String::new(), |n_bytes| format!(", {} stored", bytes(n_bytes)));
    let index = match input.n_indexed {
        Some(n) => format!(", index of {}", count(n, "chunk")),
        None if input.is_in_parts => ", no index (slices index)".to_owned(),
        None => String::new(),
    };
    let times = input.decoded_bytes as f64 / input.n_bytes.max(1) as f64;
    format!(
        "{path} {dims:?}, {chunk}, map {map:?}{how}: {}{stored}{index}, {} decoded ({times:.2} times); a slab has {}",
        bytes(input.n_bytes),
        bytes(input.decoded_bytes),
        bytes(input.slab_bytes)
    )
}
