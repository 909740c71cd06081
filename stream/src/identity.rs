//! Whether a file is still the one that it was.

use std::fs::{Metadata, metadata};
use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;

/// Which file it is, and in which state: another text after it was written or replaced. The same on all machines that have the file.
pub(crate) fn state(file: &Path) -> io::Result<String> {
    let found = metadata(file)?;
    let time = found.modified()?.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos());
    Ok(format!("{} {time}{}", found.len(), identity(&found)))
}

/// Which file it is, and when it was last changed in any way: a tool that copies files may set the time of their data. Not on which
/// device, which has another number on another machine.
#[cfg(unix)]
fn identity(metadata: &Metadata) -> String {
    use std::os::unix::fs::MetadataExt;
    format!(" {} {}.{}", metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
}

#[cfg(not(unix))]
fn identity(_metadata: &Metadata) -> String {
    String::new()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_file_that_was_put_in_the_place_of_another_with_its_length_and_time_is_another() {
        let folder = std::env::temp_dir().join(format!("darkchunk-identity-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let (a, b) = (folder.join("a"), folder.join("b"));
        for (path, text) in [(&a, "one"), (&b, "two")] {
            fs::write(path, text).expect("written");
            fs::File::options().write(true).open(path).and_then(|file| file.set_modified(UNIX_EPOCH)).expect("set");
        }
        let before = state(&a).expect("there");
        assert_eq!(state(&a).expect("there"), before);
        fs::rename(&b, &a).expect("renamed");
        let after = state(&a).expect("there");
        fs::remove_dir_all(folder).expect("removed");
        assert_ne!(after, before);
    }
}
