//! Whether somebody writes to a file, as far as can be seen from outside.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::journal::Progress;

/// For so long nothing is to have changed before a writer is taken to be done: what it does last may take it some moments.
const SETTLE: Duration = Duration::from_secs(1);

/// What shows that a file is written to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Signs {
    /// A program of this machine has it open for writing, as far as this one may see.
    pub(crate) is_open: bool,
    /// The file says so itself, or HDF5 holds its lock.
    pub(crate) is_marked: bool,
    pub(crate) is_locked: bool,
    /// A recorder's journal is beside it.
    pub(crate) has_journal: bool,
}

impl Signs {
    /// `was_open`: a program of this machine was seen that had it open. The lock is looked at only where it alone can tell: for that it is
    /// taken for a moment, in which a writer cannot open the file.
    pub(crate) fn of(file: &Path, was_open: bool) -> Self {
        let (is_open, is_marked) = (is_open_for_writing(file), is_marked(file));
        let has_journal = Progress::of(file).exists();
        let is_told = was_open || is_open || is_marked || has_journal;
        Self { is_open, is_marked, is_locked: !is_told && is_locked(file), has_journal }
    }
}

/// How it is known that a writer is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The recorder's journal was there, and was removed.
    Finished,
    /// The writer's mark in the file was there, and is cleared.
    Closed,
    /// Nobody has it open, as far as can be seen.
    Nobody,
    /// It has not grown for the time that was given.
    Idle,
    /// The recorder is gone and has not finished: its journal is there.
    Broken,
}

/// A file that is looked at until its writer is done.
#[derive(Debug)]
pub struct Writer {
    file: PathBuf,
    idle: Option<Duration>,
    /// All signs that were seen.
    seen: Signs,
    /// What was seen last, and since when it is so.
    last: Option<(Option<Ending>, (u64, u64))>,
    since: Instant,
    /// How much there was, and since when it is so.
    size: (u64, u64),
    newest: Instant,
}

impl Writer {
    /// That of a file. With `idle` it is also done when the file has not grown for so long; then it does not count that nobody has the file
    /// open, as some writers close it from frame to frame.
    #[must_use]
    pub fn new(file: &Path, idle: Option<Duration>) -> Self {
        let (file, now) = (file.to_owned(), Instant::now());
        Self { file, idle, seen: Signs::default(), last: None, since: now, size: (0, 0), newest: now }
    }

    /// Whether it is done, by a look at this moment; `n_chunks` are what is in the file by now.
    pub fn ending(&mut self, n_chunks: u64) -> Option<Ending> {
        let n_bytes = std::fs::metadata(&self.file).map_or(0, |found| found.len());
        self.judge(Signs::of(&self.file, self.seen.is_open), (n_chunks, n_bytes), Instant::now())
    }

    fn judge(&mut self, signs: Signs, size: (u64, u64), now: Instant) -> Option<Ending> {
        if size != self.size {
            (self.size, self.newest) = (size, now);
        }
        let seen = &mut self.seen;
        seen.is_open |= signs.is_open;
        seen.is_marked |= signs.is_marked;
        seen.is_locked |= signs.is_locked;
        seen.has_journal |= signs.has_journal;
        let found = (self.by_signs(signs), size);
        if self.last != Some(found) {
            (self.last, self.since) = (Some(found), now);
        }
        let is_idle = self.idle.is_some_and(|idle| now - self.newest >= idle);
        let settled = found.0.filter(|_| now - self.since >= SETTLE);
        settled.or(is_idle.then_some(Ending::Idle))
    }

    fn by_signs(&self, signs: Signs) -> Option<Ending> {
        let Signs { is_open, is_marked, is_locked, has_journal } = signs;
        if is_open {
            return None;
        }
        // One that was seen is gone, whatever it has left.
        if self.seen.is_open && has_journal {
            return Some(Ending::Broken);
        }
        let is_gone = self.seen.is_open || !(is_marked || is_locked || has_journal);
        let known = match self.seen {
            Signs { has_journal: true, .. } if !has_journal => Some(Ending::Finished),
            Signs { is_marked: true, .. } if !is_marked => Some(Ending::Closed),
            _ => self.idle.is_none().then_some(Ending::Nobody),
        };
        known.filter(|_| is_gone)
    }
}

/// Whether HDF5 holds its lock for writing.
fn is_locked(path: &Path) -> bool {
    use std::fs::TryLockError;
    std::fs::File::open(path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Whether the file's superblock says that somebody has it open to write, which the newer ones do.
fn is_marked(path: &Path) -> bool {
    use std::io::Read;
    const WRITING: u8 = 1;
    let mut head = [0; 12];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut head));
    read.is_ok() && head.starts_with(b"\x89HDF\r\n\x1a\n") && head[8] >= 3 && head[11] & WRITING != 0
}

/// Whether a program of this machine has it open for writing, as far as this one may see.
fn is_open_for_writing(path: &Path) -> bool {
    let Ok(path) = path.canonicalize() else { return false };
    let entries = |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_number = |name: &std::ffi::OsStr| name.to_string_lossy().bytes().all(|byte| byte.is_ascii_digit());
    let processes = entries("/proc".into()).filter(|entry| is_number(&entry.file_name())).map(|entry| entry.path());
    processes.into_iter().any(|process| {
        entries(process.join("fd")).any(|file| {
            let is_it = std::fs::read_link(file.path()).is_ok_and(|target| target == path);
            is_it && is_for_writing(&process.join("fdinfo").join(file.file_name()))
        })
    })
}

fn is_for_writing(info: &Path) -> bool {
    let text = std::fs::read_to_string(info).unwrap_or_default();
    let flags = text.lines().find_map(|line| line.strip_prefix("flags:"));
    // In octal; the last two bits are 0 for reading alone.
    flags.and_then(|flags| u64::from_str_radix(flags.trim(), 8).ok()).is_some_and(|flags| flags & 3 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: Signs = Signs { is_open: true, is_marked: true, is_locked: false, has_journal: false };
    const MARKED: Signs = Signs { is_open: false, ..OPEN };
    const JOURNAL: Signs = Signs { has_journal: true, ..MARKED };
    const NONE: Signs = Signs { is_open: false, is_marked: false, is_locked: false, has_journal: false };

    /// How the last of some looks ends, one each 600 ms.
    fn last(idle: Option<f64>, looks: &[(Signs, u64)]) -> Option<Ending> {
        let mut writer = Writer::new(Path::new("run.h5"), idle.map(Duration::from_secs_f64));
        let begin = Instant::now();
        let endings = (0..)
            .zip(looks)
            .map(|(at, (signs, n))| writer.judge(*signs, (*n, 0), begin + Duration::from_millis(600 * at)));
        endings.last().flatten()
    }

    #[test]
    fn a_writer_is_done_when_its_mark_is_gone_and_nothing_changes_any_more() {
        let cases: [(&[(Signs, u64)], _); 7] = [
            (&[(OPEN, 1), (OPEN, 1), (OPEN, 1), (OPEN, 1)], None),
            (&[(MARKED, 1), (NONE, 1), (NONE, 1)], None),
            (&[(MARKED, 1), (NONE, 1), (NONE, 1), (NONE, 1)], Some(Ending::Closed)),
            (&[(MARKED, 1), (NONE, 1), (NONE, 2), (NONE, 2)], None),
            (&[(MARKED, 1), (NONE, 1), (MARKED, 1), (NONE, 1), (NONE, 1)], None),
            (&[(JOURNAL, 1), (JOURNAL, 1), (JOURNAL, 1), (JOURNAL, 1)], None),
            (&[(JOURNAL, 1), (NONE, 1), (NONE, 1), (NONE, 1)], Some(Ending::Finished)),
        ];
        for (looks, expected) in cases {
            assert_eq!(last(None, looks), expected, "{looks:?}");
        }
    }

    #[test]
    fn one_that_left_its_marks_is_known_by_its_end_where_it_was_seen() {
        assert_eq!(last(None, &[(OPEN, 1), (JOURNAL, 1), (JOURNAL, 1), (JOURNAL, 1)]), Some(Ending::Broken));
        assert_eq!(last(None, &[(OPEN, 1), (MARKED, 1), (MARKED, 1), (MARKED, 1)]), Some(Ending::Nobody));
        assert_eq!(last(None, &[(MARKED, 1), (MARKED, 1), (MARKED, 1), (MARKED, 1)]), None);
        assert_eq!(last(None, &[(NONE, 1), (NONE, 1), (NONE, 1)]), Some(Ending::Nobody));
    }

    #[test]
    fn with_a_time_it_does_not_count_that_nobody_has_it_open() {
        let none = [(NONE, 1), (NONE, 1), (NONE, 1), (NONE, 1)];
        assert_eq!((last(Some(60.0), &none), last(Some(1.7), &none)), (None, Some(Ending::Idle)));
        assert_eq!(last(Some(1.7), &[(NONE, 1), (NONE, 1), (NONE, 2), (NONE, 2)]), None);
        assert_eq!(last(Some(60.0), &[(MARKED, 1), (NONE, 1), (NONE, 1), (NONE, 1)]), Some(Ending::Closed));
        assert_eq!(last(Some(1.7), &[(OPEN, 1), (OPEN, 1), (OPEN, 1), (OPEN, 1)]), Some(Ending::Idle));
    }
}
