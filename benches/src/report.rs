//! One measured row, and its JSON.

use serde_json::{Value, json};

/// The speed of one implementation for one thing on one input.
#[derive(Debug, Clone)]
pub struct Row {
    /// What was done: `bitshuffle-lz4 decode`, `memory read`.
    pub name: String,
    /// The regime of the frames.
    pub input: String,
    /// Whose code: [`OURS`], or a peer with its version and build.
    pub by: String,
    /// The kernel level of ours; what a peer was built for.
    pub level: String,
    /// Threads it ran on.
    pub threads: usize,
    /// Best round, 10^9 bytes of pixels a second.
    pub gb_per_s: f64,
    /// Median round.
    pub gb_per_s_median: f64,
    /// Pixel bytes by stored bytes, where something is stored.
    pub ratio: Option<f64>,
    /// The best peer of this row's group, for ours.
    pub peer: Option<String>,
    /// Ours by the best peer, from the best rounds.
    pub vs_peer: Option<f64>,
    /// Ours by the best peer, median of paired rounds.
    pub vs_peer_median: Option<f64>,
    /// Ours with several threads by ours with one, by wall-clock time: from the best rounds, and the median of paired rounds.
    pub vs_one_thread: Option<(f64, f64)>,
    /// Which limit: `memory read` or `memset`.
    pub limit: String,
    /// This by the limit, from the best rounds.
    pub vs_limit: Option<f64>,
    /// This by the limit, median of paired rounds.
    pub vs_limit_median: Option<f64>,
}

/// `by` of our own rows.
pub const OURS: &str = "darkchunk";

impl Row {
    /// The row as `compare --json` writes it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "section": "codec",
            "name": self.name,
            "input": self.input,
            "by": self.by,
            "level": self.level,
            "threads": self.threads,
            "gb_per_s": self.gb_per_s,
            "gb_per_s_median": self.gb_per_s_median,
            "ratio": self.ratio,
            "peer": self.peer,
            "vs_peer": self.vs_peer,
            "vs_peer_median": self.vs_peer_median,
            "vs_one_thread": self.vs_one_thread.map(|(best, _)| best),
            "vs_one_thread_median": self.vs_one_thread.map(|(_, median)| median),
            "limit": self.limit,
            "vs_limit": self.vs_limit,
            "vs_limit_median": self.vs_limit_median,
        })
    }
}

/// Prints rows as a table, one line each: what, by whom, speed, ratios.
pub fn print(rows: &[Row]) {
    for row in rows {
        let threads = row.vs_one_thread.map(|(best, _)| format!(", {} threads: {best:.2} of one", row.threads));
        let number = |value: Option<f64>| value.map_or_else(|| "-".into(), |value| format!("{value:.2}"));
        println!(
            "{:<28} {:<24} {:<42} {:<22} {:>7.2} GB/s  x{:<8} {:>6} of {:<11} {:>6} of the best peer{}",
            row.name,
            row.input,
            row.by,
            row.level,
            row.gb_per_s,
            number(row.ratio),
            number(row.vs_limit),
            row.limit,
            number(row.vs_peer),
            threads.unwrap_or_default(),
        );
    }
}
