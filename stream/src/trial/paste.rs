//! What is to be written to store a dataset as a trial had it.

use std::path::Path;

use darkchunk_hdf5::inspect::DatasetInfo;

use super::Trial;

/// HDF5's own filters.
const GZIP: u32 = 1;
const SHUFFLE: u32 = 2;

/// One line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lines {
    /// For h5py.
    pub h5py: String,
    /// For C.
    pub c: String,
    /// For a shell.
    pub convert: String,
}

pub(super) fn lines(info: &DatasetInfo, trial: &Trial, file: &Path, path: &str) -> Lines {
    let chunk: Vec<String> = trial.chunk.iter().map(u64::to_string).collect();
    let rank = chunk.len();
    let comma = if rank == 1 { "," } else { "" };
    let chunks = format!("chunks=({}{comma})", chunk.join(", "));
    let (mut h5py, mut c) =
        (vec![chunks], vec![format!("H5Pset_chunk(dcpl, {rank}, (hsize_t[]){{{}}});", chunk.join(", "))]);
    for (id, values) in &trial.filters {
        let text = values.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        match (*id, &values[..]) {
            (SHUFFLE, _) => {
                h5py.push("shuffle=True".to_owned());
                c.push("H5Pset_shuffle(dcpl);".to_owned());
            }
            (GZIP, _) => {
                h5py.push(format!("compression=\"gzip\", compression_opts={text}"));
                c.push(format!("H5Pset_deflate(dcpl, {text});"));
            }
            (id, []) => {
                h5py.push(format!("compression={id}"));
                c.push(format!("H5Pset_filter(dcpl, {id}, H5Z_FLAG_OPTIONAL, 0, NULL);"));
            }
            (id, values) => {
                let (n, comma) = (values.len(), if values.len() == 1 { "," } else { "" });
                h5py.push(format!("compression={id}, compression_opts=({text}{comma})"));
                c.push(format!("H5Pset_filter(dcpl, {id}, H5Z_FLAG_OPTIONAL, {n}, (unsigned[]){{{text}}});"));
            }
        }
    }
    let name = path.rsplit('/').next().unwrap_or(path);
    let lossy = if trial.is_exact { "" } else { " --lossy" };
    let named = quoted(&format!("{path}={}", trial.spec));
    let is_same = info.chunk.as_ref() == Some(&trial.chunk);
    let shape = if is_same { String::new() } else { format!(" --chunk {}", chunk.join(",")) };
    let file = quoted(&file.display().to_string());
    Lines {
        h5py: format!("file.create_dataset({name:?}, data=data, {})", h5py.join(", ")),
        c: c.join(" "),
        convert: format!("darkchunk convert {file} -o new.h5 -d {named}{shape}{lossy}"),
    }
}

/// A word of a shell.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-=:,+".contains(c);
    if text.chars().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_name_is_one_word_of_a_shell() {
        assert_eq!(quoted("/entry/data=lz4"), "/entry/data=lz4");
        assert_eq!(quoted("my file's"), "'my file'\\''s'");
    }
}
