//! What `convert` would do, and what it did: as text and as JSON.

use std::path::Path;

use darkchunk_hdf5::inspect::FilterInfo;
use darkchunk_stream::convert::spec::Loss;
use darkchunk_stream::convert::{Converted, Lost, Report, Step};
use serde_json::json;

use crate::input::Input;
use crate::output::{Style, bytes, count, shown, wrapped};

pub(super) fn planned(input: &Input, steps: &[Step], style: Style) -> String {
    if style.json {
        let lines = steps.iter().map(|step| {
            let storage = step.storage.as_ref();
            let object = json!({
                "verb": "convert", "file": input.name(), "path": step.path, "dry_run": true,
                "changes": storage.is_some(), "chunk": storage.map(|storage| &storage.chunk),
                "filters": storage.map(|storage| storage.filters.iter().map(|(id, _)| id).collect::<Vec<_>>()),
                "verbatim": step.is_verbatim, "lossy": step.loss != Loss::None || !step.keep.is_empty(),
            });
            format!("{object}\n")
        });
        return lines.collect();
    }
    let mut text = format!("{}: nothing is written (--dry-run)\n", shown(&input.name()));
    for Step { path, info, storage, loss, is_verbatim, keep } in steps {
        let old = words(&info.filters);
        text += &match storage {
            Some(storage) => {
                let new = storage.filters_of(info).map_or_else(|error| error.to_string(), |filters| words(&filters));
                let new = if *is_verbatim { format!("{new}, as it is stored") } else { new };
                let loss = if *loss == Loss::None { "" } else { ", pixels change" };
                let keep = if keep.is_empty() { "" } else { ", frames are left out" };
                wrapped(2, &format!("{path}: {old} -> {new}, chunks {:?}{loss}{keep}", storage.chunk))
            }
            None => wrapped(2, &format!("{path}: as it is ({old})")),
        };
    }
    text
}

/// Filters in their order.
fn words(filters: &[FilterInfo]) -> String {
    match filters {
        [] => "no filter".to_owned(),
        filters => filters.iter().map(|filter| &*filter.words).collect::<Vec<_>>().join(" + "),
    }
}

pub(super) fn as_text(input: &Input, output: &Path, report: &Report, style: Style) -> String {
    let mut text = String::new();
    if !style.quiet {
        text += &wrapped(0, &format!("{} -> {}", input.name(), output.display()));
        for Converted { path, old_bytes, new_bytes, filters, lost, left_out, .. } in &report.converted {
            let sizes = format!("{} -> {}", bytes(*old_bytes), bytes(*new_bytes));
            let lost = lost.as_ref().map_or("all pixels equal".to_owned(), lost_words);
            let lost = match left_out {
                Some((n, of)) => {
                    format!("LOSSY: {n} of {of} frames left out, marked in {path}_darkchunk; of the others: {lost}")
                }
                None => lost,
            };
            text += &wrapped(2, &format!("{path}: {filters}: {sizes}; {lost}"));
        }
        if report.n_kept > 0 {
            text += &format!("  {} copied as stored, not decoded\n", count(report.n_kept as u64, "dataset"));
        }
    }
    report.warnings.iter().for_each(|warning| text += &wrapped(2, &format!("warning: {warning}")));
    text
}

pub(crate) fn lost_words(Lost { n_pixels, n_changed, max_difference, sum }: &Lost) -> String {
    format!("LOSSY: {n_changed} of {n_pixels} pixels changed, by {max_difference} at most, their sum by {sum}")
}

pub(super) fn as_json(input: &Input, output: &Path, report: &Report) -> String {
    let output = output.display().to_string();
    let mut text = String::new();
    for Converted { path, old_bytes, new_bytes, filters, lost, left_out, .. } in &report.converted {
        let is_equal = lost.is_none() && left_out.is_none_or(|(n, _)| n == 0);
        let lost = lost.map(|Lost { n_pixels, n_changed, max_difference, sum }| {
            json!({ "pixels": n_pixels, "changed": n_changed, "max_difference": max_difference, "sum": sum.to_string() })
        });
        let object = json!({
            "verb": "convert", "file": input.name(), "output": output, "path": path, "filters": filters,
            "old_bytes": old_bytes, "new_bytes": new_bytes, "equal": is_equal, "lost": lost,
            "frames": left_out.map(|(_, of)| of), "frames_left_out": left_out.map(|(n, _)| n),
        });
        text += &format!("{object}\n");
    }
    let whole = json!({
        "verb": "convert", "file": input.name(), "output": output, "path": "/", "kept": report.n_kept,
        "converted": report.converted.len(), "warnings": report.warnings,
    });
    text + &format!("{whole}\n")
}
