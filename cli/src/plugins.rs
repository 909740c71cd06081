//! `plugins`: where they are, and which HDF5 finds them.

use std::path::{Path, PathBuf};

use darkchunk_hdf5::plugins::{self, Answer, FILTERS, Folder, Host, PRELOAD, VARIABLE};
use serde_json::{Value, json};

use crate::output::{print, shown, wrapped};
use crate::{Found, Outcome};

/// Where the filter plugins are, and which HDF5 finds them
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  export HDF5_PLUGIN_PATH=$(darkchunk plugins path)\n  darkchunk plugins doctor\n  \
    darkchunk plugins list --json | jq -r 'select(.filter == 32008) | .file'\n  sudo darkchunk plugins install"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    part: Part,
}

#[derive(Debug, clap::Subcommand)]
enum Part {
    /// Print the plugins' folder, an element for HDF5_PLUGIN_PATH
    Path,
    /// List the plugins that each HDF5 here sees, those of others, too
    List {
        /// Print JSON, an object a line
        #[arg(long)]
        json: bool,
    },
    /// Copy the plugins to where HDF5 looks by itself
    Install {
        /// The folder
        #[arg(long, value_name = "FOLDER", default_value = plugins::DEFAULT_FOLDER)]
        to: PathBuf,
        /// Say what would be done
        #[arg(short = 'n', long)]
        dry_run: bool,
        /// Also over other files of these names
        #[arg(long)]
        force: bool,
    },
    /// Say of each HDF5 here which filters it finds, and why not
    Doctor {
        /// Print JSON, an object a line
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    match &arguments.part {
        Part::Path => print(&format!("{}\n", ours()?.display())).map(|()| Found::Nothing),
        Part::List { json } => list(*json),
        Part::Install { to, dry_run, force } => install(to, *dry_run, *force),
        Part::Doctor { json } => doctor(*json),
    }
}

fn ours() -> Result<PathBuf, String> {
    plugins::folder().ok_or_else(|| {
        "darkchunk's plugins are not beside this program: name their folder in DARKCHUNK_PLUGINS".to_owned()
    })
}

fn install(to: &Path, dry_run: bool, force: bool) -> Outcome {
    let mut text = String::new();
    for done in plugins::install(&ours()?, to, dry_run, force)? {
        let what = match (done.is_new, dry_run) {
            (false, _) => "is there",
            (true, true) => "would be written",
            (true, false) => "written",
        };
        text += &format!("{}: {what}\n", shown(&done.file.display().to_string()));
    }
    text.extend(plugins::reached(to).iter().map(|line| wrapped(0, line)));
    print(&text).map(|()| Found::Nothing)
}

/// `HDF5 1.14.6, /path`.
fn name(host: &Host) -> String {
    let version = host.version.map_or_else(String::new, |(a, b, c)| format!("HDF5 {a}.{b}.{c}, "));
    format!("{}: {version}{}", host.whose, host.file.display())
}

fn list(json: bool) -> Outcome {
    let mut text = String::new();
    for host in plugins::hosts() {
        if !json {
            text += &wrapped(0, &name(&host));
        }
        for plugin in host.folders.iter().flat_map(|folder| &folder.plugins) {
            let file = plugin.file.display().to_string();
            text += &if json {
                let object = json!({
                    "verb": "plugins", "hdf5": host.file, "of": host.whose, "file": file, "filter": plugin.id,
                    "name": plugin.name, "darkchunk": plugin.is_ours, "reason": plugin.problem,
                });
                format!("{object}\n")
            } else {
                let what = match (&plugin.id, &plugin.problem) {
                    (Some(id), _) => format!("filter {id}, {}", plugin.name),
                    (None, problem) => problem.clone().unwrap_or_default(),
                };
                wrapped(2, &format!("{file}: {what}"))
            };
        }
    }
    print(&text).map(|()| Found::Nothing)
}

fn doctor(json: bool) -> Outcome {
    let (hosts, ours) = (plugins::hosts(), plugins::folder());
    let variable = |name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    let found = found(&hosts);
    if json {
        let used = hosts.iter().find(|host| host.problem.is_none()).map(|host| &host.file);
        let head = json!({
            "verb": "plugins", "plugins": ours, "variable": variable(VARIABLE), "preload": variable(PRELOAD),
            "glibc": plugins::glibc(), "used": used, "advice": advice(&hosts, ours.as_deref()),
        });
        let lines = std::iter::once(head).chain(hosts.iter().map(as_json)).map(|object| format!("{object}\n"));
        print(&lines.collect::<String>())?;
        return Ok(found);
    }
    let mut text = format!(
        "{:18}{}\n",
        "plugins",
        ours.as_ref().map_or("not found".to_owned(), |ours| ours.display().to_string())
    );
    text += &format!("{VARIABLE:18}{}\n", variable(VARIABLE).unwrap_or_else(|| "not set".to_owned()));
    if let Some(preload) = variable(PRELOAD).filter(|preload| preload.contains("::")) {
        text += &wrapped(0, &format!("{PRELOAD:18}{preload}: HDF5 loads no plugin at all. Unset it."));
    }
    if let Some(version) = plugins::glibc() {
        text += &format!("{:18}{version}\n", "glibc");
    }
    text = shown_lines(&text);
    let used = hosts.iter().position(|host| host.problem.is_none());
    for (number, host) in hosts.iter().enumerate() {
        text += "\n";
        text += &as_text(host, Some(number) == used);
    }
    text += "\n";
    text += &advice(&hosts, ours.as_deref());
    print(&(text + "\n"))?;
    Ok(found)
}

fn shown_lines(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", shown(line))).collect()
}

fn found(hosts: &[Host]) -> Found {
    match hosts.iter().any(|host| host.problem.is_none()) {
        false => Found::NotAll,
        true if has_all(hosts) => Found::Nothing,
        true => Found::Something,
    }
}

/// Whether each HDF5 that can be used finds all of darkchunk's filters.
fn has_all(hosts: &[Host]) -> bool {
    hosts.iter().flat_map(|host| &host.filters).all(|answer| answer.is_available)
}

fn as_text(host: &Host, is_used: bool) -> String {
    let mut text = wrapped(0, &name(host));
    if is_used {
        text += &wrapped(2, "the one that this command uses");
    }
    if let Some(problem) = &host.problem {
        return text + &wrapped(2, &format!("cannot be used: {problem}"));
    }
    if !host.loads_plugins {
        text += &wrapped(2, &format!("loads no plugin at all: {PRELOAD}"));
    }
    for Answer { id, name, is_available, file } in &host.filters {
        let who = match (is_available, file) {
            (false, _) => "not found".to_owned(),
            (true, Some(file)) => file.display().to_string(),
            (true, None) => "in the program itself".to_owned(),
        };
        text += &wrapped(2, &format!("{name} ({id}): {who}"));
    }
    host.folders.iter().for_each(|folder| text += &folder_text(folder));
    text
}

fn folder_text(Folder { path, note, plugins }: &Folder) -> String {
    let note = match (&note[..], plugins.len()) {
        ("", 0) => return String::new(),
        ("", _) => String::new(),
        (note, _) => format!(": {note}"),
    };
    let is_known = |id: &Option<u32>| id.is_none_or(|id| FILTERS.iter().any(|(known, _)| *known == id));
    let others: Vec<String> = plugins
        .iter()
        .filter(|plugin| !is_known(&plugin.id))
        .filter_map(|plugin| Some(plugin.id?.to_string()))
        .collect();
    let foreign = plugins.iter().filter(|plugin| !plugin.is_ours && plugin.id.is_some()).count();
    let mut text = if note.is_empty() { String::new() } else { wrapped(2, &format!("{path}{note}")) };
    if foreign > 0 {
        let more = if others.is_empty() { String::new() } else { format!(", also for filters {}", others.join(", ")) };
        text += &wrapped(2, &format!("{path}: has {foreign} plugins of others{more}"));
    }
    for plugin in plugins {
        // A dangling link is in the folder's own note.
        if let Some(problem) = plugin.problem.as_ref().filter(|problem| *problem != "is a dangling link") {
            text += &wrapped(2, &format!("{}: {problem}", plugin.file.display()));
        }
    }
    text
}

/// What to type.
fn advice(hosts: &[Host], ours: Option<&Path>) -> String {
    let is_usable = |host: &&Host| host.problem.is_none();
    if hosts.iter().any(|host| is_usable(&host) && host.loads_plugins) && has_all(hosts) {
        return "All filters are found.".to_owned();
    }
    let Some(ours) = ours else {
        return "darkchunk's plugins are not beside this program: name their folder in DARKCHUNK_PLUGINS".to_owned();
    };
    let variable = std::env::var_os(VARIABLE).unwrap_or_default();
    let named: Vec<PathBuf> =
        std::env::split_paths(&variable).filter(|folder| !folder.as_os_str().is_empty()).collect();
    if !hosts.iter().any(|host| is_usable(&host)) {
        "Nothing to ask: install h5py (`pip install h5py`).".to_owned()
    } else if hosts.iter().filter(is_usable).any(|host| !host.loads_plugins) {
        format!("Type `unset {PRELOAD}`")
    } else if named.first().is_some_and(|first| first == ours) {
        "Some filter is not found even in darkchunk's folder: see the notes above.".to_owned()
    } else if named.iter().any(|folder| folder == ours) {
        // HDF5 1.10 ends its search at the first folder that is not there.
        let others = named.iter().filter(|folder| *folder != ours);
        let folders = std::env::join_paths(std::iter::once(&ours.to_path_buf()).chain(others)).unwrap_or_default();
        format!("Type, before the program starts:\n  export {VARIABLE}={}", folders.to_string_lossy())
    } else {
        let ours = ours.display();
        format!("Type, before the program starts:\n  export {VARIABLE}={ours}${{{VARIABLE}:+:${VARIABLE}}}")
    }
}

fn as_json(host: &Host) -> Value {
    let filters = host.filters.iter().map(
        |answer| json!({ "filter": answer.id, "name": answer.name, "found": answer.is_available, "file": answer.file }),
    );
    let folders = host.folders.iter().map(|folder| json!({ "path": folder.path, "note": folder.note }));
    json!({
        "verb": "plugins", "hdf5": host.file, "of": host.whose, "reason": host.problem,
        "version": host.version.map(|(a, b, c)| format!("{a}.{b}.{c}")), "loads_plugins": host.loads_plugins,
        "filters": filters.collect::<Vec<_>>(), "folders": folders.collect::<Vec<_>>(),
    })
}
