//! `watch`: a recording in progress.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use darkchunk_hdf5::{FrameStatus, Library, load};
use darkchunk_stream::unpacked::Signals;
use darkchunk_stream::watch::{Phase, Recording, State};
use serde_json::json;

use crate::input::Input;
use crate::output::{bytes, complain, print, wrapped};
use crate::{Found, Outcome};

const HELP: &str = "A line for each interval: frames so far, frames a second, ratio, frames that are \
    missing and that the recorder lost; of several datasets or files for each. It ends \
    when the recording ends, or by Ctrl-C, with 1 if frames are missing or lost. Files \
    are only read, without a lock.\n\n\
    Examples:\n  darkchunk watch run12.h5\n  darkchunk watch run12.h5:/entry/data/data --json >> log.jsonl\n  \
    darkchunk watch part*.h5 --every 5";

/// Show what a recording in progress has: frames/s, ratio, what is missing
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// Files; without a path all their datasets of two axes or more that grow
    #[arg(required = true, value_name = "FILE[:/PATH]")]
    files: Vec<String>,
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
    let every = seconds(arguments.every)?;
    let idle = arguments.idle.map(seconds).transpose()?;
    let is_alone = arguments.files.len() == 1;
    let watched = arguments.files.iter().map(|file| Watched::new(&library, file, is_alone, arguments.json));
    let mut watched = watched.collect::<Result<Vec<_>, String>>()?;
    let signals = Signals::note();
    let mut worst = Found::Nothing;
    loop {
        let mut going_on = Vec::new();
        for mut one in watched {
            match one.look(idle) {
                Ok(None) => going_on.push(one),
                Ok(Some(found)) => worst = worst.max(found),
                Err(message) if is_alone => return Err(message),
                Err(message) => {
                    complain(&message);
                    worst = Found::NotAll;
                }
            }
        }
        if going_on.is_empty() {
            return Ok(worst);
        }
        if is_told_to_end(&signals, every) {
            for one in &going_on {
                match one.end(Phase::Open, false) {
                    Ok(found) => worst = worst.max(found),
                    Err(message) if is_alone => return Err(message),
                    Err(message) => {
                        complain(&message);
                        worst = Found::NotAll;
                    }
                }
            }
            return Ok(worst);
        }
        watched = going_on;
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

/// A file that is watched.
struct Watched {
    input: Input,
    recording: Recording,
    /// What was seen last.
    states: Vec<State>,
    /// Why it cannot be read at this moment.
    unread: Option<String>,
    newest: Instant,
    begin: Instant,
    /// When each dataset was seen last, and how many frames it had.
    last: HashMap<String, (Instant, u64)>,
    is_alone: bool,
    json: bool,
}

impl Watched {
    fn new(library: &Library, file: &str, is_alone: bool, json: bool) -> Result<Self, String> {
        let input = Input::parse(file);
        crate::input::readable(&input.file)?;
        let dataset = (input.path != "/").then_some(&*input.path);
        let recording = Recording::new(library, &input.file, dataset);
        let (now, states, last) = (Instant::now(), Vec::new(), HashMap::new());
        Ok(Self { recording, input, states, unread: None, newest: now, begin: now, last, is_alone, json })
    }

    /// Shows what there is now. Where the recording has ended, what became of it.
    fn look(&mut self, idle: Option<Duration>) -> Result<Option<Found>, String> {
        // Before the look: what a writer does last is seen, too.
        let phase = self.recording.phase();
        match self.recording.look() {
            Ok(states) => {
                let n_frames = |states: &[State]| states.iter().map(|state| state.n_frames).sum::<u64>();
                if n_frames(&states) > n_frames(&self.states) {
                    self.newest = Instant::now();
                }
                (self.states, self.unread) = (states, None);
                self.show()?;
            }
            Err(reason) if phase == Phase::Open => {
                self.show_unread(&reason)?;
                self.unread = Some(reason);
            }
            Err(reason) => return Err(format!("{}: {reason}", self.input.name())),
        }
        let is_idle = idle.is_some_and(|idle| self.newest.elapsed() >= idle);
        if phase == Phase::Open && !is_idle { Ok(None) } else { self.end(phase, is_idle).map(Some) }
    }

    fn seconds(&self) -> f64 {
        self.begin.elapsed().as_secs_f64()
    }

    /// What is before a line: nothing, if there is one dataset in all.
    fn head(&self, state: &State) -> String {
        let file = if self.is_alone { String::new() } else { format!("{}:", self.input.name()) };
        if self.is_alone && self.states.len() == 1 {
            return String::new();
        }
        wrapped(0, &format!("{file}{}", state.dataset))
    }

    fn show(&mut self) -> Result<(), String> {
        let (now, seconds) = (Instant::now(), self.seconds());
        for state in &self.states {
            let before = self.last.insert(state.dataset.clone(), (now, state.n_frames));
            let rate = before.map(|(then, n_frames)| {
                state.n_frames.saturating_sub(n_frames) as f64 / (now - then).as_secs_f64().max(1e-9)
            });
            if self.json {
                self.json_line(state, rate, "open", None)?;
                continue;
            }
            let rate = rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.1}"));
            let ratio = state.ratio().map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.1}"));
            let (stored, n, head) = (bytes(state.stored_bytes), state.n_frames, self.head(state));
            let missing = state.count(FrameStatus::Missing);
            let lost = state.n_not_stored() - missing;
            print(&format!(
                "{head}{seconds:6.0} s {n:9} frames {rate:>8}/s {stored:>10} ratio {ratio:>6} missing {missing} lost {lost}\n"
            ))?;
        }
        Ok(())
    }

    fn show_unread(&self, reason: &str) -> Result<(), String> {
        if !self.json {
            let file = if self.is_alone { String::new() } else { format!("{} ", self.input.name()) };
            let seconds = self.seconds();
            return print(&wrapped(0, &format!("{seconds:6.0} s  {file}cannot be read now: {reason}")));
        }
        let none = [State::default()];
        let states = if self.states.is_empty() { &none[..] } else { &self.states };
        states.iter().try_for_each(|state| self.json_line(state, None, "unreadable", Some(reason)))
    }

    fn json_line(&self, state: &State, rate: Option<f64>, phase: &str, reason: Option<&str>) -> Result<(), String> {
        let mut object = json!({
            "verb": "watch", "file": self.input.name(), "path": state.dataset, "state": phase, "reason": reason,
            "seconds": self.seconds(), "frames": state.n_frames, "frames_per_second": rate, "bytes": state.n_bytes,
            "stored_bytes": state.stored_bytes, "ratio": state.ratio(),
        });
        for (status, word) in FrameStatus::ALL.iter().zip(FrameStatus::WORDS) {
            object[word] = state.count(*status).into();
        }
        print(&format!("{object}\n"))
    }

    /// Says what became of it.
    fn end(&self, phase: Phase, is_idle: bool) -> Outcome {
        if let Some(reason) = self.unread.as_ref().filter(|_| self.states.is_empty()) {
            return Err(format!("{}: {reason}", self.input.name()));
        }
        let (word, text) = match phase {
            Phase::Broken => {
                ("broken", "the recorder has ended without closing the file: darkchunk recover restores it")
            }
            Phase::Ended => ("ended", "the recording has ended"),
            Phase::Open if is_idle => ("idle", "no new frames"),
            Phase::Open => ("open", "it goes on"),
        };
        for state in &self.states {
            if self.json {
                self.json_line(state, None, word, None)?;
                continue;
            }
            let kinds = FrameStatus::ALL.iter().zip(FrameStatus::WORDS).filter(|(status, _)| state.count(**status) > 0);
            let kinds: Vec<String> = kinds.map(|(status, word)| format!("{} {word}", state.count(*status))).collect();
            let kinds = if kinds.is_empty() { String::new() } else { format!(": {}", kinds.join(", ")) };
            let file = if self.is_alone { String::new() } else { format!("{}:", self.input.name()) };
            print(&wrapped(0, &format!("{file}{}: {text}: {} frames{kinds}", state.dataset, state.n_frames)))?;
        }
        let is_whole = phase != Phase::Broken && self.states.iter().all(|state| state.n_not_stored() == 0);
        Ok(if is_whole { Found::Nothing } else { Found::Something })
    }
}
