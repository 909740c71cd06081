//! `slices index`: where the blocks of a dataset's chunks are, in a file beside it.

use std::time::Duration;

use darkchunk_hdf5::load;
use darkchunk_stream::slabs::index_path;
use darkchunk_stream::{IndexWriter, Options, Reader};
use serde_json::json;

use crate::input::Input;
use crate::interrupt::Interrupt;
use crate::output::{Style, bytes, complain, count, print, progress, wrapped};
use crate::{Found, Outcome};

/// How long chunks are walked before signals are looked for.
const STEP: Duration = Duration::from_millis(100);

const HELP: &str = "Of frames that are chunks, a slab of sinograms needs few blocks of each. Where\n\
    these are, only a walk over the chunk says: without an index the first slab\n\
    reads all of each chunk, and a set too large for memory does so again. Nothing\n\
    is decoded. `run` and `plan` find the index by its name, FILE.PATH.blocks. What\n\
    was written anew since is read as without an index. Only bitshuffle has blocks\n\
    that need one.\n\n\
    Example:\n  darkchunk slices index scan.h5:/entry/data/data";

#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// The file and the dataset, as FILE:/PATH
    #[arg(value_name = "FILE:/PATH")]
    input: String,
    #[command(flatten)]
    style: Style,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let library = load::library().map_err(|error| error.to_string())?;
    let (input, style) = (Input::of_dataset(&arguments.input)?, arguments.style);
    let failed = |error: darkchunk_stream::Error| format!("{}: {error}", arguments.input);
    let file = input.open(&library)?;
    input.check(&library, &file)?;
    let reader = Reader::open_path(&library, file.id(), &input.path, Options::default()).map_err(failed)?;
    let (n_chunks, stored_bytes) = reader.stored().unwrap_or_default();
    let to = index_path(&input.file, &input.path);
    let interrupt = Interrupt::new()?;
    let bar = progress(stored_bytes, style);
    let mut index = IndexWriter::begin(&reader, &to).map_err(failed)?;
    while !index.step(Some(STEP)).map_err(failed)? {
        bar.set_position(index.walked_bytes());
        if let Some(code) = interrupt.code() {
            bar.finish_and_clear();
            complain(&format!("{}: stopped: there is no new index", arguments.input));
            return Ok(Found::Stopped(code));
        }
    }
    bar.finish_and_clear();
    let n_bytes = std::fs::metadata(&to).map_or(0, |found| found.len());
    let object = json!({
        "verb": "slices index", "file": input.name(), "path": input.path, "index": to.display().to_string(),
        "bytes": n_bytes, "chunks": n_chunks, "stored_bytes": stored_bytes,
    });
    let text = format!("{}: {} of {}", to.display(), bytes(n_bytes), count(n_chunks, "chunk"));
    match style {
        Style { json: true, .. } => print(&format!("{object}\n"))?,
        Style { quiet: true, .. } => {}
        _ => print(&wrapped(0, &text))?,
    }
    Ok(Found::Nothing)
}
