//! What was found, as text and as JSON.

use std::ops::Range;

use darkchunk_hdf5::salvage::{Damage, Fault, FilterName, FoundDataset, FoundFault, FoundReport, Report};
use serde_json::{Value, json};

pub(super) fn as_text(dataset: &str, report: &Report) -> String {
    let mut lines: Vec<String> = report.faults.iter().map(fault_line).collect();
    for missing in &report.missing {
        lines.push(format!("{}: never written\n", name("chunk", missing)));
    }
    let filters: Vec<String> = report.filters.iter().map(filter_name).collect();
    let filters = match &filters[..] {
        [] => "no filter".to_owned(),
        [filter] => format!("filter {filter}"),
        several => format!("filters {}", several.join(" + ")),
    };
    lines.push(format!("{dataset} ({filters}): {}\n", counts(report)));
    lines.extend(report.not_examined.as_ref().map(|reason| format!("{dataset}: not examined: {reason}\n")));
    lines.concat()
}

fn fault_line(Fault { chunk, frames, doubtful_frames, damage, .. }: &Fault) -> String {
    let Damage { blocks, lost, doubtful, reason } = damage;
    let blocks = if blocks.is_empty() {
        String::new()
    } else {
        format!(", {}", name("block", &(blocks.start as u64..blocks.end as u64)))
    };
    let lost = match (lost.len(), doubtful.len()) {
        (0, 0) => "nothing lost".to_owned(),
        (0, n_bytes) => format!("{} may be wrong", part(n_bytes, doubtful_frames)),
        (n_bytes, _) => format!("{} lost", part(n_bytes, frames)),
    };
    format!("chunk {chunk}{blocks}: {lost}: {reason}\n")
}

/// So many bytes, and of which frames.
fn part(n_bytes: usize, frames: &Range<u64>) -> String {
    if frames.is_empty() {
        format!("{n_bytes} bytes after the last frame")
    } else {
        format!("{n_bytes} bytes of {}", name("frame", frames))
    }
}

fn filter_name(FilterName { id, name }: &FilterName) -> String {
    name.map_or(id.to_string(), |name| format!("{id}, {name}"))
}

/// How many chunks there are, and how many of each kind that there is.
fn counts(report: &Report) -> String {
    let kinds = [
        (report.n_intact, "intact"),
        (report.n_decoded, "decode (no checksum)"),
        (report.n_damaged, "damaged"),
        (report.n_missing(), "never written"),
        (report.n_not_examined, "not examined"),
    ];
    let kinds = kinds.iter().filter(|(n, _)| *n > 0).map(|(n, kind)| format!(", {n} {kind}"));
    format!("{} chunks{}", report.n_chunks, kinds.collect::<String>())
}

/// `block 3` or `blocks 3 to 5`.
fn name(what: &str, range: &Range<u64>) -> String {
    let (first, last) = (range.start, range.end - 1);
    if first == last { format!("{what} {first}") } else { format!("{what}s {first} to {last}") }
}

pub(super) fn as_json(dataset: &str, report: &Report) -> Value {
    json!({
        "dataset": dataset,
        "filters": report.filters.iter().map(|filter| filter.id).collect::<Vec<_>>(),
        "chunks": report.n_chunks,
        "intact": report.n_intact,
        "decode": report.n_decoded,
        "damaged": report.n_damaged,
        "missing": report.missing.iter().map(|range| [range.start, range.end]).collect::<Vec<_>>(),
        "not_examined": report.n_not_examined,
        "why_not_examined": report.not_examined,
        "faults": report.faults.iter().map(fault_as_json).collect::<Vec<_>>(),
    })
}

fn fault_as_json(Fault { chunk, offset, frames, doubtful_frames, damage }: &Fault) -> Value {
    json!({
        "chunk": chunk,
        "offset": offset,
        "frames": [frames.start, frames.end],
        "doubtful_frames": [doubtful_frames.start, doubtful_frames.end],
        "blocks": [damage.blocks.start, damage.blocks.end],
        "lost_bytes": [damage.lost.start, damage.lost.end],
        "doubtful_bytes": [damage.doubtful.start, damage.doubtful.end],
        "reason": damage.reason.to_string(),
    })
}

pub(super) fn found_as_text(file: &str, report: &FoundReport) -> String {
    let lines = report.faults.iter().map(|FoundFault { file_offset, frame_in_chunk, reason }| {
        format!("container at byte {file_offset}, frame {frame_in_chunk}: lost: {reason}\n")
    });
    let mut lines: Vec<String> = lines.collect();
    let FoundReport { n_containers, n_frames, n_lost, .. } = report;
    lines.push(format!(
        "{file}: {n_containers} DRLE containers found by their bytes: {n_frames} frames, {n_lost} lost\n"
    ));
    for (n, what) in [
        (report.n_not_saved, "frames of further types and sizes were not saved"),
        (report.n_skipped, "places that look like a container were not looked at"),
    ] {
        lines.extend((n > 0).then(|| format!("{file}: {n} {what}\n")));
    }
    lines.extend(report.datasets.iter().map(|FoundDataset { path, n_frames, element, height, width, threshold }| {
        format!("{path}: {n_frames} frames of {height} x {width} pixels, {element}, threshold {threshold}\n")
    }));
    if report.n_frames > 0 {
        lines.push("in the order of the file: which frames of which dataset they are is not known\n".to_owned());
    }
    lines.concat()
}

pub(super) fn found_as_json(file: &str, report: &FoundReport) -> Value {
    let faults = report.faults.iter().map(|FoundFault { file_offset, frame_in_chunk, reason }| {
        json!({ "file_offset": file_offset, "frame_in_chunk": frame_in_chunk, "reason": reason.to_string() })
    });
    let datasets = report.datasets.iter().map(|dataset| {
        json!({
            "path": dataset.path,
            "frames": dataset.n_frames,
            "element": dataset.element.to_string(),
            "height": dataset.height,
            "width": dataset.width,
            "threshold": dataset.threshold,
        })
    });
    json!({
        "file": file,
        "containers": report.n_containers,
        "frames": report.n_frames,
        "lost": report.n_lost,
        "not_saved": report.n_not_saved,
        "skipped": report.n_skipped,
        "datasets": datasets.collect::<Vec<_>>(),
        "faults": faults.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The report of a recording whose second chunk, of one frame, has a changed pixel.
    pub(crate) fn check_words(report: &Report) {
        let text = as_text("/x", report);
        let [fault, summary] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
        let expected = "chunk 1, block 0: 2400 bytes of frame 1 lost: the chunk is damaged: its checksum is 0x";
        assert!(fault.starts_with(expected), "{fault}");
        assert_eq!(summary, "/x (filter 36114, DRLE): 20 chunks, 19 intact, 1 damaged");

        let mut words = as_json("/x", report);
        let reason = words["faults"][0]["reason"].take();
        assert!(reason.as_str().is_some_and(|reason| fault.ends_with(reason)), "{reason}");
        let fault = json!({
            "chunk": 1,
            "offset": [1, 0, 0],
            "frames": [1, 2],
            "doubtful_frames": [1, 1],
            "blocks": [0, 1],
            "lost_bytes": [0, 2400],
            "doubtful_bytes": [0, 0],
            "reason": null,
        });
        let counts = json!({
            "dataset": "/x",
            "filters": [36114],
            "chunks": 20,
            "intact": 19,
            "decode": 0,
            "damaged": 1,
            "missing": [],
            "not_examined": 0,
            "why_not_examined": null,
            "faults": [fault],
        });
        assert_eq!(words, counts);
    }

    #[test]
    fn what_was_found_is_said() {
        let reason = darkchunk::Error::Checksum { stored: 1, computed: 2 };
        let report = FoundReport {
            n_containers: 3,
            n_frames: 5,
            n_lost: 1,
            faults: vec![FoundFault { file_offset: 2048, frame_in_chunk: 1, reason }],
            n_not_saved: 0,
            n_skipped: 9,
            datasets: vec![FoundDataset {
                path: "/found/1/frames".into(),
                n_frames: 5,
                element: darkchunk::element::ElementType::U16,
                height: 1,
                width: 1200,
                threshold: 5,
            }],
        };
        let text = "container at byte 2048, frame 1: lost: the chunk is damaged: its checksum is 0x00000001, its bytes give \
                    0x00000002\nrun.h5: 3 DRLE containers found by their bytes: 5 frames, 1 lost\nrun.h5: 9 places that look \
                    like a container were not looked at\n/found/1/frames: 5 frames of 1 x 1200 pixels, uint16, threshold 5\n\
                    in the order of the file: which frames of which dataset they are is not known\n";
        assert_eq!(found_as_text("run.h5", &report), text);
        let json = found_as_json("run.h5", &report);
        assert_eq!(
            (&json["frames"], &json["faults"][0]["file_offset"], &json["datasets"][0]["width"]),
            (&5.into(), &2048.into(), &1200.into())
        );
    }
}
