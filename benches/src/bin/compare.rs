//! Races our codecs, their peers and the machine's limits; the codec part of `cargo xtask bench`.
//!
//! `compare --peers LIST.json [--real FOLDER] [--json FILE] [--quick] [--huge-pages] [--only TEXT]`. `LIST.json` and `FOLDER` are
//! made by `cargo xtask bench`, which also prints the tables. `compare --dump FOLDER` writes the frames for the part that
//! goes through HDF5 and nothing else, `--dump-talk FOLDER` those of `bench talk`.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use darkchunk::cpu::Level;
use darkchunk_benches::inputs::{self, Input};
use darkchunk_benches::limits::ReadLoop;
use darkchunk_benches::pool::{Pages, Pool};
use darkchunk_benches::report::Row;
use darkchunk_benches::tasks::formats::{self, Peers};
use darkchunk_benches::tasks::{Arena, fused, memory};
use darkchunk_benches::timing::{Budget, Clock};
use darkchunk_benches::{Failure, report};
use serde_json::Value;

fn main() -> Result<(), Failure> {
    let options = Options::from_args(std::env::args().skip(1))?;
    if let Some(folder) = &options.dump {
        return inputs::dump(folder);
    }
    if let Some(folder) = &options.dump_talk {
        return inputs::dump_talk(folder);
    }
    if std::env::var_os("OMP_NUM_THREADS").is_none_or(|n| n != "1") {
        return Err("OMP_NUM_THREADS must be 1: bitshuffle's wheel uses all processors otherwise".into());
    }
    let peers = Peers::load(&read_json(&options.peers)?)?;
    let levels = options.levels();
    let (mut rows, read) = limits(options.pages, options.budget());
    report::print(&rows);
    for name in options.simulated() {
        let input = inputs::simulate(name, options.pages);
        rows.extend(run(&input, &peers, levels, read, options.budget())?);
    }
    if let Some(folder) = &options.real {
        let index = read_json(&folder.join("index.json"))?;
        for real in inputs::real(&index, folder).iter().filter(|real| options.wants(real.name(), real.is_quick())) {
            rows.extend(run(&real.load(options.pages)?, &peers, levels, read, options.budget())?);
        }
    }
    if let Some(path) = &options.json {
        let rows: Vec<Value> = rows.iter().map(Row::to_json).collect();
        std::fs::write(path, serde_json::to_string_pretty(&rows)?)?;
    }
    Ok(())
}

fn limits(pages: Pages, budget: Budget) -> (Vec<Row>, ReadLoop) {
    let (source, output) = (Pool::new(2 << 20, pages), RefCell::new(Pool::new(2 << 20, pages)));
    memory::run(&source, &output, budget)
}

fn run(input: &Input, peers: &Peers, levels: &[Level], read: ReadLoop, budget: Budget) -> Result<Vec<Row>, Failure> {
    let output = RefCell::new(Pool::new(input.frames.frame_bytes(), input.frames.pages()));
    let mut rows = Vec::new();
    if let Some(threshold) = input.threshold {
        let source = input.raw.as_ref().map_or(&input.frames, |raw| &raw.subtracted);
        let arena = Arena { input, source, output: &output, read, budget };
        rows.extend(formats::drle(input, threshold, levels)?.run(&arena));
        if input.raw.is_some() {
            rows.extend(fused::run(&arena, levels));
        }
        report::print(&rows);
    }
    let of_one_thread = peers.groups(input, levels)?.into_iter().map(|group| (group, Clock::Thread));
    let of_two_threads = peers.threaded(input, Level::current(), 2)?.into_iter().map(|group| (group, Clock::Wall));
    for (group, clock) in of_one_thread.chain(of_two_threads) {
        let budget = Budget { clock, ..budget };
        let arena = Arena { input, source: &input.frames, output: &output, read, budget };
        let group_rows = group.run(&arena);
        report::print(&group_rows);
        rows.extend(group_rows);
    }
    Ok(rows)
}

fn read_json(path: &Path) -> Result<Value, Failure> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(serde_json::from_str(&text)?)
}

#[derive(Debug, Default)]
struct Options {
    peers: PathBuf,
    real: Option<PathBuf>,
    dump: Option<PathBuf>,
    dump_talk: Option<PathBuf>,
    json: Option<PathBuf>,
    is_quick: bool,
    pages: Pages,
    only: Option<String>,
}

impl Options {
    fn from_args(mut args: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut options = Self::default();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or(format!("{arg} needs a value"));
            match arg.as_str() {
                "--peers" => options.peers = value()?.into(),
                "--real" => options.real = Some(value()?.into()),
                "--dump" => options.dump = Some(value()?.into()),
                "--dump-talk" => options.dump_talk = Some(value()?.into()),
                "--json" => options.json = Some(value()?.into()),
                "--only" => options.only = Some(value()?),
                "--huge-pages" => options.pages = Pages::Huge,
                "--quick" => options.is_quick = true,
                other => return Err(format!("unknown argument {other}").into()),
            }
        }
        Ok(options)
    }

    fn budget(&self) -> Budget {
        Budget { each: Duration::from_millis(if self.is_quick { 120 } else { 200 }), clock: Clock::Thread }
    }

    fn wants(&self, name: &str, is_quick: bool) -> bool {
        match &self.only {
            Some(text) => name.contains(text.as_str()),
            None => is_quick || !self.is_quick,
        }
    }

    /// A quick run has the best level only.
    fn levels(&self) -> &'static [Level] {
        let all = Level::available();
        if self.is_quick { &all[all.len() - 1..] } else { all }
    }

    fn simulated(&self) -> impl Iterator<Item = &'static str> {
        inputs::REGIMES.into_iter().filter(|name| self.wants(name, inputs::QUICK_REGIMES.contains(name)))
    }
}
