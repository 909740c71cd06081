//! `watch`: a recording in progress.

use std::time::{Duration, Instant};

use darkchunk_hdf5::{FrameStatus, load};
use darkchunk_stream::unpacked::Signals;
use darkchunk_stream::watch::{Phase, Recording, State};
use serde_json::json;

use crate::input::Input;
use crate::output::{bytes, print, shown, wrapped};
use crate::{Found, Outcome};

const HELP: &str = "A line for each interval: frames so far, frames a second, ratio, frames that are\n\
    missing and that the recorder lost. It ends when the recording ends, or by\n\
    Ctrl-C, with 1 if frames are missing or lost. The file is only read, without a\n\
    lock.\n\n\
    Examples:\n  darkchunk watch run12.h5\n  darkchunk watch run12.h5:/entry/data/data --json >> log.jsonl";

/// Show what a recording in progress has: frames/s, ratio, what is missing
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// The file; without a path its largest dataset that grows
    #[arg(value_name = "FILE[:/PATH]")]
    file: String,
    /// Seconds from line to line
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0)]
    every: f64,
    /// End after so many seconds without a new frame
    #[arg(long, value_name = "SECONDS")]
    idle: Option<f64>,
    /// Print JSON, an object a line
    #[arg(long)]
    json: bool,
}

/// How often it is looked whether it is to end.
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let library = load::library().map_err(|error| error.to_string())?;
    let input = Input::parse(&arguments.file);
    crate::input::readable(&input.file)?;
    let dataset = (input.path != "/").then_some(&*input.path);
    let every = seconds(arguments.every)?;
    let idle = arguments.idle.map(seconds).transpose()?;
    let signals = Signals::note();
    let mut recording = Recording::new(&library, &input.file, dataset);
    let mut lines = Lines { input: &input, json: arguments.json, begin: Instant::now(), last: None };
    let (mut state, mut newest) = (State::default(), Instant::now());
    loop {
        // Before the look: what a writer does last is seen, too.
        let phase = recording.phase();
        let unread = match recording.look() {
            Ok(found) => {
                newest = if found.n_frames > state.n_frames { Instant::now() } else { newest };
                state = found;
                lines.show(&state, None)?;
                None
            }
            Err(reason) if phase == Phase::Open => {
                lines.show(&state, Some(&reason))?;
                Some(reason)
            }
            Err(reason) => return Err(format!("{}: {reason}", input.name())),
        };
        let is_idle = idle.is_some_and(|idle| newest.elapsed() >= idle);
        if phase != Phase::Open || is_idle || is_told_to_end(&signals, every) {
            if let Some(reason) = unread.filter(|_| state == State::default()) {
                return Err(format!("{}: {reason}", input.name()));
            }
            lines.end(&state, phase, is_idle)?;
            let is_whole = state.n_not_stored() == 0 && phase != Phase::Broken;
            return Ok(if is_whole { Found::Nothing } else { Found::Something });
        }
    }
}

fn seconds(number: f64) -> Result<Duration, String> {
    let is_there = (0.01..1e6).contains(&number);
    is_there.then(|| Duration::from_secs_f64(number)).ok_or_else(|| format!("{number} are no seconds to wait"))
}

/// Waits for the next line; whether somebody pressed Ctrl-C meanwhile.
fn is_told_to_end(signals: &Signals, every: Duration) -> bool {
    let end = Instant::now() + every;
    loop {
        if signals.take().is_some() {
            return true;
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        std::thread::sleep(left.min(PAUSE));
    }
}

struct Lines<'a> {
    input: &'a Input,
    json: bool,
    begin: Instant,
    /// When the last line was, and how many frames there were.
    last: Option<(Instant, u64)>,
}

impl Lines<'_> {
    fn show(&mut self, state: &State, reason: Option<&str>) -> Result<(), String> {
        let now = Instant::now();
        let rate = self.last.filter(|_| reason.is_none()).map(|(then, n_frames)| {
            state.n_frames.saturating_sub(n_frames) as f64 / (now - then).as_secs_f64().max(1e-9)
        });
        let seconds = (now - self.begin).as_secs_f64();
        if reason.is_none() {
            self.last = Some((now, state.n_frames));
        }
        if self.json {
            return self.json_line(state, seconds, rate, if reason.is_some() { "unreadable" } else { "open" }, reason);
        }
        if let Some(reason) = reason {
            return print(&wrapped(0, &format!("{seconds:6.0} s  cannot be read now: {reason}")));
        }
        let rate = rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.1}"));
        let ratio = state.ratio().map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.1}"));
        let stored = bytes(state.stored_bytes);
        let n = state.n_frames;
        let lost = state.n_not_stored() - state.count(FrameStatus::Missing);
        let missing = state.count(FrameStatus::Missing);
        print(&format!(
            "{seconds:6.0} s {n:9} frames {rate:>8}/s {stored:>10} ratio {ratio:>6} missing {missing} lost {lost}\n"
        ))
    }

    fn json_line(
        &self,
        state: &State,
        seconds: f64,
        rate: Option<f64>,
        phase: &str,
        reason: Option<&str>,
    ) -> Result<(), String> {
        let mut object = json!({
            "verb": "watch", "file": self.input.name(), "path": state.dataset, "state": phase, "reason": reason,
            "seconds": seconds, "frames": state.n_frames, "frames_per_second": rate, "bytes": state.n_bytes,
            "stored_bytes": state.stored_bytes, "ratio": state.ratio(),
        });
        for (status, word) in FrameStatus::ALL.iter().zip(FrameStatus::WORDS) {
            object[word] = state.count(*status).into();
        }
        print(&format!("{object}\n"))
    }

    fn end(&self, state: &State, phase: Phase, is_idle: bool) -> Result<(), String> {
        let seconds = self.begin.elapsed().as_secs_f64();
        let (word, text) = match phase {
            Phase::Broken => {
                ("broken", "the recorder has ended without closing the file: darkchunk recover restores it")
            }
            Phase::Ended => ("ended", "the recording has ended"),
            Phase::Open if is_idle => ("idle", "no new frames"),
            Phase::Open => ("open", "it goes on"),
        };
        if self.json {
            return self.json_line(state, seconds, None, word, None);
        }
        let kinds = FrameStatus::ALL.iter().zip(FrameStatus::WORDS).filter(|(status, _)| state.count(**status) > 0);
        let kinds: Vec<String> = kinds.map(|(status, word)| format!("{} {word}", state.count(*status))).collect();
        let path = shown(&state.dataset).into_owned();
        let kinds = if kinds.is_empty() { String::new() } else { format!(": {}", kinds.join(", ")) };
        print(&wrapped(0, &format!("{path}: {text}: {} frames{kinds}", state.n_frames)))
    }
}
