//! Circles of a graph: sets of modules of which each uses all others, by whatever way round.

use super::resolve::Edges;
use std::collections::BTreeSet;

/// The circles of two or more, the largest first, each in the order of its names.
pub(super) fn circles(edges: &Edges) -> Vec<Vec<String>> {
    let mut left: BTreeSet<&String> = edges.keys().collect();
    let mut found = Vec::new();
    while let Some(first) = left.first().copied() {
        let circle: Vec<String> =
            reached(edges, first).into_iter().filter(|other| reached(edges, other).contains(first)).cloned().collect();
        left.remove(first);
        left.retain(|module| !circle.contains(module));
        if circle.len() > 1 {
            found.push(circle);
        }
    }
    found.sort_by_key(|circle| std::cmp::Reverse(circle.len()));
    found
}

/// All modules that `from` uses, and what those use.
fn reached<'a>(edges: &'a Edges, from: &'a String) -> BTreeSet<&'a String> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&String> = vec![from];
    while let Some(module) = open.pop() {
        for next in edges.get(module).into_iter().flatten() {
            if reached.insert(next) {
                open.push(next);
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_that_use_each_other_are_one_circle() {
        let edge = |from: &str, to: &[&str]| (from.to_owned(), to.iter().map(|to| (*to).to_owned()).collect());
        let edges = [
            edge("a", &["b"]),
            edge("b", &["c", "d"]),
            edge("c", &["a"]),
            edge("d", &["e"]),
            edge("e", &["d"]),
            edge("f", &["a"]),
        ];
        assert_eq!(circles(&Edges::from(edges)), [vec!["a", "b", "c"], vec!["d", "e"]]);
    }
}
