//! `cargo xtask COMMAND`. Each command does its own set-up.
//!
//! A command is one file here, and one row in [`COMMANDS`]: its `run` gets the arguments after the command's name.

mod archive;
mod bench;
mod cross;
mod demo;
mod dist;
#[cfg(test)]
mod documents;
mod foreign;
mod fuzz;
mod graph;
#[cfg(test)]
mod layers;
mod licences;
mod process;
mod prove;
mod setup;
mod site;
mod soundness;
mod tally;
mod targets;
mod test;
mod wheel;
mod workspace;

use std::process::ExitCode;

/// What a command returns: a message for the user where it failed.
type Result<T = ()> = std::result::Result<T, String>;

struct Command {
    name: &'static str,
    help: &'static str,
    run: fn(&[String]) -> Result,
}

const COMMANDS: &[Command] = &[
    Command { name: "demo", help: demo::HELP, run: demo::run },
    Command { name: "test", help: test::HELP, run: test::run },
    Command { name: "prove", help: prove::HELP, run: prove::run },
    Command { name: "bench", help: bench::HELP, run: bench::run },
    Command { name: "fuzz", help: fuzz::HELP, run: fuzz::run },
    Command { name: "graph", help: graph::HELP, run: graph::run },
    Command { name: "sound", help: soundness::HELP, run: soundness::run },
    Command { name: "dist", help: dist::HELP, run: dist::run },
    Command { name: "wheel", help: wheel::HELP, run: wheel::run },
    Command { name: "site", help: site::HELP, run: site::run },
    Command { name: "licences", help: licences::HELP, run: licences::run },
];

fn usage() -> String {
    let rows = COMMANDS
        .iter()
        .map(|command| format!("  {:10}{}\n", command.name, command.help.replace('\n', "\n            ")));
    format!("usage: cargo xtask COMMAND [OPTIONS]\n\n{}", rows.collect::<String>())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let name = arguments.first().map_or("help", String::as_str);
    if matches!(name, "help" | "--help" | "-h") {
        print!("{}", usage());
        return ExitCode::SUCCESS;
    }
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        eprint!("error: there is no command `{name}`\n\n{}", usage());
        return ExitCode::from(2);
    };
    if arguments[1..].iter().any(|argument| matches!(argument.as_str(), "--help" | "-h")) {
        println!("usage: cargo xtask {name} [OPTIONS]\n\n{}", command.help);
        return ExitCode::SUCCESS;
    }
    match (command.run)(&arguments[1..]) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}
