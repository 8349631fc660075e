//! `stormglass catalogue`: every side of an entry, and whether it showed what it must.

use super::{Failure, run};
use crate::catalogue::{self, Effects, Entry, Side};
use crate::cli::{CatalogueCommand, OutputArgs};
use crate::judging::Judged;
use crate::run::{self as runs, Job};
use crate::scenario::SystemChoice;
use crate::{suggest, systems, terminal};
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
        CatalogueCommand::Run { id, seed, broker, output } => {
            let known = catalogue::ALL.iter().map(|e| e.id);
            let unknown = || Failure::usage(suggest::unknown("scenario", &id, known, Some("catalogue list")));
            let entry = catalogue::find(&id).ok_or_else(unknown)?;
            let system = broker.parse().map_err(Failure::usage)?;
            Bench { entry, seed: seed.unwrap_or_else(run::random_seed), system, output }.run()
        }
    }
}

/// An entry about to be run.
struct Bench {
    entry: &'static Entry,
    seed: u64,
    system: SystemChoice,
    output: OutputArgs,
}

impl Bench {
    fn run(self) -> Result<Exit, Failure> {
        let (began, entry, seed) = (Instant::now(), self.entry, self.seed);
        let mut lines =
            vec![format!("{} {}   seed {seed:x}", entry.id, entry.slug), entry.what.to_owned(), String::new()];
        let mut exits = Vec::new();
        for mut side in (entry.sides)(seed) {
            side.scenario.system = self.system.clone();
            if let Some(why) = missing(entry, &side) {
                lines.push(format!("{:9} {:10} skipped: {why}", side.name, side.setting));
                exits.push(Exit::NoRights);
                continue;
            }
            let (exit, line) = self.run_side(&side)?;
            exits.push(exit);
            lines.push(line);
        }
        let exit = Exit::first_of(exits);
        let word = match exit {
            Exit::Pass => "passed",
            Exit::NoRights => "SKIPPED",
            _ => "FAILED",
        };
        lines.push(format!("\n{} {word} in {:.1} s, exit {}", entry.id, began.elapsed().as_secs_f64(), exit.code()));
        lines.push(format!("repeat    {}", self.repeat().join(" ")));
        terminal::say(&lines.join("\n"));
        Ok(exit)
    }

    /// Runs a side; again, and saying so, if its condition was not reached.
    fn run_side(&self, side: &Side) -> Result<(Exit, String), Failure> {
        run::refuse(&side.scenario)?;
        let mut missed = Vec::new();
        loop {
            let judged = self.run_once(side)?;
            let effects = Effects::of(&judged);
            let shown = side.expected.judge(judged.exit, &effects, &judged.verdict.short_of);
            let shown = shown.and_then(|()| side.expected.judge_stages(&judged.verdict.stages));
            let told = |how: &str, missed: &[String]| line(side, &judged, &effects, how, missed);
            match (&shown, judged.exit) {
                (Err(why), Exit::Inconclusive) if missed.len() + 1 < ATTEMPTS_MAX => missed.push(why.clone()),
                (Ok(()), _) => return Ok((Exit::Pass, told("as promised", &missed))),
                (Err(why), Exit::Pass) => return Ok((Exit::Violation, told(why, &missed))),
                (Err(why), exit) => return Ok((exit, told(why, &missed))),
            }
        }
    }

    fn run_once(&self, side: &Side) -> Result<Judged, Failure> {
        let (scenario, keeping) = (side.scenario.clone(), run::keeping(&self.output));
        runs::execute(Job { scenario, keeping, repeat: Some(self.repeat()), quiet: self.output.quiet })
    }

    fn repeat(&self) -> Vec<String> {
        let mut words = ["stormglass", "catalogue", "run", self.entry.id, "--seed"].map(String::from).to_vec();
        words.push(format!("{:x}", self.seed));
        if self.system != SystemChoice::Embedded {
            words.extend(["--broker".into(), self.system.to_string()]);
        }
        words
    }
}

/// Why a side cannot be run here, if it cannot.
fn missing(entry: &Entry, side: &Side) -> Option<String> {
    let has = systems::of(&side.scenario.system).capabilities();
    let skip = has.refuse(side.name, &side.scenario.needs(entry.needs));
    skip.map(|skip| skip.because).or_else(|| side.scenario.client.missing())
}

fn line(side: &Side, judged: &Judged, effects: &Effects, how: &str, missed: &[String]) -> String {
    let again: String =
        missed.iter().map(|why| format!("          tried again, its condition was not reached: {why}\n")).collect();
    let stages = judged.verdict.stages.iter().map(|(stage, records)| format!("\n          {records} {stage}"));
    format!(
        "{again}{:9} {:10} acked {:6}   {effects}   {how}{}\n          {}",
        side.name,
        side.setting,
        judged.judgement.counts.acked,
        stages.collect::<String>(),
        judged.folder.path().display(),
    )
}
