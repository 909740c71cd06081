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

    /// The largest circle that needs no leave.
    const MAX_MODULES: usize = 3;

    /// Larger circles that there still are: a module of each, and how many it has. They may shrink and go, and then this list
    /// does; it does not grow.
    const LARGER: [(&str, usize); 3] = [("codec::blosc", 8), ("kernels::shuffle", 7), ("codec::bitshuffle", 4)];

    /// Element types.
    const ELEMENTS: [&str; 1] = ["element"];

    fn has(circle: &[String], module: &str) -> bool {
        circle.iter().any(|name| name == module)
    }

    #[test]
    fn no_circle_of_the_core_is_larger_than_is_known() {
        let circles = circles(&core().expect("the core's sources"));
        for circle in circles.iter().filter(|circle| circle.len() > MAX_MODULES) {
            let n = circle.len();
            let listed = LARGER.iter().find(|(module, _)| has(circle, module));
            let leave = listed.map_or(MAX_MODULES, |(_, n)| *n);
            assert!(n <= leave, "{n} modules use each other in a circle ({leave} may): {}", circle.join(", "));
        }
        for (module, n) in LARGER {
            let now = circles.iter().find(|circle| has(circle, module)).map_or(0, Vec::len);
            let remedy = if now > MAX_MODULES { "say so in LARGER" } else { "take it out of LARGER" };
            assert_eq!(now, n, "the circle with {module} is smaller than it was: {remedy}");
        }
    }

    #[test]
    fn element_types_and_kernels_are_in_no_circle_but_a_known_one() {
        let circles = circles(&core().expect("the core's sources"));
        for element in ELEMENTS.iter().filter(|element| LARGER.iter().all(|(module, _)| module != *element)) {
            let both = circles.iter().find(|circle| {
                has(circle, element) && circle.iter().any(|name| name.split("::").next() == Some("kernels"))
            });
            assert!(both.is_none(), "{element} and kernels use each other: {both:?}");
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
