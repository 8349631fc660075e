//! `stormglass list`: what there is, a line each.

use super::Failure;
use crate::cli::{ListArgs, Listed};
use crate::systems::choice::FORMS;
use crate::{catalogue, terminal};
use checker::Claim;
use nemesis::FaultKind;
use results::Exit;
use serde_json::{Value, json};
use workloads::workload::Workload;

/// Prints one of the lists.
pub fn list(args: &ListArgs) -> Result<Exit, Failure> {
    let rows = rows(args.what);
    if args.json {
        let rows: Vec<Value> = rows.iter().map(|(name, what)| json!({"name": name, "what": what})).collect();
        terminal::say(&serde_json::to_string_pretty(&rows).map_err(Failure::internal)?);
        return Ok(Exit::Pass);
    }
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines: Vec<String> = rows.iter().map(|(name, what)| format!("{name:width$}  {what}")).collect();
    terminal::say(&lines.join("\n"));
    Ok(Exit::Pass)
}

fn rows(what: Listed) -> Vec<(String, String)> {
    match what {
        Listed::Faults => FaultKind::all().map(|f| (f.name(), fault(f))).collect(),
        Listed::Workloads => Workload::ALL.iter().map(|(name, what)| ((*name).into(), (*what).into())).collect(),
        Listed::Claims => Claim::ALL.iter().map(|c| (c.name().to_owned(), claim(*c))).collect(),
        Listed::Bugs => broker::bugs::ALL.iter().map(|b| (b.name().to_owned(), bug(*b))).collect(),
        Listed::Brokers => FORMS.iter().map(|(form, what)| ((*form).into(), (*what).into())).collect(),
        Listed::Scenarios => catalogue::ALL.iter().map(|s| (s.id.to_owned(), s.what.to_owned())).collect(),
    }
}

fn fault(kind: FaultKind) -> String {
    format!("{}. Effective only if: {}", kind.about(), kind.definition().evidence())
}

fn claim(claim: Claim) -> String {
    let alias = claim.jepsen().map_or_else(String::new, |name| format!(" [Jepsen: {name}]"));
    format!("{}{alias} ({})", claim.meaning(), claim.source())
}

fn bug(bug: broker::bugs::Bug) -> String {
    format!("{} Breaks {} ({}).", bug.what(), bug.claim(), bug.entry())
}
