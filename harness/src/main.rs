//! `stormglass`: puts message brokers through real faults and says, with proof, what became of every acknowledged record.
//!
//! Thin: the command line is `cli`, what it does is `commands`. The program re-executes itself as `broker`, `client` and
//! `guard`.

mod catalogue;
mod cli;
mod commands;
mod contract;
mod deaths;
mod guard;
mod holds;
mod judging;
mod plants;
mod ports;
mod run;
mod scenario;
mod settings;
mod suggest;
mod systems;
mod terminal;
mod units;
mod wait;

use clap::Parser;
use clap::error::ErrorKind;
use results::Exit;
use std::process::ExitCode;

#[cfg(not(target_os = "linux"))]
compile_error!("stormglass runs on Linux only: it needs pidfds, subreapers and /proc");

fn main() -> ExitCode {
    match cli::Cli::try_parse() {
        Ok(cli) => commands::execute(cli),
        Err(error) => usage(&error),
    }
}

fn usage(error: &clap::Error) -> ExitCode {
    let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let text = error.render().to_string();
    if asked {
        terminal::say(&text);
        Exit::Pass.into()
    } else {
        terminal::complain(&text);
        Exit::Usage.into()
    }
}
