//! Which files are meant, and which dataset in each.

use std::fmt;
use std::path::{Path, PathBuf};

use darkchunk_hdf5::tree::{self, Entry, Kind};
use darkchunk_hdf5::{File, Library, inspect};

/// Ends of names that HDF5 files have in a folder.
const EXTENSIONS: [&str; 10] = ["h5", "hdf5", "hdf", "he5", "nxs", "nx", "nc", "nc4", "cxi", "h5ad"];

/// Where a file that begins with other bytes may have HDF5's: at 0, and at each power of two from 512 on.
const SIGNATURE: [u8; 8] = *b"\x89HDF\r\n\x1a\n";
const MAX_USER_BLOCK: u64 = 1 << 26;

/// What a dataset is called: `FILE:/PATH`.
#[derive(Debug, Clone)]
pub(crate) struct Name {
    pub(crate) file: String,
    pub(crate) path: String,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.path)
    }
}

/// How many threads a verb may use.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Jobs {
    /// Threads; 0: one for each processor
    #[arg(short, long, value_name = "N", default_value_t = 0)]
    jobs: usize,
}

impl Jobs {
    pub(crate) fn n_threads(self) -> usize {
        match self.jobs {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            n_threads => n_threads,
        }
    }
}

/// The files that a verb works on.
#[derive(Debug, clap::Args)]
pub(crate) struct Inputs {
    /// Files, or FILE:/PATH for one dataset or group of a file
    #[arg(required = true, value_name = "FILE[:/PATH]")]
    files: Vec<String>,
    /// Look into folders, too, for HDF5 files
    #[arg(short, long)]
    recursive: bool,
}

/// A file, and what of it is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Input {
    pub(crate) file: PathBuf,
    /// Where to begin: `/` for all of it.
    pub(crate) path: String,
    /// The folder that was searched for it.
    pub(crate) folder: Option<PathBuf>,
}

impl Input {
    /// `FILE` or `FILE:/PATH`. A file whose name has `:/` in it is taken as it is.
    pub(crate) fn parse(text: &str) -> Self {
        let whole = || Self { file: PathBuf::from(text), path: "/".to_owned(), folder: None };
        match text.rfind(":/") {
            Some(at) if at > 0 && !Path::new(text).exists() => {
                Self { file: PathBuf::from(&text[..at]), path: text[at + 1..].to_owned(), folder: None }
            }
            _ => whole(),
        }
    }

    /// `FILE:/PATH`: one dataset, which is named.
    pub(crate) fn of_dataset(text: &str) -> Result<Self, String> {
        let input = Self::parse(text);
        if input.path == "/" {
            return Err(format!("name the dataset, too: {}:/PATH", input.name()));
        }
        Ok(input)
    }

    /// The file's name, to be shown.
    pub(crate) fn name(&self) -> String {
        self.file.display().to_string()
    }

    /// The name of what is at a path of the file.
    pub(crate) fn at(&self, path: &str) -> Name {
        Name { file: self.name(), path: path.to_owned() }
    }

    /// The file, open to read.
    pub(crate) fn open(&self, library: &Library) -> Result<File, String> {
        readable(&self.file)?;
        File::open(library, &self.file, false).map_err(|error| format!("{}: {error}", self.name()))
    }

    /// All that is meant of the open file.
    pub(crate) fn entries(&self, library: &Library, file: &File) -> Result<Vec<Entry>, String> {
        tree::walk(library, file.id(), &self.path).map_err(|error| format!("{}: {error}", self.name()))
    }

    /// Refuses a path at which there is nothing, and says where a link leads to that leads nowhere.
    pub(crate) fn check(&self, library: &Library, file: &File) -> Result<(), String> {
        tree::check_there(library, file.id(), &self.path).map_err(|error| format!("{}: {error}", self.name()))
    }

    /// The dataset with the most bytes of those that are meant.
    pub(crate) fn largest(&self, library: &Library, file: &File) -> Result<String, String> {
        let entries = self.entries(library, file)?;
        let link = entries.iter().find(|entry| matches!(entry.kind, Kind::External { .. }));
        let elsewhere = link.map_or_else(String::new, |link| {
            format!("; its links lead to other files: name what is meant, such as {}", self.at(&link.path))
        });
        let datasets = entries.into_iter().filter(|entry| matches!(entry.kind, Kind::Dataset)).map(|entry| entry.path);
        let size = |path: &String| inspect::dataset(library, file.id(), path).map_or(0, |info| info.n_bytes);
        let largest = datasets.map(|path| (size(&path), path)).max_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
        largest
            .map(|(_, path)| path)
            .ok_or_else(|| format!("{} has no dataset at {}{elsewhere}", self.name(), self.path))
    }
}

/// Why a file cannot even be opened by the system.
pub(crate) fn readable(file: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", file.display());
    let metadata = std::fs::metadata(file).map_err(failed)?;
    if metadata.is_dir() {
        return Err(format!("{} is a folder, and no file", file.display()));
    }
    // To open a pipe is to wait for who writes to it.
    if !metadata.is_file() {
        return Err(format!("{} is no file, but a pipe, a socket or a device", file.display()));
    }
    std::fs::File::open(file).map(drop).map_err(failed)
}

impl Inputs {
    /// All of them, those of folders in the order of their names.
    pub(crate) fn all(&self) -> Result<Vec<Input>, String> {
        let mut inputs = Vec::new();
        for text in &self.files {
            let input = Input::parse(text);
            match (input.file.is_dir(), self.recursive) {
                (true, true) => add_folder(&input.file, &input.file, &mut inputs)?,
                (true, false) => return Err(format!("{} is a folder: -r looks into folders", input.name())),
                (false, _) => inputs.push(input),
            }
        }
        if inputs.is_empty() {
            return Err(format!("no HDF5 files in {}", self.files.join(", ")));
        }
        Ok(inputs)
    }
}

fn add_folder(first: &Path, folder: &Path, inputs: &mut Vec<Input>) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let entries = std::fs::read_dir(folder).map_err(failed)?;
    let mut paths =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>().map_err(failed)?;
    paths.sort();
    for path in paths {
        // A link to a folder could lead back here.
        if path.is_dir() {
            if !path.is_symlink() {
                add_folder(first, &path, inputs)?;
            }
        } else if is_hdf5(&path) {
            inputs.push(Input { file: path, path: "/".to_owned(), folder: Some(first.to_owned()) });
        }
    }
    Ok(())
}

/// Whether a file in a folder is one, by its name or its bytes: a damaged one may have either.
pub(crate) fn is_hdf5(path: &Path) -> bool {
    // A pipe is none, and to open it would be to wait.
    if std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return false;
    }
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_lowercase();
    EXTENSIONS.contains(&&*extension) || has_signature(path).unwrap_or(false)
}

fn has_signature(path: &Path) -> std::io::Result<bool> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = std::fs::File::open(path)?;
    let n_bytes = file.metadata()?.len();
    let mut at = 0;
    while at + SIGNATURE.len() as u64 <= n_bytes && at <= MAX_USER_BLOCK {
        let mut found = [0; SIGNATURE.len()];
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut found)?;
        if found == SIGNATURE {
            return Ok(true);
        }
        at = if at == 0 { 512 } else { 2 * at };
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_in_a_file_is_told_from_the_files_name() {
        let of = |text| {
            let Input { file, path, .. } = Input::parse(text);
            (file.display().to_string(), path)
        };
        assert_eq!(of("a.h5"), ("a.h5".into(), "/".into()));
        assert_eq!(of("dir/a.h5:/entry/data"), ("dir/a.h5".into(), "/entry/data".into()));
        assert_eq!(of("a:b.h5"), ("a:b.h5".into(), "/".into()));
        assert_eq!(of(":/x"), (":/x".into(), "/".into()));
    }
}
