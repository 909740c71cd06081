//! `slices rechunk`: a dataset in chunks of another shape, each old one decoded once.

use std::path::{Path, PathBuf};

use darkchunk_hdf5::inspect::{self, DatasetInfo};
use darkchunk_hdf5::load;
use darkchunk_stream::convert::spec::{Spec, WORDS};
use darkchunk_stream::convert::{self, Converted, Output, Report, Resources};
use serde_json::json;

use crate::convert::{Bar, lost_words};
use crate::input::{Input, Jobs};
use crate::interrupt::Interrupt;
use crate::output::{Style, bytes, complain, note_left, print, wrapped};
use crate::{Found, Outcome};

/// Bytes of a row up to which a brick has 16 of them.
const LONG_ROW_BYTES: u64 = 16 << 10;

/// Frames, and rows, of a brick.
const BRICK: u64 = 16;

const HELP: &str = "Frames that are one chunk each are read whole for each sinogram; bricks of 16\n\
    frames and 16 rows are read 16 times less for either. A region of the dataset is\n\
    in memory at a time, as large that each old chunk is decoded once. All else of\n\
    the file is copied as it is. The new file is compared with the old one, pixel\n\
    by pixel, before it gets its name.\n\n\
    Examples:\n  darkchunk slices rechunk scan.h5:/entry/data/data -o bricks.h5\n  \
    darkchunk slices rechunk scan.h5:/data -o bricks.h5 --chunk 16,16,0 --to lz4";

#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// The file and the dataset, as FILE:/PATH
    #[arg(value_name = "FILE:/PATH")]
    input: String,
    /// The new file
    #[arg(short, long)]
    output: PathBuf,
    /// The shape of chunks; 0 is the whole axis [default: 16,16,0 for frames, with
    /// fewer rows where these are longer than 16 KiB]
    #[arg(long, value_name = "N,N,…", value_delimiter = ',')]
    chunk: Option<Vec<u64>>,
    /// What it is stored with; else with the filters that it has
    #[arg(long, value_name = "SPEC", long_help = format!("What it is stored with: {WORDS}; else with the filters that it has"))]
    to: Option<Spec>,
    /// Allow pixels to change, by as much as SPEC says
    #[arg(long)]
    lossy: bool,
    /// Memory for pixels, in MB
    #[arg(long, value_name = "MB", default_value_t = 1000)]
    memory: u64,
    #[command(flatten)]
    jobs: Jobs,
    #[command(flatten)]
    style: Style,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let library = load::library().map_err(|error| error.to_string())?;
    let (input, output, style) = (Input::of_dataset(&arguments.input)?, &arguments.output, arguments.style);
    if output.exists() {
        return Err(format!("{} is there already", output.display()));
    }
    let (steps, info) = {
        let file = input.open(&library)?;
        input.check(&library, &file)?;
        convert::check_leads(&library, &file, &input.file, output, &[])
            .map_err(|why| format!("{}: {why}", arguments.input))?;
        let info = inspect::dataset(&library, file.id(), &input.path)
            .map_err(|error| format!("{}: {error}", arguments.input))?;
        let chunk = arguments.chunk.clone().map_or_else(|| usual(&info), Ok)?;
        let to = arguments.to.clone().filter(|spec| spec.filters.is_some());
        (convert::rechunk(&library, &file, &input.path, chunk, to, arguments.lossy)?, info)
    };
    let interrupt = Interrupt::new()?;
    note_left(output);
    let bar = Bar::new(&steps, style, &interrupt);
    let memory = arguments.memory.saturating_mul(1_000_000);
    let resources = Resources { n_threads: arguments.jobs.n_threads(), memory };
    let place = Output { to: output, backup: None, resume: false, merge: false };
    let report = convert::convert(&library, &input.file, place, &steps, resources, &bar);
    bar.clear();
    if let (Some(code), Err(_)) = (interrupt.code(), &report) {
        complain(&bar.stopped(&input.name()));
        return Ok(Found::Stopped(code));
    }
    let report = report.map_err(|error| format!("{}: {error}", input.name()))?;
    let chunk = steps.iter().find_map(|step| Some(&step.storage.as_ref()?.chunk[..]));
    let done = Done { input: &input, output, info: &info, chunk, report: &report };
    print(&if style.json { done.json() } else { done.text(style) })?;
    Ok(if report.warnings.is_empty() { Found::Nothing } else { Found::Something })
}

/// Bricks for a stack of frames: of 16 frames and 16 rows, or fewer where rows are long, so that one has 4 MiB at most.
fn usual(info: &DatasetInfo) -> Result<Vec<u64>, String> {
    let dims = info.dims.as_deref().unwrap_or_default();
    let [_, _, width] = dims else {
        return Err(format!("the dataset has {} axes, and is no stack of frames: give --chunk", dims.len()));
    };
    let row_bytes = width.saturating_mul(info.element_bytes).max(1);
    let mut n_rows = BRICK;
    while n_rows > 1 && row_bytes.saturating_mul(n_rows) > BRICK * LONG_ROW_BYTES {
        n_rows /= 2;
    }
    let n_columns = BRICK * LONG_ROW_BYTES / info.element_bytes.max(1);
    Ok(vec![BRICK.min(dims[0]), n_rows.min(dims[1]), (*width).min(n_columns.max(1))])
}

/// What became of it.
struct Done<'a> {
    input: &'a Input,
    output: &'a Path,
    info: &'a DatasetInfo,
    chunk: Option<&'a [u64]>,
    report: &'a Report,
}

impl Done<'_> {
    /// How often an old chunk was decoded.
    fn times(&self) -> Option<f64> {
        let (decoded, dims) = (self.report.converted.first()?.decoded_bytes?, self.info.dims.as_ref()?);
        let whole = |(dim, chunk): (&u64, &u64)| dim.div_ceil(*chunk).saturating_mul(*chunk);
        let chunks = dims.iter().zip(self.info.chunk.as_ref()?).map(whole);
        Some(decoded as f64 / chunks.fold(self.info.element_bytes.max(1), u64::saturating_mul) as f64)
    }

    fn text(&self, style: Style) -> String {
        let mut text = String::new();
        if !style.quiet {
            text += &wrapped(0, &format!("{} -> {}", self.input.at(&self.input.path), self.output.display()));
            text += &match (self.report.converted.first(), self.chunk) {
                (Some(Converted { old_bytes, new_bytes, filters, lost, .. }), Some(chunk)) => {
                    let old = self.info.chunk.as_ref().map_or("in one piece".into(), |old| format!("chunks {old:?}"));
                    let lost = lost.as_ref().map_or("all pixels equal".to_owned(), lost_words);
                    let times =
                        self.times().map_or(String::new(), |times| format!("; each chunk decoded {times:.2} times"));
                    let sizes = format!("{} -> {}", bytes(*old_bytes), bytes(*new_bytes));
                    wrapped(2, &format!("{old} -> {chunk:?}, {filters}: {sizes}; {lost}{times}"))
                }
                _ => wrapped(2, "it is stored so already: copied as it is"),
            };
        }
        self.report.warnings.iter().for_each(|warning| text += &wrapped(2, &format!("warning: {warning}")));
        text
    }

    fn json(&self) -> String {
        let converted = self.report.converted.first();
        let object = json!({
            "verb": "slices rechunk", "file": self.input.name(), "path": self.input.path,
            "output": self.output.display().to_string(),
            "shape": self.info.dims, "old_chunk": self.info.chunk, "chunk": self.chunk.or(self.info.chunk.as_deref()),
            "filters": converted.map(|converted| &converted.filters), "bytes": self.info.n_bytes,
            "old_bytes": self.info.stored_bytes, "new_bytes": converted.map(|converted| converted.new_bytes),
            "decoded_bytes": converted.and_then(|converted| converted.decoded_bytes),
            "equal": converted.is_none_or(|converted| converted.lost.is_none()), "warnings": self.report.warnings,
        });
        format!("{object}\n")
    }
}
