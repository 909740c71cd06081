//! Tests of the documents: links lead somewhere, the README stays short, and a number that stands in several files is the same.

use crate::process::{output, program};
use crate::test::OLDEST_RUST;
use crate::workspace::root;
use std::fs;
use std::path::{Path, PathBuf};

/// A reader of the README has a minute.
const MAX_README_WORDS: usize = 900;

/// All documents that git knows, with their text.
fn documents() -> Vec<(PathBuf, String)> {
    let names = output(program("git").args(["ls-files", "--cached", "--others", "--exclude-standard", "*.md"]));
    let names = names.expect("git lists the files");
    let text = |name: &str| Some((PathBuf::from(name), fs::read_to_string(root().join(name)).ok()?));
    names.lines().filter_map(text).collect()
}

/// The text without blocks of code.
fn without_code(text: &str) -> String {
    text.split("\n```").step_by(2).collect::<Vec<_>>().join("\n")
}

/// Where the links of a document lead.
fn links(text: &str) -> Vec<String> {
    let rests = text.match_indices("](").map(|(at, mark)| &text[at + mark.len()..]);
    rests.filter_map(|rest| rest.split_once(')')).map(|(link, _)| link.to_owned()).collect()
}

/// The anchors of a document's headings, as GitHub makes them.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let anchor = |heading: &str| {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    headings.map(anchor).collect()
}

/// What is wrong with a link of `document`; only files of the repository are looked at.
fn broken(document: &Path, link: &str) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let folder = document.parent().unwrap_or(Path::new(""));
    let path = if file.is_empty() { root().join(document) } else { root().join(folder).join(file) };
    let leads_nowhere = || Some(format!("{}: {link}", document.display()));
    if !path.exists() {
        return leads_nowhere();
    }
    let text = if anchor.is_empty() { return None } else { fs::read_to_string(&path).unwrap_or_default() };
    if anchors(&text).iter().any(|known| known == anchor) { None } else { leads_nowhere() }
}

#[test]
fn links_lead_to_files_and_headings_that_exist() {
    let documents = documents();
    assert!(documents.iter().any(|(path, _)| path == Path::new("README.md")));
    let broken: Vec<String> = documents
        .iter()
        .flat_map(|(path, text)| links(&without_code(text)).into_iter().filter_map(|link| broken(path, &link)))
        .collect();
    assert!(broken.is_empty(), "links that lead nowhere: {broken:#?}");
}

#[test]
fn the_readme_is_read_in_a_minute() {
    let text = fs::read_to_string(root().join("README.md")).expect("README.md");
    let n_words = without_code(&text).split_whitespace().count();
    assert!(
        n_words <= MAX_README_WORDS,
        "README.md has {n_words} words without its code, more than {MAX_README_WORDS}"
    );
}

#[test]
fn the_oldest_rust_is_the_same_everywhere() {
    for (file, line) in [
        ("Cargo.toml", format!("rust-version = \"{OLDEST_RUST}\"")),
        ("README.md", format!("Rust {OLDEST_RUST} ")),
        (".github/workflows/ci.yml", format!("cargo +{OLDEST_RUST} check")),
        (".github/workflows/ci.yml", format!("rustup toolchain install {OLDEST_RUST} ")),
    ] {
        let text = fs::read_to_string(root().join(file)).expect(file);
        assert!(text.contains(&line), "{file} does not say `{line}`");
    }
}

#[test]
fn a_broken_link_is_found() {
    let document = Path::new("docs/design.md");
    assert_eq!(broken(document, "format.md"), None);
    assert_eq!(broken(document, "https://example.org/nothing"), None);
    assert_eq!(broken(document, "nothing.md"), Some("docs/design.md: nothing.md".into()));
    assert!(broken(document, "format.md#nothing").is_some());
    assert_eq!(broken(document, "format.md#blosc-1-filter-32001"), None);
}
