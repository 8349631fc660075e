//! `stormglass run`: arguments as typed become a scenario as meant, and the scenario a run.

use super::Failure;
use crate::cli::{Floor, Holes, Keep, OutputArgs, PlantedInjector, RunArgs, SystemArgs};
use crate::java_client;
use crate::run::{self, Job};
use crate::scenario::file::{self, Told};
use crate::scenario::{ClusterShape, Faults, Floors, Injector, Keeping, Load, Scenario, preset};
use crate::settings::{Origin, Owner, Settings};
use crate::systems::{self, SystemChoice};
use crate::{client_settings, suggest, terminal};
use nemesis::{FaultKind, Harm, Mix, MixError, Schedule};
use results::Exit;
use std::collections::BTreeSet;
use std::path::Path;
use workloads::library::Library;
use workloads::workload::Workload;

/// Runs once and prints the summary.
pub fn run(args: &RunArgs) -> Result<Exit, Failure> {
    let mut scenario = scenario(args)?;
    tell_notes(&mut scenario);
    refuse(&scenario)?;
    let judged =
        run::execute(Job { scenario, keeping: keeping(&args.output), repeat: None, quiet: args.output.quiet })?;
    judged.print(args.output.json)?;
    Ok(judged.exit)
}

/// Completes a scenario's settings, and tells what became of given ones that is not as they were given.
pub fn tell_notes(scenario: &mut Scenario) {
    let settled = scenario.settle();
    for note in scenario.settings.notes().iter().chain(&settled) {
        terminal::progress(&format!("note: {note}"));
    }
}

/// Refuses a scenario that cannot be meant, before anything starts.
pub fn refuse(scenario: &Scenario) -> Result<(), Failure> {
    let shape = scenario.cluster;
    if shape.brokers == 0 {
        // A cluster of somebody else's that does not answer has told of no brokers.
        let exit = if matches!(scenario.system, SystemChoice::Existing { .. }) { Exit::NoBroker } else { Exit::Usage };
        let silent = systems::of(&scenario.system).refuse(scenario).err();
        return Err(Failure { exit, text: silent.unwrap_or_else(|| "a cluster has at least one broker".into()) });
    }
    if shape.replication > shape.brokers {
        let text =
            format!("{} replicas need as many brokers, and there are {} brokers", shape.replication, shape.brokers);
        return Err(Failure::usage(text));
    }
    let has = systems::of(&scenario.system).capabilities();
    if let Some(skip) = has.refuse(scenario.workload.name(), &scenario.needs(&[])) {
        return Err(Failure::usage(skip.to_string()));
    }
    if let Some(why) = scenario.client_missing() {
        return Err(Failure::usage(format!("the client {} cannot be used here: {why}", scenario.client.name())));
    }
    client_settings::refuse(scenario)?;
    systems::of(&scenario.system).refuse(scenario).map_err(Failure::usage)?;
    run::plan(scenario).map_err(|e| Failure::usage(e.to_string()))?;
    Ok(())
}

/// Where results go.
pub fn keeping(output: &OutputArgs) -> Keeping {
    Keeping { out: output.out.clone(), data: output.keep == Keep::Data }
}

/// A seed nobody chose.
pub fn random_seed() -> u64 {
    rand::random::<u32>().into()
}

/// The scenario of these arguments.
pub fn scenario(args: &RunArgs) -> Result<Scenario, Failure> {
    let Told { workload, client: of_file } = told(args.workload.as_deref().unwrap_or(&args.scenario))?;
    let (faults, planned_floors) = faults(args)?;
    let named = named(args, &faults)?;
    let (client, client_release) =
        client(args.client.as_deref().or(of_file.as_deref()).unwrap_or(Library::default().name()))?;
    let quiet = quiet_on(&args.system, client, client_release.as_deref().unwrap_or(java_client::RELEASE))?;
    let mut scenario = Scenario {
        name: workload.name().to_owned(),
        workload,
        client,
        client_release,
        seed: args.seed.unwrap_or_else(random_seed),
        load: Load { time: args.time, rate_per_s: args.rate, record_bytes: args.record },
        faults,
        floors: floors(planned_floors.iter().chain(&args.floor)),
        injector: args.plant_injector.map_or(Injector::Real, |PlantedInjector::Noop| Injector::Noop),
        insisted: insisted(args, &named),
        ..quiet
    };
    scenario.adopt_topic();
    scenario.skip_what_it_lacks(&systems::of(&scenario.system).capabilities());
    let ground = run::ground(&scenario);
    let waits = scenario.waits();
    let why_not = |kind: FaultKind| kind.impossible(&ground).or_else(|| unseen(kind, waits));
    scenario.leave_out(|kind| why_not(kind).filter(|_| !named.contains(&kind)));
    Ok(scenario)
}

/// Why a fault cannot show anything to clients that wait for each answer, if it cannot.
fn unseen(kind: FaultKind, waits: bool) -> Option<String> {
    let because = "its clients wait for each answer: nobody appends while followers stand still";
    (waits && kind.harm() == Harm::KillLagging).then(|| because.to_owned())
}

/// The faults that are asked for by their own names.
fn named(args: &RunArgs, faults: &Faults) -> Result<BTreeSet<FaultKind>, Failure> {
    let kinds = match faults {
        Faults::Scheduled(schedule) => schedule.faults(),
        _ => names(&args.faults).map_err(|e| Failure::usage(e.to_string()))?,
    };
    Ok(kinds.into_iter().collect())
}

/// Of those, the ones that must be made and proven, or the run is refused.
fn insisted(args: &RunArgs, named: &BTreeSet<FaultKind>) -> BTreeSet<FaultKind> {
    let let_off = |kind: &FaultKind| match &args.allow_unproven {
        None => false,
        Some(Holes::All) => true,
        Some(Holes::Of(holes)) => holes.contains(kind),
    };
    named.iter().copied().filter(|kind| !let_off(kind)).collect()
}

/// The faults of a list that stand there by their own names.
fn names(text: &str) -> Result<Vec<FaultKind>, MixError> {
    let items = text.split(',').map(str::trim);
    let single = items.filter(|item| *item != "none" && !item.starts_with('-') && Mix::of_word(item).is_none());
    single.map(|item| Ok(item.split(':').next().unwrap_or(item).parse()?)).collect()
}

/// What breaks the run, and the floors that its schedule asks for.
fn faults(args: &RunArgs) -> Result<(Faults, Vec<Floor>), Failure> {
    let Some(path) = &args.schedule else {
        let mix = mix(&args.faults).map_err(|e| Failure::usage(e.to_string()))?;
        return Ok((Faults::Drawn(mix), Vec::new()));
    };
    let unreadable = |e: &dyn std::fmt::Display| Failure::unreadable(format!("{}: {e}", path.display()));
    if std::fs::metadata(path).map_err(|e| unreadable(&e))?.len() > nemesis::schedule::FILE_BYTES_MAX {
        return Err(unreadable(&"it is too long for a schedule"));
    }
    let text = std::fs::read_to_string(path).map_err(|e| unreadable(&e))?;
    let wrong = |e: String| Failure::usage(format!("{}: {e}", path.display()));
    let schedule = Schedule::parse(&text).map_err(|e| wrong(e.to_string()))?;
    let floor = |(name, least): (&String, &u32)| format!("{name}={least}").parse().map_err(wrong);
    let floors = schedule.floors.iter().map(floor).collect::<Result<_, _>>()?;
    Ok((Faults::Scheduled(Box::new(schedule)), floors))
}

/// Later ones win.
fn floors<'a>(asked: impl Iterator<Item = &'a Floor>) -> Floors {
    let mut floors = preset::FLOORS;
    for floor in asked {
        match floor.fault {
            Some(fault) => _ = floors.effective_min.insert(fault, floor.episodes_min),
            None => floors.effective_min_each = floor.episodes_min,
        }
    }
    floors
}

/// The system under test as typed.
fn choice(args: &SystemArgs) -> Result<SystemChoice, Failure> {
    if !args.bootstrap_server.is_empty() {
        let (bootstrap, owned) = (args.bootstrap_server.clone(), args.i_own_this_cluster.clone());
        return Ok(SystemChoice::Existing { bootstrap, owned });
    }
    match args.broker.parse().map_err(Failure::usage)? {
        SystemChoice::Command { template, .. } => Ok(SystemChoice::Command { template, has: args.has.clone() }),
        _ if !args.has.is_empty() => Err(Failure::usage("--has is for a system of --broker cmd=…")),
        other => Ok(other),
    }
}

fn shape(args: &SystemArgs, usual: ClusterShape) -> ClusterShape {
    ClusterShape {
        brokers: args.brokers.unwrap_or(usual.brokers),
        controllers: args.controllers.unwrap_or(usual.controllers),
        replication: args.rf.unwrap_or(usual.replication),
        partitions: args.partitions,
        base_port: args.base_port,
    }
}

/// A system in its usual shape with the durable preset, without load and faults.
pub fn plain(choice: SystemChoice) -> Scenario {
    let system = systems::of(&choice);
    let mut settings = preset::durable();
    for (name, value) in system.preset() {
        settings.set(Owner::Broker, name, value, Origin::Preset);
    }
    Scenario { cluster: system.shape(), system: choice, settings, ..Scenario::new("cluster", 0) }
}

/// A cluster as its arguments ask for, without load and faults.
pub fn quiet(args: &SystemArgs) -> Result<Scenario, Failure> {
    quiet_on(args, Library::default(), java_client::RELEASE)
}

/// The same with the settings of clients on a library.
fn quiet_on(args: &SystemArgs, library: Library, release: &str) -> Result<Scenario, Failure> {
    let choice = choice(args)?;
    let usual = plain(choice).on(library);
    Ok(Scenario {
        cluster: shape(args, usual.cluster),
        settings: client_settings::of_library(settings(args, usual.settings)?, library, release)?,
        plant: args.plant.clone(),
        ..usual
    })
}

/// A workload by its name, in its usual shape, or what a file says.
fn told(name: &str) -> Result<Told, Failure> {
    if file::is_file(name) {
        return file::read(Path::new(name));
    }
    Ok(Told { workload: workload(name)?, client: None })
}

/// A workload by its name, in its usual shape.
pub fn workload(name: &str) -> Result<Workload, Failure> {
    let known = Workload::ALL.iter().map(|row| row.name);
    let unknown = || Failure::usage(suggest::unknown("workload", name, known, Some("list workloads")));
    Workload::named(name).ok_or_else(unknown)
}

/// A library and, of the Java client, its release.
fn client(typed: &str) -> Result<(Library, Option<String>), Failure> {
    let (name, release) = match typed.split_once('=') {
        Some((name, release)) => (name, Some(release.to_owned())),
        None => (typed, None),
    };
    let known = Library::ALL.iter().map(|library| library.name());
    let library: Library = name.parse().map_err(|_| Failure::usage(suggest::unknown("client", name, known, None)))?;
    if release.is_some() && library != Library::Java {
        return Err(Failure::usage(format!("the client {name} has no releases to choose from")));
    }
    Ok((library, release))
}

/// Words for whole sets, `none`, names with weights, and `-NAME` to take one away again.
fn mix(text: &str) -> Result<Mix, MixError> {
    let mut items: Vec<String> = Vec::new();
    for item in text.split(',').map(str::trim) {
        match (item.strip_prefix('-'), Mix::of_word(item)) {
            (Some(name), _) => {
                name.parse::<FaultKind>()?;
                items.retain(|i| i.split(':').next() != Some(name));
            }
            (None, Some(set)) => items.extend(set.faults().map(FaultKind::name)),
            (None, None) => items.push(item.to_owned()),
        }
    }
    if items.is_empty() { Ok(Mix::none()) } else { items.join(",").parse() }
}

fn settings(args: &SystemArgs, mut settings: Settings) -> Result<Settings, Failure> {
    let files = [
        (Owner::Broker, &args.broker_config),
        (Owner::Topic, &args.topic_config),
        (Owner::Producer, &args.producer_config),
        (Owner::Consumer, &args.consumer_config),
    ];
    for (owner, path) in files {
        if let Some(path) = path {
            settings.read_file(owner, Path::new(path)).map_err(Failure::unreadable)?;
        }
    }
    for set in &args.set {
        settings.set(set.owner, &set.name, &set.value, Origin::Flag);
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<FaultKind> {
        mix(text).unwrap().faults().collect()
    }

    #[test]
    fn all_faults_less_one_are_all_the_others() {
        let all: Vec<FaultKind> = FaultKind::all().collect();
        assert_eq!(faults("all").len(), all.len());
        assert_eq!(faults("all,-kill-leader").len(), all.len() - 1);
        assert_eq!(faults("mixed"), Mix::default().faults().collect::<Vec<_>>());
        assert_eq!(faults("pause-leader"), ["pause-leader".parse().unwrap()]);
        assert!(faults("none").is_empty() && faults("kill-leader,-kill-leader").is_empty());
    }

    #[test]
    fn what_is_asked_for_by_name_is_insisted_on_and_what_a_word_means_is_not() {
        let names = |text: &str| names(text).unwrap().into_iter().map(FaultKind::name).collect::<Vec<_>>().join(" ");
        assert_eq!(names("mixed,-kill-leader,clock-jump-leader:3,pause-all"), "clock-jump-leader pause-all");
        assert_eq!(names("all") + &names("none"), "");
    }

    #[test]
    fn a_fault_that_is_none_is_refused_even_to_be_taken_away() {
        assert!(["all,-kill-leeder", "kill-leeder", "", "all,all", "mixd"].iter().all(|text| mix(text).is_err()));
    }
}
