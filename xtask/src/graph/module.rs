//! One file of a crate as a module: what it imports, names and defines. What is compiled for tests only is left out.

use super::lexer::Token;
use std::collections::{BTreeMap, BTreeSet};

/// The steps of a path, such as `crate`, `codec`, `Codec`.
pub(super) type Steps = Vec<String>;

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Module {
    /// Modules that are files of their own.
    pub(super) children: Vec<String>,
    /// What names brought in by `use` mean.
    pub(super) imports: BTreeMap<String, Steps>,
    /// Paths of which everything is brought in.
    pub(super) globs: Vec<Steps>,
    /// Names that this file defines.
    pub(super) defined: BTreeSet<String>,
    /// All paths that are named, in `use` and elsewhere.
    pub(super) named: Vec<Steps>,
}

const DEFINES: [&str; 9] = ["fn", "struct", "enum", "trait", "const", "static", "type", "union", "macro_rules"];

pub(super) fn parse(tokens: &[Token]) -> Module {
    let mut module = Module::default();
    let mut at = 0;
    // Inline modules around the place, by the depth of their braces.
    let (mut depth, mut inline): (usize, Vec<usize>) = (0, Vec::new());
    while let Some(token) = tokens.get(at) {
        if is_for_tests(&tokens[at..]) {
            at += item_len(&tokens[at..]);
            continue;
        }
        match token {
            Token::Mark('{') => depth += 1,
            Token::Mark('}') => {
                depth = depth.saturating_sub(1);
                inline.retain(|outer| *outer < depth + 1);
            }
            _ => {}
        }
        at += match (token.word(), tokens.get(at + 1).and_then(Token::word)) {
            (Some("use"), _) => module.add_use(&tokens[at + 1..], inline.len()),
            (Some("mod"), Some(name)) if tokens.get(at + 2).is_some_and(|next| next.is(';')) => {
                module.children.push(name.to_owned());
                2
            }
            (Some("mod"), Some(_)) => {
                inline.push(depth + 1);
                2
            }
            (Some(_), _) if starts_path(tokens, at) => module.add_path(&tokens[at..], inline.len()),
            (Some(word), _) if depth == 0 && DEFINES.contains(&word) => {
                let name = tokens[at + 1..].iter().find_map(Token::word);
                module.defined.extend(name.map(str::to_owned));
                1
            }
            _ => 1,
        };
    }
    module
}

impl Module {
    /// Takes what follows a `use`; returns the tokens it has, with `use`.
    fn add_use(&mut self, tokens: &[Token], n_inline: usize) -> usize {
        let n = tokens.iter().position(|token| token.is(';')).unwrap_or(tokens.len());
        let mut imports = Vec::new();
        tree(&tokens[..n], &mut Vec::new(), &mut imports);
        for (mut path, name) in imports {
            outwards(&mut path, n_inline);
            match name.as_str() {
                "*" => self.globs.push(path.clone()),
                "_" => {}
                _ => drop(self.imports.insert(name, path.clone())),
            }
            self.named.push(path);
        }
        n + 2
    }

    fn add_path(&mut self, tokens: &[Token], n_inline: usize) -> usize {
        let n = path_len(tokens);
        let mut path: Steps = tokens[..n].iter().filter_map(|token| token.word().map(str::to_owned)).collect();
        outwards(&mut path, n_inline);
        self.named.push(path);
        n
    }
}

/// In an inline module `super` is this file, and `self` what cannot be told from it.
fn outwards(path: &mut Steps, n_inline: usize) {
    let n_super = path.iter().take_while(|step| *step == "super").count();
    let n_dropped = n_super.min(n_inline);
    if n_dropped > 0 {
        path.drain(..n_dropped);
        if path.first().is_none_or(|step| step != "super") {
            path.insert(0, "self".to_owned());
        }
    }
}

/// Whether a path of at least two steps begins here.
fn starts_path(tokens: &[Token], at: usize) -> bool {
    let is_inside = at > 0 && tokens[at - 1] == Token::Path;
    !is_inside && tokens.get(at + 1) == Some(&Token::Path)
}

fn path_len(tokens: &[Token]) -> usize {
    let mut n = 1;
    while tokens.get(n) == Some(&Token::Path) && tokens.get(n + 1).is_some_and(|next| next.word().is_some()) {
        n += 2;
    }
    n
}

/// The paths of a `use`, with the names that they get.
fn tree(tokens: &[Token], before: &mut Steps, imports: &mut Vec<(Steps, String)>) {
    let n_before = before.len();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token {
            Token::Word(word) if word == "as" => {}
            Token::Word(word) if at > 0 && tokens[at - 1].word() == Some("as") => {
                if let Some((_, name)) = imports.last_mut() {
                    name.clone_from(word);
                }
            }
            Token::Word(word) => {
                before.push(word.clone());
                if tokens.get(at + 1) != Some(&Token::Path) {
                    imports.push(finished(before));
                }
            }
            Token::Mark('*') => imports.push((before.clone(), "*".to_owned())),
            Token::Mark('{') => {
                let n = block_len(&tokens[at..]);
                tree(&tokens[at + 1..at + n - 1], before, imports);
                at += n - 1;
            }
            Token::Mark(',') => before.truncate(n_before),
            _ => {}
        }
        at += 1;
    }
    before.truncate(n_before);
}

/// `a::b::self` is `a::b`.
fn finished(path: &Steps) -> (Steps, String) {
    let mut path = path.clone();
    if path.len() > 1 {
        path.pop_if(|last| last == "self");
    }
    let name = path.last().cloned().unwrap_or_default();
    (path, name)
}

/// The tokens of a block that begins here, with its braces.
fn block_len(tokens: &[Token]) -> usize {
    let mut depth = 0_usize;
    let end = tokens.iter().position(|token| {
        match token {
            Token::Mark('{') => depth += 1,
            Token::Mark('}') => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    end.map_or(tokens.len(), |end| end + 1)
}

/// Whether `#[cfg(test)]`, or `#[cfg(all(test, …))]`, begins here.
fn is_for_tests(tokens: &[Token]) -> bool {
    let words: Vec<&str> = tokens.iter().take(8).filter_map(Token::word).take(3).collect();
    let is_attribute = tokens[0].is('#') && tokens.get(1).is_some_and(|next| next.is('['));
    is_attribute && (words.starts_with(&["cfg", "test"]) || words.starts_with(&["cfg", "all", "test"]))
}

/// The tokens of the item that begins here with its attributes: to the end of its block, or its semicolon.
fn item_len(tokens: &[Token]) -> usize {
    let mut at = 0;
    while tokens.get(at).is_some_and(|token| token.is('#')) {
        let end = tokens[at..].iter().position(|token| token.is(']')).unwrap_or(tokens.len() - at - 1);
        at += end + 1;
    }
    let n = tokens[at..].iter().position(|token| token.is('{') || token.is(';')).unwrap_or(tokens.len() - at);
    match tokens.get(at + n) {
        Some(token) if token.is('{') => at + n + block_len(&tokens[at + n..]),
        Some(_) => at + n + 1,
        None => tokens.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::lexer::tokens;
    use super::*;

    fn steps(path: &str) -> Steps {
        path.split("::").map(str::to_owned).collect()
    }

    #[test]
    fn uses_are_read_with_braces_and_names() {
        let module = parse(&tokens("use crate::a::{self, B, c::{D as E, F}}; pub use g::*;"));
        let imports: Vec<(&str, Steps)> = module.imports.iter().map(|(k, v)| (k.as_str(), v.clone())).collect();
        let expected = [("B", "crate::a::B"), ("E", "crate::a::c::D"), ("F", "crate::a::c::F"), ("a", "crate::a")];
        assert_eq!(imports, expected.map(|(name, path)| (name, steps(path))));
        assert_eq!(module.globs, [steps("g")]);
    }

    #[test]
    fn what_is_for_tests_only_is_left_out() {
        let module = parse(&tokens("mod a; #[cfg(test)] mod b; #[cfg(test)] mod t { use crate::x::Y; } fn f() {}"));
        assert_eq!((&module.children[..], module.named.len()), (&["a".to_owned()][..], 0));
        assert!(module.defined.contains("f"));
    }

    #[test]
    fn in_an_inline_module_super_is_the_file() {
        let module = parse(&tokens("mod os { fn f() { super::g(); super::super::h::i() } } fn k() { super::l::m() }"));
        assert_eq!(module.named, [steps("self::g"), steps("super::h::i"), steps("super::l::m")]);
    }
}
