//! `stormglass config show`: what a run would use, and with `--origin` where each value comes from.

use super::{Failure, run};
use crate::cli::{Cli, Command, ConfigCommand, RunArgs};
use crate::layers::{self, Layers, TABLE};
use crate::scenario::{Scenario, file};
use crate::settings::Owner;
use crate::{client_settings, terminal};
use clap::CommandFactory;
use clap::parser::ValueSource;
use results::Exit;

/// Shows options and settings, a line each.
pub fn config(command: &ConfigCommand) -> Result<Exit, Failure> {
    let ConfigCommand::Show { origin, run: args } = command;
    let mut scenario = run::scenario(args)?;
    run::tell_notes(&mut scenario);
    client_settings::refuse(&scenario)?;
    let mut rows = options(args, &scenario)?;
    for owner in Owner::ALL {
        for (name, setting) in scenario.settings.of(owner) {
            let from = scenario.settings.origin(owner, name).unwrap_or_default();
            rows.push((format!("{}:{name}", owner.name()), setting.value.clone(), from));
        }
    }
    let width = |of: fn(&(String, String, String)) -> usize| rows.iter().map(of).max().unwrap_or(0);
    let (names, values) = (width(|row| row.0.len()), width(|row| row.1.len()));
    let line = |(name, value, from): &(String, String, String)| match origin {
        true => format!("{name:names$}  {value:values$}  {from}").trim_end().to_owned(),
        false => format!("{name:names$}  {value}").trim_end().to_owned(),
    };
    terminal::say(&rows.iter().map(line).collect::<Vec<_>>().join("\n"));
    Ok(Exit::Pass)
}

/// The options that a layer may give, as they stand.
fn options(args: &RunArgs, scenario: &Scenario) -> Result<Vec<(String, String, String)>, Failure> {
    let layers = layers::read()?;
    let typed: Vec<_> = std::env::args_os().collect();
    let matches = Cli::command().try_get_matches_from(&typed).map_err(Failure::internal)?;
    let mut deepest = &matches;
    while let Some((_, inner)) = deepest.subcommand() {
        deepest = inner;
    }
    let command = Cli::command();
    let shown = command.find_subcommand("config").and_then(|c| c.find_subcommand("show"));
    let default = |id: &str| {
        let arg = shown.and_then(|c| c.get_arguments().find(|arg| arg.get_id() == id));
        arg.and_then(|arg| arg.get_default_values().first()).map(|value| value.to_string_lossy().into_owned())
    };
    let mut rows = Vec::new();
    for row in TABLE {
        let is_typed = deepest.value_source(row.id) == Some(ValueSource::CommandLine);
        let raw =
            || deepest.get_raw(row.id).and_then(|mut raw| raw.next()).map(|raw| raw.to_string_lossy().into_owned());
        let (value, from) = match (is_typed, layers.get(row.id)) {
            (true, _) => (raw(), row.flag.to_owned()),
            (false, Some(given)) => (Some(given.value.clone()), given.origin.clone()),
            (false, None) if row.id == "workload" => {
                let typed = deepest.value_source("scenario") == Some(ValueSource::CommandLine);
                (Some(args.scenario.clone()), if typed { "argument".into() } else { "default".into() })
            }
            (false, None) if row.id == "client" => {
                let library = scenario.client.name().to_owned();
                (Some(library), if file::is_file(&args.scenario) { args.scenario.clone() } else { "default".into() })
            }
            (false, None) => (default(row.id), "default".into()),
        };
        if let Some(value) = value {
            rows.push((row.key.to_owned(), value, from));
        }
    }
    Ok(rows)
}

/// The command line with what the layers give; nothing but itself where it cannot be read.
pub fn complete(typed: Vec<std::ffi::OsString>) -> Result<Vec<std::ffi::OsString>, Failure> {
    let layers: Layers = layers::read()?;
    Ok(layers::complete(typed, &layers))
}

/// Whether a command reads the layers below the command line.
pub fn is_layered(command: Option<&Command>) -> bool {
    matches!(command, Some(Command::Run(_) | Command::Cluster(_) | Command::Config(_)))
}
