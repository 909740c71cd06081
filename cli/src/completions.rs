//! `completions`: for the shell.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::{Found, Outcome};

/// Print the completions for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "Example, for ~/.bashrc:\n  source <(darkchunk completions bash)")]
pub(crate) struct Arguments {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut crate::Arguments::command(), "darkchunk", &mut script);
    crate::output::print(&String::from_utf8_lossy(&script))?;
    Ok(Found::Nothing)
}
