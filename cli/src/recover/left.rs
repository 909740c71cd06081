//! What a recording that was killed has left: its file, and the journal beside it.

use std::path::Path;

use darkchunk_hdf5::load;
use darkchunk_stream::journal::{self, Rest, RestoredFile};
use serde_json::json;

use super::watched;
use crate::input::Input;
use crate::output::{Style, count, print, wrapped};
use crate::{Found, Outcome};

/// Restores a file into `output`, or in place.
pub(super) fn restore(input: &Input, output: Option<&Path>, style: Style) -> Outcome {
    let library = load::library().map_err(|error| error.to_string())?;
    let file = &*input.file;
    let made = watched(input, style, |watch| match output {
        Some(output) => journal::restore_file(&library, file, output, watch),
        None => journal::restore_in_place(&library, file, watch),
    });
    let made = match made {
        Ok(made) => made,
        Err(outcome) => return outcome,
    };
    print(&if style.json { as_json(file, output, &made) } else { as_text(file, output, &made) })?;
    let is_all = made.restored.n_lost_chunks == 0 && made.restored.n_lost_rows == 0 && made.rest.lost().is_empty();
    Ok(if is_all { Found::Nothing } else { Found::Something })
}

fn as_text(file: &Path, output: Option<&Path>, made: &RestoredFile) -> String {
    let (from, to) = (file.display(), output.unwrap_or(file).display());
    let mut text = wrapped(0, &format!("{from} -> {to}"));
    let mut line = |words: String| text += &wrapped(2, &words);
    if output.is_none() {
        line(format!("what was left is kept: {}", journal::left_of(file).display()));
    }
    let restored = made.restored;
    line(format!(
        "restored by the journal: {}, {} of metadata",
        count(restored.n_chunks, "chunk"),
        count(restored.n_rows, "row")
    ));
    for dataset in &made.datasets {
        line(format!("{}: {}", dataset.path, count(dataset.n_frames, "frame")));
    }
    if restored.n_lost_chunks > 0 || restored.n_lost_rows > 0 {
        line(format!(
            "LOST with the process, or to a full disk: {} that had not been written; {} of lost frames marked so in frame_status",
            count(restored.n_lost_chunks, "chunk"),
            count(restored.n_lost_rows, "row")
        ));
    }
    if let Rest::Copied(rest) = &made.rest {
        line(format!("{} besides, copied", count(rest.n_copied, "object")));
        rest.warnings.iter().for_each(|warning| line(format!("warning: {warning}")));
    }
    made.rest.lost().into_iter().for_each(|lost| line(format!("LOST: {lost}")));
    text
}

fn as_json(file: &Path, output: Option<&Path>, made: &RestoredFile) -> String {
    let (name, output) = (file.display().to_string(), output.unwrap_or(file).display().to_string());
    let object = |path: &str| json!({ "verb": "recover", "file": name, "output": output, "path": path });
    let mut text = String::new();
    for dataset in &made.datasets {
        let mut line = object(&dataset.path);
        line["state"] = "restored".into();
        line["frames"] = dataset.n_frames.into();
        line["chunks"] = dataset.n_chunks.into();
        text += &format!("{line}\n");
    }
    let (restored, mut line) = (made.restored, object("/"));
    let (copied, warnings) = match &made.rest {
        Rest::Copied(rest) => (rest.n_copied, &rest.warnings[..]),
        Rest::NotCopied(_) => (0, &[][..]),
    };
    line["journal"] = json!({
        "chunks": restored.n_chunks, "chunks_lost": restored.n_lost_chunks, "rows": restored.n_rows,
        "rows_lost": restored.n_lost_rows, "unread_bytes": restored.n_unread_bytes,
    });
    line["copied"] = copied.into();
    line["warnings"] = warnings.into();
    line["lost"] = made.rest.lost().into();
    text + &format!("{line}\n")
}
