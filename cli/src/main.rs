//! The command `darkchunk`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(darkchunk_cli::run_as_program(std::env::args_os()))
}
