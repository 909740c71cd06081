//! `cat`: a part of a dataset as bytes, a numpy array or a TIFF.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use darkchunk_hdf5::load;
use darkchunk_stream::extract::{Extract, Format, Slice};

use crate::input::{Input, Jobs};
use crate::interrupt::Interrupt;
use crate::output::{Style, bytes, complain, progress, shown, whole_file};
use crate::{Found, Outcome};

const HELP: &str = "SELECTION is that of numpy: 7 (one frame), 10:20, ::2, -5:, for each axis after \
    commas; axes that are not named are whole.\n\n\
    Examples:\n  darkchunk cat 'run12.h5:/entry/data/data[10:20]' -o part.npy\n  \
    darkchunk cat 'run12.h5:/entry/data/data[7]' -o frame.tif\n  \
    darkchunk cat 'run12.h5:/entry/data/data[0,:2]' | xxd | head";

/// Write a part of a dataset as raw bytes, a numpy array or a TIFF
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// The dataset, and what of it
    #[arg(value_name = "FILE:/PATH[SELECTION]")]
    dataset: String,
    /// The new file; without it, standard output
    #[arg(short, long)]
    output: Option<PathBuf>,
    /// raw, npy or tiff; else as the file's name says
    #[arg(long = "as", value_name = "FORMAT", hide_possible_values = true)]
    format: Option<Choice>,
    #[command(flatten)]
    jobs: Jobs,
    /// Say what was written
    #[arg(short, long)]
    verbose: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Choice {
    Raw,
    Npy,
    Tiff,
}

impl Choice {
    fn of(output: Option<&Path>) -> Self {
        let extension = output.and_then(Path::extension).unwrap_or_default().to_string_lossy().to_lowercase();
        match &*extension {
            "npy" => Self::Npy,
            "tif" | "tiff" | "btf" | "tf8" => Self::Tiff,
            _ => Self::Raw,
        }
    }

    fn format(self) -> Format {
        match self {
            Self::Raw => Format::Raw,
            Self::Npy => Format::Npy,
            Self::Tiff => Format::Tiff,
        }
    }
}

/// The dataset's own text, and its selection.
fn parse(text: &str) -> Result<(Input, Vec<Slice>), String> {
    let whole = Input::parse(text);
    let Some((path, selection)) = whole.path.strip_suffix(']').and_then(|path| path.rsplit_once('[')) else {
        return Ok((whole, Vec::new()));
    };
    let slices = Slice::parse_all(selection)?;
    Ok((Input { path: path.to_owned(), ..whole }, slices))
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let (input, slices) = parse(&arguments.dataset)?;
    if input.path == "/" {
        return Err(format!("name the dataset, too: {}:/PATH", input.name()));
    }
    let output = arguments.output.as_deref();
    let format = arguments.format.unwrap_or_else(|| Choice::of(output)).format();
    if output.is_none() && io::stdout().is_terminal() {
        return Err("these are bytes, which a terminal cannot show: name a file with -o, or pipe them".to_owned());
    }
    if let Some(output) = output.filter(|output| output.exists()) {
        return Err(format!("{} is there already: give the name of a new file", output.display()));
    }
    let library = load::library().map_err(|error| error.to_string())?;
    let file = input.open(&library)?;
    input.check(&library, &file)?;
    let failed = |error: darkchunk_stream::Error| format!("{}: {error}", input.at(&input.path));
    // Standard output has no end to be kept in order.
    let interrupt = output.map(|_| Interrupt::new()).transpose()?;
    let threads = arguments.jobs.n_threads();
    let part = Extract::open(&library, file.id(), &input.path, &slices, threads).map_err(failed)?;
    let bar = progress(part.n_bytes(), Style { json: output.is_none(), quiet: false, verbose: false });
    bar.set_message(shown(&input.path).into_owned());
    let mut seen = |n_bytes| bar.inc(n_bytes);
    let written = match output {
        None => part.write(format, &mut Standard(io::stdout().lock()), &mut seen).map_err(failed),
        Some(output) => whole_file(output, |file| {
            part.write(format, &mut Stoppable { file, interrupt: interrupt.as_ref() }, &mut seen).map_err(failed)
        }),
    };
    bar.finish_and_clear();
    if let (Some(code), Some(output), Err(_)) = (interrupt.as_ref().and_then(Interrupt::code), output, &written) {
        complain(&format!("{}: stopped: there is no new file", output.display()));
        return Ok(Found::Stopped(code));
    }
    written?;
    if let Some(output) = output.filter(|_| arguments.verbose) {
        eprintln!("{}: shape {:?}, {}", shown(&output.display().to_string()), part.shape(), bytes(part.n_bytes()));
    }
    Ok(Found::Nothing)
}

/// Standard output. Whoever reads it may have enough.
struct Standard<'a>(io::StdoutLock<'a>);

impl Write for Standard<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(2),
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A file that takes nothing more when an end was asked for.
struct Stoppable<'a> {
    file: &'a mut dyn Write,
    interrupt: Option<&'a Interrupt>,
}

impl Write for Stoppable<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.interrupt.is_some_and(Interrupt::is_asked) {
            return Err(io::Error::other("an end was asked for"));
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_is_told_from_the_path() {
        let of = |text: &str| parse(text).map(|(input, slices)| (input.path, slices.len()));
        assert_eq!(of("a.h5:/x/y[1:2,3]"), Ok(("/x/y".into(), 2)));
        assert_eq!(of("a.h5:/x/y[...]"), Ok(("/x/y".into(), 1)));
        assert_eq!(of("a.h5:/x"), Ok(("/x".into(), 0)));
        assert!(of("a.h5:/x[b]").is_err());
    }
}
