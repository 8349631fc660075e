//! `stormglass plants`: every planted bug is caught by its run, and the sound broker is not accused on the same schedule.
//!
//! A run may miss its bug by chance, so it is repeated with other seeds until a minute is over; the table says after how
//! many seconds the bug was caught. A schedule that several bugs share is run on the sound broker once.

use super::coverage::coverage;
use super::{Failure, run};
use crate::cli::{Cli, Command, PlantsArgs, RunArgs};
use crate::judging::Judged;
use crate::plants::{self, Plant};
use crate::run::{self as runs, Job};
use crate::{suggest, terminal};
use checker::Finding;
use clap::Parser;
use results::Exit;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A bug that is not caught within this time is missed.
const TIME_MAX: Duration = Duration::from_secs(60);

/// What became of one row.
enum Outcome {
    Caught { after: Duration, seed: u64, claims: Vec<&'static str> },
    Missed { runs: u64 },
}

/// Runs the rows named, or all.
pub fn plants(args: &PlantsArgs) -> Result<Exit, Failure> {
    if args.claims {
        return coverage(args);
    }
    let rows = rows(&args.bugs)?;
    let first = args.seed.unwrap_or_else(run::random_seed);
    terminal::say(&format!("{:40} {:24} {:>7}  seed      also broken", "bug", "claim", "seconds"));
    let mut exits = Vec::new();
    let mut schedules: BTreeMap<&str, u64> = BTreeMap::new();
    for plant in &rows {
        let outcome = chase(plant, first, args)?;
        if let Outcome::Caught { seed, .. } = &outcome {
            schedules.entry(plant.arguments).or_insert(*seed);
        }
        exits.push(exit_of(&outcome));
        terminal::say(&line(plant, &outcome));
    }
    for (arguments, seed) in schedules {
        let judged = once(&sound(arguments)?, seed, args)?;
        let accused = judged.exit == Exit::Violation;
        exits.push(if accused { Exit::Violation } else { Exit::Pass });
        let word = if accused { "ACCUSED" } else { "not accused" };
        terminal::say(&format!("sound broker {word}: {arguments} --seed {seed:x}"));
    }
    let exit = Exit::first_of(exits);
    terminal::say(&format!("{} bugs, exit {}", rows.len(), exit.code()));
    Ok(exit)
}

fn rows(names: &[String]) -> Result<Vec<&'static Plant>, Failure> {
    if names.is_empty() {
        return Ok(plants::ALL.iter().collect());
    }
    let known = || broker::bugs::ALL.iter().map(|bug| bug.name());
    let row = |name: &String| {
        plants::of(name).ok_or_else(|| Failure::usage(suggest::unknown("bug", name, known(), Some("list bugs"))))
    };
    names.iter().map(row).collect()
}

fn chase(plant: &Plant, first: u64, args: &PlantsArgs) -> Result<Outcome, Failure> {
    let (typed, began) = (parsed(&plant.command())?, Instant::now());
    let claim = claim_of(plant);
    for number in 0.. {
        let seed = first.wrapping_add(number);
        let mut claims = violated(&once(&typed, seed, args)?);
        if let Some(place) = claims.iter().position(|violated| *violated == claim) {
            claims.remove(place);
            return Ok(Outcome::Caught { after: began.elapsed(), seed, claims });
        }
        let each = began.elapsed() / u32::try_from(number + 1).unwrap_or(u32::MAX);
        if began.elapsed() + each > TIME_MAX {
            return Ok(Outcome::Missed { runs: number + 1 });
        }
    }
    Ok(Outcome::Missed { runs: 0 })
}

/// The same run of a broker that nothing is wrong with.
fn sound(arguments: &str) -> Result<RunArgs, Failure> {
    parsed(&format!("stormglass run {arguments}"))
}

pub(super) fn parsed(command: &str) -> Result<RunArgs, Failure> {
    match Cli::try_parse_from(command.split_whitespace()).map_err(Failure::internal)?.command {
        Some(Command::Run(run)) => Ok(*run),
        _ => Err(Failure::internal(format!("`{command}` is no run"))),
    }
}

pub(super) fn once(typed: &RunArgs, seed: u64, args: &PlantsArgs) -> Result<Judged, Failure> {
    let mut scenario = run::scenario(&RunArgs { seed: Some(seed), ..typed.clone() })?;
    scenario.settle();
    run::refuse(&scenario)?;
    runs::execute(Job { scenario, keeping: run::keeping(&args.output), repeat: None, quiet: true })
}

pub(super) fn violated(judged: &Judged) -> Vec<&'static str> {
    let claims = judged.judgement.claims.iter().filter(|result| result.verdict == Finding::Violated);
    if judged.exit == Exit::Violation { claims.map(|result| result.claim.name()).collect() } else { Vec::new() }
}

fn claim_of(plant: &Plant) -> &'static str {
    broker::bugs::ALL.iter().find(|bug| bug.name() == plant.bug).map_or("", |bug| bug.claim())
}

fn exit_of(outcome: &Outcome) -> Exit {
    match outcome {
        Outcome::Caught { after, .. } if *after <= TIME_MAX => Exit::Pass,
        Outcome::Caught { .. } | Outcome::Missed { .. } => Exit::Violation,
    }
}

fn line(plant: &Plant, outcome: &Outcome) -> String {
    let claim = claim_of(plant);
    let told = match outcome {
        Outcome::Caught { after, seed, claims } => {
            let late = if *after > TIME_MAX { "  TOO LATE" } else { "" };
            format!("{:7.1}  {seed:<8x}  {}{late}", after.as_secs_f64(), claims.join(" "))
        }
        Outcome::Missed { runs } => format!(" MISSED  in {runs} runs"),
    };
    format!("{:40} {claim:24} {told}", plant.bug)
}
