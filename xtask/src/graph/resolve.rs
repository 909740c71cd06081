//! From names to edges: which module's file uses what which other module's file defines.

use super::lexer::tokens;
use super::module::{Module, Steps, parse};
use crate::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The modules of a crate by their paths; the crate's root has an empty one.
#[derive(Debug, Default)]
pub(super) struct Crate(BTreeMap<Steps, Module>);

/// Which modules use which, by their names (`kernels::drle`).
pub(super) type Edges = BTreeMap<String, BTreeSet<String>>;

/// Names that lead through names are followed so far.
const MAX_STEPS: usize = 16;

impl Crate {
    /// Reads the crate whose root is `lib.rs` in `folder`.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let mut modules = Self::default();
        modules.add(Steps::new(), &folder.join("lib.rs"), folder)?;
        Ok(modules)
    }

    fn add(&mut self, path: Steps, file: &Path, folder: &Path) -> Result {
        let source = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
        let module = parse(&tokens(&source));
        for name in &module.children {
            let (flat, inner) = (folder.join(format!("{name}.rs")), folder.join(name));
            let file = if flat.exists() { flat } else { inner.join("mod.rs") };
            self.add([&path[..], std::slice::from_ref(name)].concat(), &file, &inner)?;
        }
        self.0.insert(path, module);
        Ok(())
    }

    pub(super) fn edges(&self) -> Edges {
        let edges = self.0.iter().map(|(path, module)| {
            let used = module.named.iter().filter_map(|named| self.definer(path, named, MAX_STEPS));
            (name(path), used.filter(|used| used != path).map(|used| name(&used)).collect())
        });
        edges.collect()
    }

    /// The module that defines what `named` means in the module `at`. A module that is named for itself is used only where
    /// something in it is named.
    fn definer(&self, at: &[String], named: &[String], most: usize) -> Option<Steps> {
        match self.find(at, named, most)? {
            (module, true) => Some(module),
            _ => None,
        }
    }

    /// The module in which a path ends, and whether it ends at something that the module defines.
    fn find(&self, at: &[String], named: &[String], most: usize) -> Option<(Steps, bool)> {
        let most = most.checked_sub(1)?;
        let (mut module, mut rest) = self.start(at, named, most)?;
        while let [step, after @ ..] = rest {
            let child = [&module[..], std::slice::from_ref(step)].concat();
            if self.0.contains_key(&child) {
                (module, rest) = (child, after);
                continue;
            }
            return Some(match self.imported(&module, step, most) {
                // What is imported may be a module, into which the path leads on.
                Some((into, false)) => {
                    let on = [&["crate".to_owned()][..], &into, after].concat();
                    return if after.is_empty() { Some((into, false)) } else { self.find(&[], &on, most) };
                }
                Some(found) => found,
                None => (module, true),
            });
        }
        Some((module, false))
    }

    /// Where a path starts from, and what is left of it; `None` for another crate's.
    fn start<'a>(&self, at: &[String], named: &'a [String], most: usize) -> Option<(Steps, &'a [String])> {
        let (first, rest) = named.split_first()?;
        match first.as_str() {
            "crate" => Some((Steps::new(), rest)),
            "self" => Some((at.to_vec(), rest)),
            "super" => {
                let n = named.iter().take_while(|step| *step == "super").count();
                Some((at[..at.len().checked_sub(n)?].to_vec(), &named[n..]))
            }
            _ if self.0.contains_key(&[at, std::slice::from_ref(first)].concat()) => Some((at.to_vec(), named)),
            _ => match self.imported(at, first, most)? {
                (module, false) => Some((module, rest)),
                // `Type::function`: the import of the type is the use.
                (_, true) => None,
            },
        }
    }

    /// What a name that a module brings in means.
    fn imported(&self, at: &[String], name: &String, most: usize) -> Option<(Steps, bool)> {
        let module = self.0.get(at)?;
        if let Some(path) = module.imports.get(name) {
            return self.find(at, path, most);
        }
        if module.defined.contains(name) {
            return None;
        }
        let through = |glob: &Steps| {
            let (into, _) = self.find(at, glob, most)?;
            let inner = self.0.get(&into)?;
            let has = inner.defined.contains(name) || inner.imports.contains_key(name);
            has.then(|| self.find(&into, &["self".to_owned(), name.clone()], most)).flatten()
        };
        module.globs.iter().find_map(through)
    }
}

fn name(path: &[String]) -> String {
    if path.is_empty() { "crate".to_owned() } else { path.join("::") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(files: &[(&str, &str)]) -> Vec<(String, String)> {
        let mut found = Crate::default();
        for (path, source) in files {
            let steps = path.split("::").filter(|step| !step.is_empty()).map(str::to_owned).collect();
            found.0.insert(steps, parse(&tokens(source)));
        }
        let edges = found.edges();
        edges.into_iter().flat_map(|(from, to)| to.into_iter().map(move |to| (from.clone(), to))).collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect()
    }

    #[test]
    fn what_a_parent_hands_on_is_used_where_it_is_defined() {
        let edges = of(&[
            ("", "mod a; mod b;"),
            ("a", "mod c; mod d; pub use c::C; pub fn f() {}"),
            ("a::c", "pub struct C; use super::d::D;"),
            ("a::d", "pub struct D; use super::{C, f};"),
            ("b", "use crate::a::{self, C}; fn g() { a::f() }"),
        ]);
        let expected = [("a", "a::c"), ("a::c", "a::d"), ("a::d", "a"), ("a::d", "a::c"), ("b", "a"), ("b", "a::c")];
        assert_eq!(edges, pairs(&expected));
    }

    #[test]
    fn globs_lead_to_what_defines_the_name() {
        let edges = of(&[
            ("", "mod a; mod b;"),
            ("a", "mod c; pub use c::*;"),
            ("a::c", "pub struct C;"),
            ("b", "use super::a::C;"),
        ]);
        assert_eq!(edges, pairs(&[("b", "a::c")]));
    }

    #[test]
    fn other_crates_are_no_modules() {
        assert_eq!(of(&[("", "mod a;"), ("a", "use std::fmt; fn f() { fmt::format(x); Vec::new() }")]), []);
    }
}
