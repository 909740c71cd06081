//! `graph`: which modules of the core use which, and its circles.
//!
//! An edge leads from the file that names something to the file that defines it, whatever is handed on between them. What
//! is compiled for tests only does not count.

mod circles;
mod lexer;
mod module;
mod resolve;

use crate::Result;
use crate::workspace::root;
use circles::circles;
use resolve::{Crate, Edges};

pub(crate) const HELP: &str = "prints which modules of the core use which, for `dot -Tsvg`, and its circles";

pub(crate) fn run(arguments: &[String]) -> Result {
    if let Some(argument) = arguments.first() {
        return Err(format!("graph takes no `{argument}`"));
    }
    let edges = core()?;
    println!("digraph darkchunk {{\n  rankdir=LR; node [shape=box];");
    for circle in circles(&edges) {
        println!("  // circle of {}: {}", circle.len(), circle.join(", "));
    }
    for (from, to) in edges.iter().flat_map(|(from, to)| to.iter().map(move |to| (from, to))) {
        println!("  \"{from}\" -> \"{to}\";");
    }
    println!("}}");
    Ok(())
}

fn core() -> Result<Edges> {
    Ok(Crate::read(&root().join("src"))?.edges())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest circle that there may be.
    const MAX_MODULES: usize = 3;

    fn has(circle: &[String], module: &str) -> bool {
        circle.iter().any(|name| name == module)
    }

    #[test]
    fn no_circle_of_the_core_has_more_than_three_modules() {
        for circle in circles(&core().expect("the core's sources")) {
            let n = circle.len();
            assert!(n <= MAX_MODULES, "{n} modules use each other in a circle: {}", circle.join(", "));
        }
    }

    #[test]
    fn element_types_and_kernels_are_in_no_circle() {
        for circle in circles(&core().expect("the core's sources")) {
            let has_kernels = circle.iter().any(|name| name.split("::").next() == Some("kernels"));
            assert!(!(has_kernels && has(&circle, "element")), "they use each other: {circle:?}");
        }
    }

    #[test]
    fn the_core_is_read_whole() {
        let edges = core().expect("the core's sources");
        assert!(edges["chunk::pixels"].contains("kernels::drle::encode"), "{:?}", edges["chunk::pixels"]);
        assert!(edges["codec::drle"].contains("codec::interface"), "it implements the trait");
        assert!(edges.len() > 80, "{} modules", edges.len());
    }
}
