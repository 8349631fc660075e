//! `stormglass bench broker`: the embedded broker beside Apache Kafka, on this machine, in one run, with one client.
//!
//! Three brokers, three replicas, acks=all. The systems take turns, each alone on the machine; every figure is the median
//! of the rounds. Kafka's JVMs get both compilers and a larger heap than in a run, and each cluster is warmed up first.

use crate::commands::{Failure, run};
use crate::run::{Cluster, Processes, bring_up_as};
use crate::scenario::{Scenario, SystemChoice};
use crate::systems::{self, NodePlan};
use crate::terminal;
use results::Exit;
use std::time::Duration;
use workloads::clock::Deadline;
use workloads::measure::{self, MeasureError, Target};
use workloads::wire::NewTopic;

const IDLE: Duration = Duration::from_secs(2);
const PATIENCE_MS: u64 = 60_000;
const WARM_UP_RECORDS: u64 = 200_000;
const WARM_UP_ROUND_TRIPS: u64 = 2_000;
const ROUND_TRIPS: u64 = 2_000;
/// What Kafka's scripts would give a JVM that is to be measured; `_JAVA_OPTIONS` comes after the command line.
const JVM: &str = "-XX:TieredStopAtLevel=4 -Xmx512m -XX:ReservedCodeCacheSize=128m";

/// One line of the table.
#[derive(Clone, Copy)]
struct Case {
    record_bytes: usize,
    partitions: i32,
    flush_each: bool,
    records: u64,
}

const CASES: [Case; 5] = [
    Case { record_bytes: 100, partitions: 1, flush_each: false, records: 300_000 },
    Case { record_bytes: 100, partitions: 12, flush_each: false, records: 300_000 },
    Case { record_bytes: 1024, partitions: 1, flush_each: false, records: 100_000 },
    Case { record_bytes: 1024, partitions: 12, flush_each: false, records: 100_000 },
    Case { record_bytes: 100, partitions: 1, flush_each: true, records: 10_000 },
];

#[derive(Clone, Copy, Default)]
struct Figures {
    records_per_s: f64,
    p50_ms: f64,
    p99_ms: f64,
}

struct Measured {
    start_s: f64,
    rss_mb: f64,
    cases: Vec<Figures>,
}

/// Measures both and prints the table.
pub fn bench(rounds: u32, against: &str) -> Result<Exit, Failure> {
    let other: SystemChoice = against.parse().map_err(Failure::usage)?;
    let ours = measure(SystemChoice::Embedded, rounds)?;
    let theirs = measure(other.clone(), rounds)?;
    let version = systems::of(&other).version();
    terminal::say(&table(&ours, &theirs, &format!("{} {version}", systems::of(&other).name())));
    Ok(Exit::Pass)
}

fn measure(system: SystemChoice, rounds: u32) -> Result<Measured, Failure> {
    let folder = tempfile::tempdir().map_err(Failure::internal)?;
    let scenario = Scenario { system, ..Scenario::new("bench", run::random_seed()) };
    let mut processes = Processes::start().map_err(Failure::internal)?;
    systems::of(&scenario.system).prepare(&scenario, &mut processes)?;
    let quick = |plan: &mut NodePlan| drop(plan.launch.env.insert("_JAVA_OPTIONS".to_owned(), Some(JVM.to_owned())));
    let mut cluster = bring_up_as(&scenario, folder.path(), &mut processes, quick)?;
    processes.wait_event(IDLE);
    let rss = cluster.nodes.brokers().into_iter().filter_map(|node| cluster.nodes.rss_bytes(node)).max();
    let (start_s, rss_mb) = (cluster.took.as_secs_f64(), rss.unwrap_or(0) as f64 / 1e6);
    let cases = all_cases(&cluster, rounds);
    cluster.nodes.stop_all(&mut processes, Duration::from_secs(10));
    processes.shutdown().map_err(Failure::internal)?;
    Ok(Measured { start_s, rss_mb, cases: cases? })
}

fn all_cases(cluster: &Cluster, rounds: u32) -> Result<Vec<Figures>, Failure> {
    let warm = Case { records: WARM_UP_RECORDS, ..CASES[0] };
    measure_case(cluster, warm, "warm-up", WARM_UP_ROUND_TRIPS)?;
    let median_of_rounds = |(number, case): (usize, &Case)| {
        let round = |round: u32| measure_case(cluster, *case, &format!("bench-{number}-{round}"), ROUND_TRIPS);
        let all = (0..rounds).map(round).collect::<Result<Vec<_>, _>>()?;
        Ok(Figures {
            records_per_s: median(all.iter().map(|figures| figures.records_per_s)),
            p50_ms: median(all.iter().map(|figures| figures.p50_ms)),
            p99_ms: median(all.iter().map(|figures| figures.p99_ms)),
        })
    };
    CASES.iter().enumerate().map(median_of_rounds).collect()
}

fn measure_case(cluster: &Cluster, case: Case, topic: &str, round_trips: u64) -> Result<Figures, Failure> {
    let mut wire = cluster.wire();
    let mut configs = vec![("min.insync.replicas".to_owned(), "2".to_owned())];
    if case.flush_each {
        configs.push(("flush.messages".to_owned(), "1".to_owned()));
    }
    let configs = configs.into_iter().collect();
    let new = NewTopic { name: topic.to_owned(), partitions: case.partitions, replication: 3, configs };
    let deadline = Deadline::in_ms(PATIENCE_MS);
    wire.create_topic(&new, deadline).map_err(Failure::internal)?;
    wire.wait_ready(topic, case.partitions as usize, 3, deadline).map_err(Failure::internal)?;
    let bootstrap = cluster.nodes.bootstrap().join(",");
    let target = Target { bootstrap, topic: topic.to_owned(), record_bytes: case.record_bytes };
    let round_trips = if case.flush_each { round_trips / 5 } else { round_trips };
    let figures = figures(&target, case.records, round_trips).map_err(Failure::internal)?;
    wire.delete_topic(topic, Deadline::in_ms(PATIENCE_MS)).map_err(Failure::internal)?;
    terminal::progress(&format!(
        "{topic:12} {:9.0} records/s, {:.2} ms, {:.2} ms",
        figures.records_per_s, figures.p50_ms, figures.p99_ms
    ));
    Ok(figures)
}

fn figures(target: &Target, records: u64, round_trips: u64) -> Result<Figures, MeasureError> {
    let took = measure::throughput(target, records)?;
    let times = measure::round_trips(target, round_trips)?;
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    Ok(Figures { records_per_s: records as f64 / took.as_secs_f64(), p50_ms: at(0.5), p99_ms: at(0.99) })
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn table(ours: &Measured, theirs: &Measured, other: &str) -> String {
    let mut lines = vec![
        format!("| 3 brokers, RF 3, acks=all, one client | embedded | {other} | ratio |"),
        "|---|---|---|---|".to_owned(),
        row("start to every partition led and in sync, s", ours.start_s, theirs.start_s, 2),
        row("resident memory of an idle broker, MB", ours.rss_mb, theirs.rss_mb, 1),
    ];
    for ((case, ours), theirs) in CASES.iter().zip(&ours.cases).zip(&theirs.cases) {
        let flush = if case.flush_each { ", flush.messages=1" } else { "" };
        let what = format!("{} B, {} partitions{flush}", case.record_bytes, case.partitions);
        lines.push(row(&format!("{what}: records/s"), ours.records_per_s, theirs.records_per_s, 0));
        lines.push(row(&format!("{what}: round trip p50, ms"), ours.p50_ms, theirs.p50_ms, 2));
        lines.push(row(&format!("{what}: round trip p99, ms"), ours.p99_ms, theirs.p99_ms, 2));
    }
    lines.join("\n")
}

fn row(what: &str, ours: f64, theirs: f64, digits: usize) -> String {
    format!("| {what} | {ours:.digits$} | {theirs:.digits$} | {:.2} |", ours / theirs)
}
