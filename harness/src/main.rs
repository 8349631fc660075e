//! `stormglass`: puts message brokers through real faults and says, with proof, what became of every acknowledged record.
//!
//! Thin: the command line is `cli`, what it does is `commands`. The program re-executes itself as `broker`, `client` and
//! `guard`.

mod breakers;
mod catalogue;
mod cli;
mod client_settings;
mod commands;
mod contract;
mod deaths;
mod guard;
mod holds;
mod java_client;
mod judging;
mod layers;
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
    let typed: Vec<_> = std::env::args_os().collect();
    let parsed = cli::Cli::try_parse_from(&typed);
    let layered = parsed.as_ref().is_ok_and(|cli| commands::config::is_layered(cli.command.as_ref()));
    let parsed = match layered {
        false => parsed,
        true => match commands::config::complete(typed) {
            Ok(complete) => cli::Cli::try_parse_from(complete),
            Err(failure) => return commands::tell(failure),
        },
    };
    match parsed {
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
