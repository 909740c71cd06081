//! Questions to the rows of one run.

use super::record::Row;

/// Whose rows are ours.
pub(super) const OURS: &str = "darkchunk";

/// A peer: how its `by` and its `level` begin.
pub(super) type Peer = (&'static str, &'static str);

/// Compiled for this machine.
pub(super) const NATIVE_BITSHUFFLE: Peer = ("C bitshuffle", "gcc");
pub(super) const NATIVE_BLOSC: Peer = ("c-blosc", "gcc");
/// The wheel that most people use.
pub(super) const PLUGIN: Peer = ("hdf5plugin", "wheel");

/// The rows of one run.
pub(super) struct Rows<'a>(pub(super) &'a [Row]);

impl<'a> Rows<'a> {
    /// Ours with one thread, at the best level.
    pub(super) fn ours(&self, name: &str, input: &str) -> Option<&'a Row> {
        self.ours_with(name, input, 1)
    }

    /// At the best level: the last one that was run.
    pub(super) fn ours_with(&self, name: &str, input: &str, n_threads: u64) -> Option<&'a Row> {
        let is_it = |r: &&Row| r.name == name && r.input == input && r.by == OURS && r.threads == n_threads;
        self.0.iter().rev().find(is_it)
    }

    /// A peer's with one thread.
    pub(super) fn peer(&self, name: &str, input: &str, (by, level): Peer) -> Option<&'a Row> {
        let is_it = |r: &&Row| r.name == name && r.input == input && r.threads == 1;
        self.0.iter().filter(is_it).find(|r| r.by.starts_with(by) && r.level.starts_with(level))
    }

    /// The fastest peer in what `row` does. Through h5py, where no peer has this filter: in any filter.
    pub(super) fn fastest_peer(&self, row: &Row) -> Option<&'a Row> {
        let is_peer = |r: &&Row| r.input == row.input && r.threads == row.threads && r.by != OURS && r.by != "machine";
        let fastest = |rows: &mut dyn Iterator<Item = &'a Row>| rows.max_by(|a, b| a.gb_per_s.total_cmp(&b.gb_per_s));
        let same = fastest(&mut self.0.iter().filter(is_peer).filter(|r| r.name == row.name));
        let what = row.name.split_inclusive(' ').take(2).collect::<String>();
        let any = |r: &&Row| row.is_h5py() && r.name.starts_with(&what) && !r.name.ends_with(" none");
        same.or_else(|| fastest(&mut self.0.iter().filter(is_peer).filter(any)))
    }

    /// The method (a) of the talk, which all others are compared with.
    pub(super) fn talk_baseline(&self, row: &Row) -> Option<&'a Row> {
        self.peer(&row.name, &row.input, ("(a)", ""))
    }

    /// Ours divided by the limit.
    pub(super) fn vs_limit(&self, name: &str, input: &str) -> Option<f64> {
        self.ours(name, input)?.vs_limit
    }

    /// Ours divided by the peer's.
    pub(super) fn vs(&self, name: &str, input: &str, peer: Peer) -> Option<f64> {
        Some(self.ours(name, input)?.gb_per_s / self.peer(name, input, peer)?.gb_per_s)
    }

    /// How fast the machine does `name` (`memory read`, `memset`), by the best way.
    pub(super) fn limit(&self, name: &str) -> Option<f64> {
        let speeds = self.0.iter().filter(|r| r.by == "machine" && r.name == name).map(|r| r.gb_per_s);
        speeds.max_by(f64::total_cmp)
    }
}

/// One row on one line, beside the fastest peer's.
pub(super) fn print(row: &Row, rows: &Rows<'_>) {
    let number = |value: Option<f64>| value.map_or_else(|| "-".into(), |value| format!("{value:.2}"));
    let peer = if row.by == OURS { rows.fastest_peer(row) } else { None };
    let beside = peer.map(|peer| format!("{:.2} of {}, {}", row.gb_per_s / peer.gb_per_s, peer.by, peer.name));
    println!(
        "{:<30} {:<15} {:<18} {:>2} {:>7.2} GB/s  x{:<8} {:>5} of the limit  {}",
        row.name,
        row.input,
        row.by,
        row.threads,
        row.gb_per_s,
        number(row.ratio),
        number(row.vs_limit),
        beside.unwrap_or_default(),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, by: &str, level: &str, gb_per_s: f64) -> Row {
        let text = |text: &str| text.to_owned();
        Row {
            name: text(name),
            input: text("in"),
            by: text(by),
            level: text(level),
            threads: 1,
            gb_per_s,
            ..Row::default()
        }
    }

    #[test]
    fn ratios_are_of_the_best_level_to_the_named_build() {
        let rows = [
            row("bitshuffle-lz4 decode", "C bitshuffle 0.5.2", "wheel", 9.0),
            row("bitshuffle-lz4 decode", "C bitshuffle 0.5.2", "gcc 12", 2.0),
            row("bitshuffle-lz4 decode", OURS, "scalar", 1.0),
            row("bitshuffle-lz4 decode", OURS, "avx512", 5.0),
        ];
        assert_eq!(Rows(&rows).vs("bitshuffle-lz4 decode", "in", NATIVE_BITSHUFFLE), Some(2.5));
        assert_eq!(Rows(&rows).fastest_peer(&rows[3]), Some(&rows[0]));
    }

    #[test]
    fn a_filter_that_no_peer_has_is_compared_with_its_fastest() {
        let rows = [
            row("h5py read drle", OURS, "best", 20.0),
            row("h5py read none", "hdf5plugin 7.1.0", "wheel", 30.0),
            row("h5py read lz4", "hdf5plugin 7.1.0", "wheel", 10.0),
            row("h5py write lz4", "hdf5plugin 7.1.0", "wheel", 40.0),
        ];
        assert_eq!(Rows(&rows).fastest_peer(&rows[0]), Some(&rows[2]));
    }
}
