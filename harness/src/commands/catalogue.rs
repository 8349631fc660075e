//! `stormglass catalogue`: both sides of a scenario, and whether they showed what they must.

use super::{Failure, run};
use crate::catalogue::{self, Entry, Side};
use crate::cli::{CatalogueCommand, OutputArgs};
use crate::run::{self as runs, Job};
use crate::{suggest, terminal};
use results::Exit;
use std::time::Instant;

/// Runs an entry, or lists them.
pub fn catalogue(command: CatalogueCommand) -> Result<Exit, Failure> {
    match command {
        CatalogueCommand::List => {
            let lines: Vec<String> =
                catalogue::ALL.iter().map(|e| format!("{}  {:24} {}", e.id, e.slug, e.what)).collect();
            terminal::say(&lines.join("\n"));
            Ok(Exit::Pass)
        }
        CatalogueCommand::Run { id, seed, output } => {
            let known = catalogue::ALL.iter().map(|e| e.id);
            let unknown = || Failure::usage(suggest::unknown("scenario", &id, known, Some("catalogue list")));
            let entry = catalogue::find(&id).ok_or_else(unknown)?;
            run_entry(entry, seed.unwrap_or_else(run::random_seed), &output)
        }
    }
}

fn run_entry(entry: &Entry, seed: u64, output: &OutputArgs) -> Result<Exit, Failure> {
    let began = Instant::now();
    let mut lines = vec![format!("{} {}   seed {seed:x}", entry.id, entry.slug), entry.what.to_owned(), String::new()];
    let mut exits = Vec::new();
    for side in (entry.sides)(seed) {
        let (exit, line) = run_side(entry, &side, output)?;
        exits.push(exit);
        lines.push(line);
    }
    let exit = Exit::first_of(exits);
    let word = if exit == Exit::Pass { "passed" } else { "FAILED" };
    lines.push(format!("\n{} {word} in {:.1} s, exit {}", entry.id, began.elapsed().as_secs_f64(), exit.code()));
    lines.push(format!("repeat    stormglass catalogue run {} --seed {seed:x}", entry.id));
    terminal::say(&lines.join("\n"));
    Ok(exit)
}

fn run_side(entry: &Entry, side: &Side, output: &OutputArgs) -> Result<(Exit, String), Failure> {
    run::refuse(&side.scenario)?;
    let repeat = ["stormglass", "catalogue", "run", entry.id, "--seed"].map(String::from).into_iter();
    let repeat = repeat.chain([format!("{:x}", side.scenario.seed)]).collect();
    let (scenario, keeping) = (side.scenario.clone(), run::keeping(output));
    let judged = runs::execute(&Job { scenario, keeping, repeat: Some(repeat), quiet: output.quiet })?;
    let counts = &judged.judgement.counts;
    let shown = side.expected.judge(judged.exit, counts.lost);
    let exit = match (&shown, judged.exit) {
        (Ok(()), _) => Exit::Pass,
        (Err(_), Exit::Pass) => Exit::Violation,
        (Err(_), exit) => exit,
    };
    let how = shown.map_or_else(|why| format!("NOT SHOWN: {why}"), |()| "as promised".into());
    let line = format!(
        "{:7} {:10} acked {:6}   in the union of the replica logs {:6}   lost {:5}   {how}\n        {}",
        side.name,
        side.setting,
        counts.acked,
        judged.verdict.disks.as_ref().map_or_else(|| "?".into(), |disks| disks.acked.to_string()),
        counts.lost,
        judged.folder.path().display(),
    );
    Ok((exit, line))
}
