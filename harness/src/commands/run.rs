//! `stormglass run`: arguments as typed become a scenario as meant, and the scenario a run.

use super::Failure;
use crate::cli::{Floor, Holes, Keep, OutputArgs, PlantedInjector, RunArgs, SystemArgs};
use crate::run::{self, Job};
use crate::scenario::{ClusterShape, Faults, Floors, Injector, Keeping, Load, Scenario, preset};
use crate::settings::{Origin, Owner, Setting, Settings};
use crate::systems::{self, SystemChoice};
use crate::{suggest, terminal};
use nemesis::{FaultKind, Mix, MixError, Schedule};
use results::Exit;
use std::collections::BTreeSet;
use std::path::Path;
use workloads::library::Library;
use workloads::properties::{self, Meaning, Side};
use workloads::workload::{Need, Workload};

/// Runs once and prints the summary.
pub fn run(args: &RunArgs) -> Result<Exit, Failure> {
    let mut scenario = scenario(args)?;
    for note in scenario.settle() {
        terminal::progress(&format!("note: {note}"));
    }
    refuse(&scenario)?;
    let judged =
        run::execute(Job { scenario, keeping: keeping(&args.output), repeat: None, quiet: args.output.quiet })?;
    judged.print(args.output.json)?;
    Ok(judged.exit)
}

/// Refuses a scenario that cannot be meant, before anything starts.
pub fn refuse(scenario: &Scenario) -> Result<(), Failure> {
    let shape = scenario.cluster;
    if shape.replication > shape.brokers {
        let text =
            format!("{} replicas need as many brokers, and there are {} brokers", shape.replication, shape.brokers);
        return Err(Failure::usage(text));
    }
    let has = systems::of(&scenario.system).capabilities();
    if let Some(skip) = has.refuse(scenario.workload.name(), &scenario.needs(&[])) {
        return Err(Failure::usage(skip.to_string()));
    }
    let groups = scenario.workload.shape().needs().iter().any(|need| matches!(need, Need::Groups | Need::Transactions));
    if scenario.client == Library::Wire && groups {
        let text = format!(
            "the workload {} needs groups or transactions, and the client wire has neither",
            scenario.workload.name()
        );
        return Err(Failure::usage(text));
    }
    if let Some(why) = scenario.client.missing() {
        return Err(Failure::usage(format!("the client {} cannot be used here: {why}", scenario.client.name())));
    }
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
    let workload = workload(args.workload.as_deref().unwrap_or(&args.scenario))?;
    let (faults, planned_floors) = faults(args)?;
    let named = named(args, &faults)?;
    let mut scenario = Scenario {
        name: workload.name().to_owned(),
        workload,
        client: client(&args.client)?,
        seed: args.seed.unwrap_or_else(random_seed),
        load: Load { time: args.time, rate_per_s: args.rate, record_bytes: args.record },
        faults,
        floors: floors(planned_floors.iter().chain(&args.floor)),
        injector: args.plant_injector.map_or(Injector::Real, |PlantedInjector::Noop| Injector::Noop),
        insisted: insisted(args, &named),
        ..quiet(&args.system)?
    };
    scenario.adopt_topic();
    scenario.skip_what_it_lacks(&systems::of(&scenario.system).capabilities());
    let ground = run::ground(&scenario);
    scenario.leave_out(|kind| kind.impossible(&ground).filter(|_| !named.contains(&kind)));
    Ok(scenario)
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
    let choice = choice(args)?;
    let usual = plain(choice);
    Ok(Scenario {
        cluster: shape(args, usual.cluster),
        settings: settings(args, usual.settings)?,
        plant: args.plant.clone(),
        ..usual
    })
}

fn workload(name: &str) -> Result<Workload, Failure> {
    let known = Workload::ALL.iter().map(|row| row.name);
    Workload::named(name)
        .ok_or_else(|| Failure::usage(suggest::unknown("workload", name, known, Some("list workloads"))))
}

fn client(name: &str) -> Result<Library, Failure> {
    let known = Library::ALL.iter().map(|library| library.name());
    name.parse().map_err(|_| Failure::usage(suggest::unknown("client", name, known, None)))
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
    client_settings(settings)
}

/// The clients' settings in librdkafka's words; one that it does not know, or that the embedded broker has no use for, is
/// refused with the nearest that it does.
fn client_settings(mut settings: Settings) -> Result<Settings, Failure> {
    for (owner, side) in [(Owner::Producer, Side::Producer), (Owner::Consumer, Side::Consumer)] {
        let given: Vec<(String, Setting)> = settings.of(owner).map(|(n, s)| (n.clone(), s.clone())).collect();
        for (name, setting) in given.into_iter().filter(|(_, s)| s.origin != Origin::Preset) {
            let refuse = |why: String| Failure::usage(format!("{}: {why}", settings.cite(owner, &name)));
            if ["sasl.", "ssl.", "security."].iter().any(|part| name.starts_with(part)) {
                return Err(refuse("the embedded broker speaks PLAINTEXT only".into()));
            }
            let meant = properties::meaning(side, &name, &setting.value).map_err(|e| refuse(e.to_string()))?;
            settings.remove(owner, &name);
            if let Meaning::Set { name, value } = meant {
                settings.set(owner, canonical(&name), &value, setting.origin);
            }
        }
    }
    Ok(settings)
}

/// One name for what librdkafka knows under two.
fn canonical(name: &str) -> &str {
    match name {
        "request.required.acks" => "acks",
        "max.in.flight" => "max.in.flight.requests.per.connection",
        "delivery.timeout.ms" => "message.timeout.ms",
        "max.partition.fetch.bytes" => "fetch.message.max.bytes",
        name => name,
    }
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
