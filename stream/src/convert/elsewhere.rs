//! Files that a file leads to by names that count from its folder: in another folder the same names lead elsewhere.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use darkchunk_hdf5::chunk_map::source_files;
use darkchunk_hdf5::tree::{self, Kind};
use darkchunk_hdf5::{File, Library};

use crate::temporary::folder_of;

/// A name, and what has it.
struct Lead {
    object: String,
    file: String,
}

/// Refuses a new file in another folder from which an external link or a virtual dataset does not find the file that it finds now. `others`
/// are files that are still to be made. Names of external data count from the working directory, and are no matter of this.
///
/// # Errors
/// Which file it is, and what to do; what cannot be read.
pub fn check_leads(library: &Library, file: &File, from: &Path, to: &Path, others: &[PathBuf]) -> Result<(), String> {
    let Some(lost) = lost_leads(library, file, from, to, others)? else { return Ok(()) };
    Err(format!(
        "{lost}: write the new file beside the old one, convert what it leads to into the same place first (or all together: a folder \
         with -r), or make one file of all with `darkchunk convert --merge`"
    ))
}

/// What an external link or a virtual dataset of `file` finds from the folder of `from`, and would not from that of `to`; in words.
pub(crate) fn lost_leads(
    library: &Library,
    file: &File,
    from: &Path,
    to: &Path,
    others: &[PathBuf],
) -> Result<Option<String>, String> {
    let real = from.canonicalize().unwrap_or_else(|_| from.to_owned());
    let (folder, others) = (folder_of(to), others.iter().map(|other| plain(other)).collect::<Vec<_>>());
    let is_there = |name: &str| [from, &real].iter().any(|from| folder_of(from).join(name).is_file());
    let is_kept = |name: &str| folder.join(name).is_file() || others.contains(&plain(&folder.join(name)));
    let mut lost = leads(library, file)?;
    lost.retain(|lead| Path::new(&lead.file).is_relative() && is_there(&lead.file) && !is_kept(&lead.file));
    let Some(Lead { object, file }) = lost.first() else { return Ok(None) };
    let n_others = lost.iter().map(|lead| &lead.file).collect::<HashSet<_>>().len() - 1;
    let others = if n_others > 0 { format!(", nor are {n_others} others") } else { String::new() };
    Ok(Some(format!("{object} leads to the file {file}, which is not there from {}{others}", folder.display())))
}

fn leads(library: &Library, file: &File) -> Result<Vec<Lead>, String> {
    let text = |error: darkchunk_hdf5::Error| error.to_string();
    let mut leads = Vec::new();
    for entry in tree::walk(library, file.id(), "/").map_err(text)? {
        let files = match entry.kind {
            Kind::External { file, .. } => vec![file],
            Kind::Dataset => source_files(library, file.id(), &entry.path).map_err(text)?,
            _ => continue,
        };
        leads.extend(files.into_iter().map(|file| Lead { object: entry.path.clone(), file }));
    }
    Ok(leads)
}

/// A path from the root, without `.` and `..`, whether or not it is there.
fn plain(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_the_same_by_whatever_way_it_leads() {
        assert_eq!(plain(Path::new("/a/b/../c/./d")), Path::new("/a/c/d"));
        assert_eq!(plain(Path::new("/../a")), Path::new("/a"));
        assert_eq!(plain(Path::new("x/../y")), plain(Path::new("./y")));
    }
}
