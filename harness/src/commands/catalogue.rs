//! `stormglass catalogue`: both sides of a scenario, and whether they showed what they must.

use super::{Failure, run};
use crate::catalogue::{self, Entry, Side};
use crate::cli::{CatalogueCommand, OutputArgs};
use crate::judging::Judged;
use crate::run::{self as runs, Job};
use crate::{suggest, terminal};
use results::Exit;
use std::time::Instant;

/// A side whose condition was not reached is run so often at most.
const ATTEMPTS_MAX: usize = 3;

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

/// Runs a side; again, and saying so, if its condition was not reached.
fn run_side(entry: &Entry, side: &Side, output: &OutputArgs) -> Result<(Exit, String), Failure> {
    run::refuse(&side.scenario)?;
    let mut missed = Vec::new();
    loop {
        let judged = run_once(entry, side, output)?;
        let shown = side.expected.judge(judged.exit, judged.judgement.counts.lost, &judged.verdict.short_of);
        match (&shown, judged.exit) {
            (Err(why), Exit::Inconclusive) if missed.len() + 1 < ATTEMPTS_MAX => missed.push(why.clone()),
            (Ok(()), _) => return Ok((Exit::Pass, line(side, &judged, "as promised", &missed))),
            (Err(why), Exit::Pass) => return Ok((Exit::Violation, line(side, &judged, why, &missed))),
            (Err(why), exit) => return Ok((exit, line(side, &judged, why, &missed))),
        }
    }
}

fn run_once(entry: &Entry, side: &Side, output: &OutputArgs) -> Result<Judged, Failure> {
    let repeat = ["stormglass", "catalogue", "run", entry.id, "--seed"].map(String::from).into_iter();
    let repeat = repeat.chain([format!("{:x}", side.scenario.seed)]).collect();
    let (scenario, keeping) = (side.scenario.clone(), run::keeping(output));
    runs::execute(&Job { scenario, keeping, repeat: Some(repeat), quiet: output.quiet })
}

fn line(side: &Side, judged: &Judged, how: &str, missed: &[String]) -> String {
    let counts = &judged.judgement.counts;
    let on_disk = judged.verdict.disks.as_ref().map_or_else(|| "?".into(), |disks| disks.acked.to_string());
    let again: String =
        missed.iter().map(|why| format!("        tried again, its condition was not reached: {why}\n")).collect();
    format!(
        "{again}{:7} {:10} acked {:6}   in the union of the replica logs {on_disk:6}   lost {:5}   {how}\n        {}",
        side.name,
        side.setting,
        counts.acked,
        counts.lost,
        judged.folder.path().display(),
    )
}
