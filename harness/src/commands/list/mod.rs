//! `stormglass list`: what there is, a line each.

mod claims;

use super::Failure;
use crate::cli::{ListArgs, Listed};
use crate::scenario::Scenario;
use crate::systems::choice::FORMS;
use crate::{catalogue, plants, terminal};
use nemesis::FaultKind;
use results::Exit;
use serde_json::{Value, json};
use workloads::library::Library;
use workloads::workload::{Row, Workload};

/// Prints one of the lists.
pub fn list(args: &ListArgs) -> Result<Exit, Failure> {
    let rows = rows(args.what);
    if args.json {
        let plain = || rows.iter().map(|(name, what)| json!({"name": name, "what": what})).collect();
        let judged = matches!(args.what, Listed::Claims | Listed::Anomalies);
        let rows: Value = if judged { claims::as_json() } else { plain() };
        terminal::say(&serde_json::to_string_pretty(&rows).map_err(Failure::internal)?);
        return Ok(Exit::Pass);
    }
    match args.what {
        Listed::Claims => terminal::say(&claims::lines().join("\n")),
        Listed::Anomalies => terminal::say(&claims::anomalies().join("\n")),
        _ => say(&rows),
    }
    Ok(Exit::Pass)
}

fn say(rows: &[(String, String)]) {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines: Vec<String> = rows.iter().map(|(name, what)| format!("{name:width$}  {what}")).collect();
    terminal::say(&lines.join("\n"));
}

fn rows(what: Listed) -> Vec<(String, String)> {
    match what {
        Listed::Faults => FaultKind::all().map(|f| (f.name(), fault(f))).collect(),
        Listed::Workloads => Workload::ALL.iter().map(|row| (row.name.to_owned(), workload(row))).collect(),
        Listed::Claims | Listed::Anomalies => Vec::new(),
        Listed::Bugs => broker::bugs::ALL.iter().map(|b| (b.name().to_owned(), bug(*b))).collect(),
        Listed::Brokers => FORMS.iter().map(|(form, what)| ((*form).into(), (*what).into())).collect(),
        Listed::Scenarios => catalogue::ALL.iter().map(|s| (s.id.to_owned(), s.what.to_owned())).collect(),
    }
}

/// What it is, and which clients can play it.
fn workload(row: &Row) -> String {
    let plays = |library: Library| {
        let scenario = Scenario { workload: (row.usual)(), client: library, ..Scenario::new(row.name, 0) };
        scenario.client_refuses().is_none()
    };
    let clients = Library::ALL.into_iter().filter(|library| plays(*library));
    let clients: Vec<&str> = clients.map(Library::name).collect();
    format!("{}. Clients: {}", row.what, clients.join(", "))
}

fn fault(kind: FaultKind) -> String {
    format!("{}. Effective only if: {}", kind.about(), kind.definition().evidence())
}

fn bug(bug: broker::bugs::Bug) -> String {
    let shown = plants::of(bug.name()).map(plants::Plant::command);
    let shown = shown.unwrap_or_else(|| "no run catches it yet".to_owned());
    format!("{} Breaks {} ({}). Shown by: {shown}", bug.what(), bug.claim(), bug.entry())
}
