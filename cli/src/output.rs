//! What is printed: text of 80 columns, JSON lines, progress.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Columns of a terminal that everything fits into.
const WIDTH: usize = 80;

/// How a verb says what it finds.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Style {
    /// Print JSON, an object a line
    #[arg(long)]
    pub(crate) json: bool,
    /// Print only what was found to be wrong
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Print more
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

/// Prints to standard output.
///
/// Whoever reads it may have enough, as `head` has: that is the end of the program, as it is for others.
pub(crate) fn print(text: &str) -> Result<(), String> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(2),
        written => written.map_err(|error| format!("standard output: {error}")),
    }
}

/// Writes a page. A file of data is not replaced.
pub(crate) fn page(path: &Path, text: &str) -> Result<(), String> {
    let failed = |error: String| format!("{}: {error}", path.display());
    if crate::input::is_hdf5(path) {
        return Err(failed("that is the name of an HDF5 file: name a page, such as report.html".into()));
    }
    // A pipe or a device stays what it is.
    if path.exists() && !path.is_file() {
        return std::fs::write(path, text).map_err(|error| failed(error.to_string()));
    }
    whole_file(path, |file| file.write_all(text.as_bytes()).map_err(|error| failed(error.to_string())))
}

/// A file that has its name when all of it is there.
pub(crate) fn whole_file(
    output: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<(), String>,
) -> Result<(), String> {
    let failed = |error: io::Error| format!("{}: {error}", output.display());
    let name = output.file_name().ok_or_else(|| format!("{} is no name of a file", output.display()))?;
    note_left(output);
    let place = output.with_file_name(format!(".{}.{}.unfinished", name.to_string_lossy(), std::process::id()));
    let mut file = BufWriter::with_capacity(1 << 20, File::create(&place).map_err(failed)?);
    let written = write(&mut file)
        .and_then(|()| file.flush().map_err(failed))
        .and_then(|()| std::fs::rename(&place, output).map_err(failed));
    if written.is_err() {
        let _ = std::fs::remove_file(&place);
    }
    written
}

/// Prints a message to standard error: one line, but on a terminal.
pub(crate) fn complain(message: &str) {
    let message = format!("darkchunk: {message}");
    let text = if std::io::stderr().is_terminal() { wrapped(0, &message) } else { format!("{}\n", shown(&message)) };
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Says what is wrong with the arguments. What names none is answered by the help, in 80 columns.
pub(crate) fn misused(error: &clap::Error) {
    if error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let text = crate::help::fitted(&error.render().to_string());
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    } else {
        let _ = error.print();
    }
}

/// Names what runs that were killed left of a new file.
pub(crate) fn note_left(to: &Path) {
    let left = darkchunk_stream::convert::left_unfinished(to).unwrap_or_default();
    let names: Vec<String> = left.iter().map(|left| left.display().to_string()).collect();
    if !names.is_empty() {
        complain(&format!("left by a run that was killed, and to be removed if none is at work: {}", names.join(", ")));
    }
}

/// Text with names of a file in it, as a terminal may have it: a name must not move the cursor, begin a line or turn the direction of
/// others.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    let is_control = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !text.contains(is_control) {
        return text.into();
    }
    let escape = |c: char| if is_control(c) { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escape).collect::<String>().into()
}

/// `text` in lines of [`WIDTH`] columns, all of them after `indent` spaces; cut at spaces only, so that a path or a number stays whole.
pub(crate) fn wrapped(indent: usize, text: &str) -> String {
    let (mut lines, mut line, text) = (String::new(), String::new(), shown(text));
    for word in text.split(' ') {
        let n_columns = indent + line.chars().count() + 1 + word.chars().count();
        if !line.is_empty() && n_columns > WIDTH {
            lines += &format!("{:indent$}{line}\n", "");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line += word;
    }
    lines + &format!("{:indent$}{line}\n", "")
}

/// `12.3 MB`, of 1000 each.
pub(crate) fn bytes(n_bytes: u64) -> String {
    indicatif::DecimalBytes(n_bytes).to_string()
}

/// `1 chunk` or `3 chunks`.
pub(crate) fn count(n: u64, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// Progress in bytes on standard error, with rate and time left, where that is a terminal; else nothing is shown.
pub(crate) fn progress(n_bytes: u64, style: Style) -> ProgressBar {
    if style.quiet || style.json || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(n_bytes);
    let template = "{msg:20!} {bar:20} {decimal_bytes:>9} of {decimal_total_bytes:9} {decimal_bytes_per_sec} {eta}";
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// What goes on for as long as it does, with a message.
pub(crate) fn spinner(style: Style) -> ProgressBar {
    if style.quiet || style.json || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_do_anything_to_a_terminal() {
        let name = "a\u{1b}[2Jb\nall intact\r\u{9b}1m\u{202e}c\u{2066}";
        let safe = "a\\u{1b}[2Jb\\nall intact\\r\\u{9b}1m\\u{202e}c\\u{2066}";
        assert_eq!(shown(name), safe);
        assert_eq!(wrapped(0, name), format!("{safe}\n"));
        assert!(matches!(shown("\u{b5}m, \u{3c3}"), Cow::Borrowed("\u{b5}m, \u{3c3}")));
    }

    #[test]
    fn lines_are_cut_at_spaces_and_fit_a_terminal() {
        let text = "word ".repeat(40);
        let lines = wrapped(6, text.trim());
        assert!(lines.lines().count() > 1);
        assert!(lines.lines().all(|line| line.len() <= WIDTH && line.starts_with("      word")));
        assert_eq!(wrapped(2, "a b"), "  a b\n");
        let long = "/".repeat(100);
        assert_eq!(wrapped(0, &format!("a {long} b")), format!("a\n{long}\nb\n"));
    }
}
