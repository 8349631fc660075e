//! What each command does. One file a command.

mod bench;
mod catalogue;
mod check;
mod cluster;
pub mod config;
pub mod coverage;
mod doctor;
mod export;
mod fetch;
mod known;
mod lazyfs;
mod list;
mod logs;
mod plants;
mod run;
mod schema;

use crate::cli::{Cli, Command, WELCOME};
use crate::{guard, terminal};
use results::Exit;
use std::process::ExitCode;

/// How a command ended that could not do what it was asked.
#[derive(Debug)]
pub struct Failure {
    /// The program's exit.
    pub exit: Exit,
    /// What, why, and what helps.
    pub text: String,
}

impl Failure {
    /// Input on the command line that means nothing.
    pub fn usage(text: impl Into<String>) -> Failure {
        Failure { exit: Exit::Usage, text: text.into() }
    }

    /// A file that cannot be read.
    pub fn unreadable(error: impl std::fmt::Display) -> Failure {
        Failure { exit: Exit::Unreadable, text: error.to_string() }
    }

    /// Something of ours that went wrong.
    pub fn internal(error: impl std::fmt::Display) -> Failure {
        Failure { exit: Exit::Internal, text: error.to_string() }
    }
}

/// Does what was asked; never panics, whatever a command runs into.
pub fn execute(cli: Cli) -> ExitCode {
    let done = std::panic::catch_unwind(|| dispatch(cli));
    let done = done.unwrap_or_else(|_| Err(Failure::internal("a defect of stormglass; please report the lines above")));
    match done {
        Ok(code) => code,
        Err(failure) => tell(failure),
    }
}

/// Says what went wrong, on stderr.
pub fn tell(failure: Failure) -> ExitCode {
    let name = if failure.exit == Exit::Usage { String::new() } else { format!("[{}]", failure.exit.code()) };
    terminal::complain(&format!("error{name}: {}", failure.text));
    failure.exit.into()
}

fn dispatch(cli: Cli) -> Result<ExitCode, Failure> {
    let exit = match cli.command {
        None => {
            terminal::say(WELCOME);
            Exit::Pass
        }
        Some(Command::Run(args)) => run::run(&args)?,
        Some(Command::Check(args)) => check::check(&args)?,
        Some(Command::Export(args)) => export::export(&args)?,
        Some(Command::Catalogue(args)) => catalogue::catalogue(args.command)?,
        Some(Command::Cluster(args)) => cluster::cluster(&args)?,
        Some(Command::Logs(args)) => logs::logs(&args.command)?,
        Some(Command::Fetch(args)) => fetch::fetch(&args)?,
        Some(Command::Config(args)) => config::config(&args.command)?,
        Some(Command::Plants(args)) => plants::plants(&args)?,
        Some(Command::List(args)) => list::list(&args)?,
        Some(Command::Schema(args)) => schema::schema(&args)?,
        Some(Command::Doctor(args)) => doctor::doctor(&args)?,
        Some(Command::Calls(args)) => doctor::calls(&args)?,
        Some(Command::KnownAnswers(args)) => known::known_answers(&args)?,
        Some(Command::Bench(args)) => bench::bench(&args)?,
        Some(Command::Broker(args)) => return Ok(code(broker::main_from_properties(&args.config))),
        Some(Command::Proxy(args)) => return Ok(code(nemesis::proxy::main(&args.spec))),
        Some(Command::Client(args)) => return Ok(code(workloads::client::main(&args.spec))),
        Some(Command::Lazyfs(args)) => return lazyfs::lazyfs(&args),
        Some(Command::Guard) => return Ok(code(guard::process::main())),
    };
    Ok(exit.into())
}

fn code(code: i32) -> ExitCode {
    u8::try_from(code).unwrap_or(Exit::Internal.code()).into()
}
