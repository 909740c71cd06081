//! `bench report`: what the recorded results say. Prints the goals with what was measured, and where a kernel level is slower than
//! the one below it.
//!
//! With `--write` it renews what documents show of the records: the chart and the table of the README, the tables of
//! `docs/benchmarks.md`, the goals in `benches/record/README.md`. A test fails where one of them is not what the records say.

use super::record::{self, folder};
use super::{chart, goals, tables};
use crate::Result;
use crate::workspace::{root, shown};
use std::fs;
use std::path::PathBuf;

/// The machine of the README's table and chart, as its description names it.
const README_MACHINE: &str = "AMD Zen 5";

pub(super) fn run(arguments: &[String]) -> Result {
    if arguments.first().is_some_and(|argument| argument == "--write") {
        return if arguments.len() == 1 { write() } else { Err("bench report --write takes no files".into()) };
    }
    let machines = record::machines(arguments)?;
    print!("{}", goals::table(&machines));
    for machine in &machines {
        print!("\n{}\n\n{}", machine.name, goals::slower_levels(&machine.rows));
    }
    Ok(())
}

/// A document, and what it must be by the records.
fn documents() -> Result<Vec<(PathBuf, String)>> {
    let machines = record::machines(&[])?;
    let of_readme = machines.iter().find(|machine| machine.name == README_MACHINE);
    let of_readme = of_readme.ok_or_else(|| format!("no record of {README_MACHINE}"))?;
    let benchmarks = [tables::processors(&machines)?, tables::detectors(of_readme)?, tables::reader_of(&machines)];
    Ok(vec![
        renewed(root().join("README.md"), &[tables::uses(of_readme)?])?,
        renewed(root().join("docs/benchmarks.md"), &benchmarks)?,
        renewed(folder().join("README.md"), &[goals::table(&machines)])?,
        (root().join("docs/speed.svg"), chart::draw(of_readme)?),
    ])
}

/// A document with new tables.
fn renewed(path: PathBuf, tables: &[String]) -> Result<(PathBuf, String)> {
    let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let text = replaced(&text, tables);
    let text = text.ok_or_else(|| format!("{}: not {} times `{BEGIN}` … `{END}`", path.display(), tables.len()))?;
    Ok((path, text))
}

fn write() -> Result {
    for (path, text) in documents()? {
        fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
        println!("written: {}", shown(&path));
    }
    Ok(())
}

const BEGIN: &str = "<!-- cargo xtask bench report --write -->\n";
const END: &str = "<!-- end -->";

/// `text` with each of `tables` between its two marks, which must be there as many times.
fn replaced(text: &str, tables: &[String]) -> Option<String> {
    let Some((table, others)) = tables.split_first() else {
        return (!text.contains(BEGIN)).then(|| text.to_owned());
    };
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{table}\n{END}{}", replaced(after, others)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_show_what_the_records_say() {
        for (path, text) in documents().expect("tables and chart of the records") {
            let is = fs::read_to_string(&path).unwrap_or_default();
            assert!(is == text, "{} is not what the records say: cargo xtask bench report --write", path.display());
        }
    }

    #[test]
    fn only_what_is_between_the_marks_is_replaced() {
        let text = format!("a\n{BEGIN}old\n{END}\nb\n");
        let (one, two) = (["new\n".to_owned()], ["new\n".to_owned(), "newer\n".to_owned()]);
        assert_eq!(replaced(&text, &one), Some(format!("a\n{BEGIN}\nnew\n\n{END}\nb\n")));
        assert_eq!(replaced(&text, &two), None);
        assert_eq!(replaced(&text, &[]), None);
        let twice = format!("{BEGIN}\nnew\n\n{END}{BEGIN}\nnewer\n\n{END}");
        assert_eq!(replaced(&format!("{BEGIN}{END}{BEGIN}{END}"), &two), Some(twice));
    }
}
