//! `convert`: files with datasets stored otherwise.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use darkchunk_hdf5::{File, Library, load};
use darkchunk_stream::convert::keep::{Rule, WORDS as KEEP_WORDS};
use darkchunk_stream::convert::spec::{Spec, WORDS};
use darkchunk_stream::convert::{self, Output, Phase, Resources, Rules, Step, Watch};
use indicatif::ProgressBar;

use crate::input::{Input, Inputs, Jobs, readable};
use crate::interrupt::Interrupt;
use crate::output::{Style, complain, note_left, print, progress, shown};
use crate::{Found, Outcome};
pub(crate) use report::lost_words;
use report::{as_json, as_text, planned};

mod report;

const HELP: &str = "Everything else is kept: attributes, links, references, scales, virtual \
    datasets. Datasets that do not change are copied chunk by chunk, as they are \
    stored. The new file is compared with the old one, pixel by pixel, before it \
    gets its name.\n\n\
    Examples:\n  darkchunk convert old.h5 -o new.h5 --to bitshuffle-lz4\n  \
    darkchunk convert old.h5 -o new.h5 -d '*/data=drle:20' --lossy\n  \
    darkchunk convert -r /data/2026 -o /archive --to blosc:zstd:5:bit -j 8\n  \
    darkchunk convert run12_master.h5 -o run12.h5 --merge\n  \
    darkchunk convert run12.h5 -o hits.h5 --keep 'bright(20)>50' --lossy\n  \
    darkchunk convert run12.h5 --replace --keep-backup --to zstd:3";

/// Store datasets of files with other filters; prove that nothing changed
#[derive(Debug, clap::Args)]
#[command(after_help = HELP, mut_arg("files", |files| files.value_name("FILE").help("Files")))]
pub(crate) struct Arguments {
    #[command(flatten)]
    inputs: Inputs,
    /// The new file; of several files, or with -r, the folder for them
    #[arg(short, long, required_unless_present_any = ["replace", "dry_run"], conflicts_with = "replace")]
    output: Option<PathBuf>,
    /// Put the new file into the old one's place
    #[arg(long)]
    replace: bool,
    /// Keep the old file as FILE.before
    #[arg(long, requires = "replace", conflicts_with = "output")]
    keep_backup: bool,
    /// What all datasets of pixels of 4096 bytes or more are stored with
    #[arg(long, value_name = "SPEC", long_help = format!("What all datasets of pixels are stored with: {WORDS}. drle makes \
        pixels below THRESHOLD 0; bounded keeps each within COUNTS of what it was, BETA standard deviations of photon noise, or a SHARE of the \
        values' range. `darkchunk try FILE` says which is best"))]
    to: Option<Spec>,
    /// Store some otherwise: those whose name (or path, where GLOB has a /) fits
    /// GLOB, in which * and ? stand for others. SPEC as of --to; of several -d the
    /// first that fits counts
    #[arg(short, long = "dataset", value_name = "GLOB=SPEC", value_parser = pattern)]
    dataset: Vec<(String, Spec)>,
    /// The shape of chunks, such as 1,512,512; 0 is the whole axis
    #[arg(long, value_name = "N,N,…", value_delimiter = ',')]
    chunk: Option<Vec<u64>>,
    /// Allow pixels to change, by as much as SPEC says
    #[arg(long)]
    lossy: bool,
    /// Allow a second loss after that of a lossy filter
    #[arg(long)]
    force: bool,
    /// Memory for pixels, in MB
    #[arg(long, value_name = "MB", default_value_t = 1000)]
    memory: u64,
    /// Keep what is done in .OUT.parts, and go on from there when called again
    #[arg(long)]
    resume: bool,
    /// Make one ordinary file of FILE and the files that it leads to
    #[arg(
        long,
        long_help = "Make one ordinary file of FILE and the files that it leads to by external links, virtual datasets and \
            external data. Chunks are copied as they are stored where those of the sources fit, else decoded and encoded. A file \
            that is missing is an error"
    )]
    merge: bool,
    /// Leave out frames, but where RULE holds: sum>1e6, bright(20)>50, …
    #[arg(
        long,
        value_name = "RULE",
        conflicts_with = "resume",
        requires = "lossy",
        long_help = format!("Leave out frames but those for which RULE holds, and each RULE of several: {KEEP_WORDS}. bright(COUNTS) is the \
            number of pixels that have COUNTS or more, column:/PATH the frame's number in that dataset. Frames that are left out keep their \
            numbers: their chunks are missing, and the column frame_status beside the dataset says 2, vetoed")
    )]
    keep: Vec<Rule>,
    /// The dataset of --keep; else the largest of three axes or more
    #[arg(long, value_name = "/PATH", requires = "keep")]
    keep_of: Option<String>,
    /// Only say what would be done
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    jobs: Jobs,
    #[command(flatten)]
    style: Style,
}

/// `GLOB=SPEC`. The last `=` that leaves a target: those of DRLE and bounded have one, too.
fn pattern(text: &str) -> Result<(String, Spec), String> {
    let mut found = Err(format!("{text:?} is not GLOB=SPEC, such as 'data*=zstd:3' or '/entry/mask=keep'"));
    for (at, _) in text.match_indices('=') {
        let spec = text[at + 1..].parse().map(|spec| (text[..at].to_owned(), spec));
        if at > 0 && (spec.is_ok() || found.is_err()) {
            found = spec;
            if found.is_ok() {
                break;
            }
        }
    }
    found
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    if arguments.to.is_none() && arguments.dataset.is_empty() && !arguments.merge && arguments.keep.is_empty() {
        return Err(format!(
            "what is to be done? --to SPEC, -d GLOB=SPEC, --merge or --keep RULE; SPEC is one of {WORDS}"
        ));
    }
    let library = load::library().map_err(|error| error.to_string())?;
    let inputs = arguments.inputs.all()?;
    let is_folder = inputs.len() > 1 || inputs.iter().any(|input| input.folder.is_some());
    if is_folder {
        check_patterns(&library, &inputs, &rules(arguments, true))?;
    }
    let outputs = arguments.output.iter().flat_map(|output| inputs.iter().map(|input| place(input, is_folder, output)));
    let (outputs, interrupt) = (outputs.collect(), Interrupt::new()?);
    let work = Work { library: &library, arguments, is_folder, outputs, interrupt };
    let mut worst = Found::Nothing;
    for input in &inputs {
        let found = work.file(input).unwrap_or_else(|message| {
            complain(&format!("{}: {message}", input.name()));
            Found::NotAll
        });
        if let Found::Stopped(_) = found {
            return Ok(found);
        }
        worst = worst.max(found);
    }
    Ok(worst)
}

fn rules(arguments: &Arguments, may_miss: bool) -> Rules {
    Rules {
        default: arguments.to.clone().unwrap_or(Spec::KEEP),
        patterns: arguments.dataset.clone(),
        chunk: arguments.chunk.clone(),
        lossy: arguments.lossy,
        force: arguments.force,
        merge: arguments.merge,
        keep: arguments.keep.clone(),
        keep_of: arguments.keep_of.clone(),
        may_miss,
    }
}

/// Refuses a pattern that means no dataset of any file, before anything is written. What cannot be read is said when its turn comes.
fn check_patterns(library: &Library, inputs: &[Input], rules: &Rules) -> Result<(), String> {
    let mut unused: Vec<&str> = rules.patterns.iter().map(|(pattern, _)| &**pattern).collect();
    for input in inputs {
        if unused.is_empty() {
            break;
        }
        let Ok(file) = File::open(library, &input.file, false) else { continue };
        let used = convert::used(library, &file, rules).unwrap_or_default();
        unused.retain(|pattern| !used.contains(pattern));
    }
    unused.first().map_or(Ok(()), |pattern| {
        Err(format!("no dataset of any file is meant by {pattern}: `darkchunk info` lists them"))
    })
}

/// What is the same for all files.
struct Work<'a> {
    library: &'a Library,
    arguments: &'a Arguments,
    is_folder: bool,
    /// All new files.
    outputs: Vec<PathBuf>,
    interrupt: Interrupt,
}

impl Work<'_> {
    fn file(&self, input: &Input) -> Outcome {
        let Self { library, arguments, is_folder, interrupt, .. } = self;
        if input.path != "/" {
            return Err(format!("a whole file is converted: name {} in -d", input.path));
        }
        readable(&input.file)?;
        let (steps, style) = (self.steps(input)?, arguments.style);
        if arguments.dry_run {
            print(&planned(input, &steps, style))?;
            return Ok(Found::Nothing);
        }
        let (output, backup) = places(input, *is_folder, arguments)?;
        if !arguments.resume {
            note_left(&output);
        }
        let bar = Bar::new(&steps, style, interrupt);
        let resources =
            Resources { n_threads: arguments.jobs.n_threads(), memory: arguments.memory.saturating_mul(1_000_000) };
        let place = Output { to: &output, backup: backup.as_deref(), resume: arguments.resume, merge: arguments.merge };
        let report = convert::convert(library, &input.file, place, &steps, resources, &bar);
        bar.clear();
        if let (Some(code), Err(_)) = (interrupt.code(), &report) {
            let parts = "; the same command goes on with the datasets that are whole in .OUT.parts";
            complain(&(bar.stopped(&input.name()) + if arguments.resume { parts } else { "" }));
            return Ok(Found::Stopped(code));
        }
        let report = report?;
        print(&if style.json { as_json(input, &output, &report) } else { as_text(input, &output, &report, style) })?;
        Ok(if report.warnings.is_empty() { Found::Nothing } else { Found::Something })
    }

    /// What is to be done with a file.
    fn steps(&self, input: &Input) -> Result<Vec<Step>, String> {
        let file = File::open(self.library, &input.file, false).map_err(|error| error.to_string())?;
        if let Some(output) = self.arguments.output.as_ref().filter(|_| !self.arguments.merge) {
            let to = place(input, self.is_folder, output);
            convert::check_leads(self.library, &file, &input.file, &to, &self.outputs)?;
        }
        convert::plan(self.library, &file, &rules(self.arguments, self.is_folder))
    }
}

/// Where the new file goes that is not to take the old one's place.
fn place(input: &Input, is_folder: bool, output: &Path) -> PathBuf {
    if !is_folder && !output.is_dir() {
        return output.to_owned();
    }
    let below = input.folder.as_ref().and_then(|folder| input.file.strip_prefix(folder).ok());
    output.join(below.map_or_else(|| PathBuf::from(input.file.file_name().unwrap_or_default()), Path::to_owned))
}

/// Where the new file goes, and what the old one is called then.
fn places(input: &Input, is_folder: bool, arguments: &Arguments) -> Result<(PathBuf, Option<PathBuf>), String> {
    let taken = |path: &Path| format!("{} is there already", path.display());
    let Some(output) = &arguments.output else {
        // A symbolic link stays one: the file that it leads to is replaced.
        let file = input.file.canonicalize().map_err(|error| format!("{}: {error}", input.name()))?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let backup = arguments.keep_backup.then(|| file.with_file_name(format!("{name}.before")));
        return match backup.filter(|backup| backup.exists()) {
            Some(backup) => Err(taken(&backup)),
            None => {
                let backup = arguments.keep_backup.then(|| file.with_file_name(format!("{name}.before")));
                Ok((file.clone(), backup))
            }
        };
    };
    let place = place(input, is_folder, output);
    if place.exists() {
        return Err(taken(&place));
    }
    if let Some(folder) = place.parent().filter(|_| is_folder) {
        std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    Ok((place, None))
}

/// How far a conversion is.
pub(crate) struct Bar<'a> {
    /// Hidden where nobody sees it, and without a length then.
    bar: ProgressBar,
    n_bytes: u64,
    n_done: AtomicU64,
    /// In words.
    doing: Mutex<String>,
    interrupt: &'a Interrupt,
}

impl<'a> Bar<'a> {
    /// For all these steps.
    pub(crate) fn new(steps: &[Step], style: Style, interrupt: &'a Interrupt) -> Self {
        let changed = steps.iter().filter(|step| step.storage.is_some());
        let n_bytes = changed.fold(0_u64, |n, step| n.saturating_add(step.info.n_bytes.saturating_mul(2)));
        Self { bar: progress(n_bytes, style), n_bytes, n_done: AtomicU64::new(0), doing: Mutex::default(), interrupt }
    }

    /// Takes it away.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }

    /// Where a conversion stood that a signal ended.
    pub(crate) fn stopped(&self, name: &str) -> String {
        let doing = self.doing.lock().unwrap_or_else(PoisonError::into_inner);
        let n_done = self.n_done.load(Ordering::Relaxed).min(self.n_bytes);
        let percent = 100 * u128::from(n_done) / u128::from(self.n_bytes.max(1));
        format!("{name}: stopped while it had to {doing}, {percent} % done: the file is as it was, there is no new one")
    }
}

impl Watch for Bar<'_> {
    fn begin(&self, phase: Phase, path: &str) {
        let doing = match phase {
            Phase::Copy => "copy",
            Phase::Encode => "encode",
            Phase::Look => "look at",
            Phase::Compare => "compare",
        };
        let name = path.rsplit('/').next().unwrap_or(path);
        self.bar.set_message(format!("{doing} {}", shown(name)));
        *self.doing.lock().unwrap_or_else(PoisonError::into_inner) = format!("{doing} {path}");
    }

    fn seen(&self, n_bytes: u64) {
        self.n_done.fetch_add(n_bytes, Ordering::Relaxed);
        self.bar.inc(n_bytes);
    }

    fn is_stopped(&self) -> bool {
        self.interrupt.is_asked()
    }
}

#[cfg(test)]
mod tests {
    use darkchunk_stream::convert::spec::Loss;

    use super::*;

    #[test]
    fn how_much_is_done_is_known_where_no_bar_is_shown() {
        let interrupt = Interrupt::new().expect("signals");
        let (bar, doing, n_done) = (ProgressBar::hidden(), Mutex::default(), AtomicU64::new(0));
        let bar = Bar { bar, n_bytes: 200, n_done, doing, interrupt: &interrupt };
        bar.begin(Phase::Encode, "/data");
        [20, 30].into_iter().for_each(|n_bytes| bar.seen(n_bytes));
        assert!(bar.stopped("a.h5").starts_with("a.h5: stopped while it had to encode /data, 25 % done"));
    }

    #[test]
    fn a_pattern_and_its_target_are_told_apart() {
        let of = |text| pattern(text).map(|(glob, spec)| (glob, spec.loss));
        assert_eq!(of("*/data=drle:20"), Ok(("*/data".into(), Loss::Threshold(20))));
        assert_eq!(of("*/data=drle:threshold=20"), Ok(("*/data".into(), Loss::Threshold(20))));
        assert_eq!(of("a=b=keep"), Ok(("a=b".into(), Loss::None)));
        assert!(of("data").is_err() && of("=lz4").is_err() && of("data=x").is_err());
    }
}
