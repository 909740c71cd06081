//! Counts of passed and failed over many steps, read from what the steps print.
//!
//! A step that says how many of its tests passed (`cargo test`, pytest, a line `N passed, M failed`) counts for as many;
//! any other step counts for one. A step that fails and names no failed test counts as one failed.

use crate::Result;
use crate::process::{line, not_started};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, pipe};
use std::process::{Command, Stdio};
use std::time::Instant;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// The steps so far.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    total: Counts,
    rows: Vec<(String, Counts, f64)>,
    /// The name of each step that failed, and the lines that may say why.
    reasons: Vec<(String, Vec<String>)>,
    /// What would be printed, where another tally prints meanwhile.
    kept: Option<String>,
}

impl Tally {
    /// One that keeps what its steps print, for [`Self::absorb`].
    pub(crate) fn beside() -> Self {
        Self { kept: Some(String::new()), ..Self::default() }
    }

    /// Prints what `other` kept, and counts its steps.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.say(other.kept.as_deref().unwrap_or_default().trim_end());
        self.total.add(other.total);
        self.rows.extend(other.rows);
        self.reasons.extend(other.reasons);
    }

    fn say(&mut self, text: &str) {
        match &mut self.kept {
            Some(kept) => *kept += &format!("{text}\n"),
            None => println!("{text}"),
        }
    }

    /// Runs one step, passes on what it prints, and counts.
    pub(crate) fn step(&mut self, name: &str, command: &mut Command) {
        self.say(&format!("\n== {name}\n   {}", line(command)));
        let (start, mut reasons) = (Instant::now(), Reasons::default());
        let counts = match self.stream(command, &mut reasons) {
            Ok((counts, succeeded)) => settle(counts, succeeded),
            Err(message) => {
                self.say(&format!("error: {message}"));
                reasons.last.push_back(format!("error: {message}"));
                Counts { failed: 1, ..Counts::default() }
            }
        };
        self.record(name, counts, start, reasons);
    }

    /// Runs `command`, passes its lines on, and returns the sum of the summaries among them and whether it succeeded.
    fn stream(&mut self, command: &mut Command, reasons: &mut Reasons) -> Result<(Counts, bool)> {
        let (reader, writer) = pipe().map_err(|e| e.to_string())?;
        // Among the lines, so that what ends a program is said where its test is.
        command.stderr(writer.try_clone().map_err(|e| e.to_string())?);
        let spawned = command.stdin(Stdio::null()).stdout(writer).spawn();
        let mut child = spawned.map_err(|e| not_started(command, &e))?;
        // The writing ends that are left here would keep the pipe open.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut counts = Counts::default();
        for line in BufReader::new(reader).split(b'\n') {
            let line = line.map_err(|e| format!("reading from `{}`: {e}", self::line(command)))?;
            let line = String::from_utf8_lossy(&line);
            self.say(&line);
            let more = summary(&line).unwrap_or_default();
            reasons.hear(&line, more.failed > 0);
            counts.add(more);
        }
        let status = child.wait().map_err(|e| e.to_string())?;
        Ok((counts, status.success()))
    }

    /// Runs one step that is code of our own and counts for one.
    pub(crate) fn check(&mut self, name: &str, check: impl FnOnce() -> Result) -> bool {
        self.say(&format!("\n== {name}"));
        let (start, mut reasons) = (Instant::now(), Reasons::default());
        let outcome = check();
        if let Err(message) = &outcome {
            self.say(&format!("error: {message}"));
            reasons.last.push_back(format!("error: {message}"));
        }
        self.record(name, settle(Counts::default(), outcome.is_ok()), start, reasons);
        outcome.is_ok()
    }

    fn record(&mut self, name: &str, counts: Counts, start: Instant, reasons: Reasons) {
        self.total.add(counts);
        if counts.failed > 0 {
            self.reasons.push((name.into(), reasons.lines()));
        }
        self.rows.push((name.into(), counts, start.elapsed().as_secs_f64()));
    }

    /// Prints again what may say why a step failed, then a line a step, and the sum as the last line.
    ///
    /// # Errors
    /// Where anything failed.
    pub(crate) fn finish(self) -> Result {
        for (name, lines) in &self.reasons {
            println!("\n== again, as it failed: {name}");
            lines.iter().for_each(|line| println!("{line}"));
        }
        println!("\n{:44} {:>7} {:>7} {:>7} {:>8}", "", "passed", "failed", "skipped", "seconds");
        for (name, counts, seconds) in &self.rows {
            println!("{name:44} {:7} {:7} {:7} {seconds:8.1}", counts.passed, counts.failed, counts.skipped);
        }
        if self.total.skipped > 0 {
            println!("{} skipped: each says above why", self.total.skipped);
        }
        let failed: Vec<&str> = self.rows.iter().filter(|row| row.1.failed > 0).map(|row| row.0.as_str()).collect();
        if !failed.is_empty() {
            println!("failed: {}", failed.join("; "));
        }
        println!("{} passed, {} failed", self.total.passed, self.total.failed);
        if failed.is_empty() { Ok(()) } else { std::process::exit(1) }
    }
}

/// What a step printed before it said that something failed.
#[derive(Debug, Default)]
struct Reasons {
    /// The lines since the last failure, of many the last.
    last: VecDeque<String>,
    said: Vec<String>,
}

impl Reasons {
    /// As many lines as a failure with its backtrace has.
    const MAX_LINES: usize = 80;

    fn hear(&mut self, line: &str, has_failed: bool) {
        if self.last.len() == Self::MAX_LINES {
            self.last.pop_front();
        }
        self.last.push_back(line.into());
        if has_failed {
            self.said.extend(self.last.drain(..));
        }
    }

    /// The lines before each summary with failures, and the last ones: cargo says there which program was killed before its summary.
    fn lines(mut self) -> Vec<String> {
        let n = if self.said.is_empty() { Self::MAX_LINES } else { 15 };
        self.said.extend(self.last.drain(self.last.len().saturating_sub(n)..));
        self.said
    }
}

/// A step without counts is one test; one that failed has at least one failure.
fn settle(counts: Counts, succeeded: bool) -> Counts {
    let named_none = counts == Counts::default();
    match succeeded {
        true if named_none => Counts { passed: 1, ..counts },
        false if counts.failed == 0 => Counts { failed: 1, ..counts },
        _ => counts,
    }
}

/// The counts in a summary line of `cargo test`, of pytest, or of the form `N passed, M failed`.
fn summary(line: &str) -> Option<Counts> {
    let line = line.trim().trim_matches('=').trim();
    let rest = match line.strip_prefix("test result: ") {
        Some(rest) => rest.split_once(". ")?.1,
        None => line.split(" in ").next()?,
    };
    let mut counts = Counts::default();
    for part in rest.split([',', ';']) {
        let words: Vec<&str> = part.split_whitespace().collect();
        match (words.first()?.parse::<u64>(), &words[1..]) {
            (Ok(n), ["passed"]) => counts.passed += n,
            (Ok(n), ["failed" | "error" | "errors"]) => counts.failed += n,
            (Ok(n), ["skipped" | "ignored"]) => counts.skipped += n,
            (
                Ok(_),
                ["measured" | "deselected" | "warning" | "warnings" | "xfailed" | "xpassed"] | ["filtered", "out"],
            ) => {}
            (Err(_), ["in", _]) if words[0] == "finished" => {}
            _ => return None,
        }
    }
    (counts != Counts::default()).then_some(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(passed: u64, failed: u64, skipped: u64) -> Option<Counts> {
        Some(Counts { passed, failed, skipped })
    }

    #[test]
    fn summaries_of_cargo_test_and_pytest_are_read() {
        let cargo = "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.26s";
        assert_eq!(summary(cargo), counts(12, 0, 1));
        let failed =
            "test result: FAILED. 5 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.26s";
        assert_eq!(summary(failed), counts(5, 3, 0));
        assert_eq!(summary("======= 2 failed, 31 passed, 4 skipped, 1 warning in 12.34s ======="), counts(31, 2, 4));
        assert_eq!(summary("31 passed in 1.2s (0:00:01)"), counts(31, 0, 0));
        assert_eq!(summary("1 passed, 1 error in 3.00s"), counts(1, 1, 0));
        assert_eq!(summary("7 passed, 2 failed"), counts(7, 2, 0));
    }

    #[test]
    fn other_lines_are_no_summaries() {
        for line in
            ["", "running 3 tests", "test a ... ok", "all 7 passed", "12 passed the door, 3 failed to", "3 files"]
        {
            assert_eq!(summary(line), None, "{line}");
        }
    }

    #[test]
    fn what_runs_beside_is_printed_in_one_piece_and_counted() {
        let mut beside = Tally::beside();
        beside.step("both", Command::new("sh").args(["-c", "echo 3 passed, 1 failed; echo said >&2; exit 1"]));
        let kept = beside.kept.clone().expect("kept");
        assert!(kept.contains("== both") && kept.contains("3 passed, 1 failed\n") && kept.contains("said\n"), "{kept}");
        let mut tally = Tally::default();
        tally.absorb(beside);
        assert_eq!((Some(tally.total), tally.rows.len()), (counts(3, 1, 0), 1));
    }

    #[test]
    fn what_a_failing_step_printed_is_there_again() {
        let mut tally = Tally::default();
        tally.step("good", Command::new("sh").args(["-c", "echo fine; echo 3 passed, 0 failed"]));
        tally.step("bad", Command::new("sh").args(["-c", "seq 200; echo 1 passed, 2 failed; echo killed >&2; exit 1"]));
        assert!(!tally.check("check", || Err("why".into())));
        let [(bad, lines), (check, why)] = &tally.reasons[..] else { panic!("{:?}", tally.reasons) };
        assert_eq!((bad.as_str(), lines.len(), lines[80].as_str()), ("bad", 81, "killed"));
        assert_eq!((lines[0].as_str(), lines[79].as_str()), ("122", "1 passed, 2 failed"));
        assert_eq!((check.as_str(), &why[..]), ("check", &["error: why".to_owned()][..]));
    }

    #[test]
    fn a_failing_step_without_counts_is_one_failure() {
        assert_eq!(Some(settle(Counts::default(), false)), counts(0, 1, 0));
        assert_eq!(Some(settle(Counts::default(), true)), counts(1, 0, 0));
        assert_eq!(Some(settle(Counts { passed: 3, failed: 0, skipped: 0 }, false)), counts(3, 1, 0));
        assert_eq!(Some(settle(Counts { passed: 3, failed: 2, skipped: 0 }, false)), counts(3, 2, 0));
    }
}
