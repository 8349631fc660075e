//! Client processes against librdkafka's mock cluster: real processes, real sockets, real signals; a broker that only
//! pretends to replicate.

#![allow(clippy::unwrap_used)] // a test may fail by it

use history::journal::{Entry, records};
use history::{Kind, LogId, Offset, Outcome, ProcessId, Record, Value, WriterId};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;
use workloads::client::status::Status;
use workloads::clock::{self, Deadline};
use workloads::drain::{Reach, WINDOW_BYTES, drain};
use workloads::journal::{self, Journal};
use workloads::properties::{Side, durable};
use workloads::spec::*;
use workloads::wire::Cluster;

const RUN: u64 = 0xFEED;
const TOPIC: &str = "t";
const LOGS: u32 = 3;
const PATIENCE_MS: u64 = 30_000;
const SPEC_VARIABLE: &str = "STORMGLASS_TEST_CLIENT_SPEC";

/// Not a test: what the tests below re-execute as a client process.
#[test]
fn client_process() {
    if let Some(spec) = std::env::var_os(SPEC_VARIABLE) {
        std::process::exit(workloads::client::main(Path::new(&spec)));
    }
}

struct Stage {
    mock: MockCluster<'static, DefaultProducerContext>,
    folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Stage {
        let mock = MockCluster::new(3).unwrap();
        mock.create_topic(TOPIC, LOGS as i32, 3).unwrap();
        Stage { mock, folder: tempfile::tempdir().unwrap() }
    }

    fn cluster(&self) -> Cluster {
        Cluster::new(&self.bootstrap(), "test")
    }

    fn bootstrap(&self) -> Vec<String> {
        self.mock.bootstrap_servers().split(',').map(str::to_owned).collect()
    }

    fn logs(&self) -> Vec<LogPlace> {
        (0..LOGS).map(|n| LogPlace { id: LogId(n), topic: TOPIC.into(), partition: n as i32 }).collect()
    }

    fn start(&self, name: &str, roles: Vec<RoleSpec>) -> Client {
        let spec = ClientSpec {
            name: name.into(),
            run: RUN,
            journal: self.folder.path().join(format!("{name}.sgj")),
            bootstrap: self.bootstrap(),
            logs: self.logs(),
            seed: 1,
            flush_ms_max: 5_000,
            library: Default::default(),
            java: None,
            records: true,
            after_death: AfterDeath::Stay,
            roles,
        };
        let path = self.folder.path().join(format!("{name}.json"));
        spec.save(&path).unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "client_process"])
            .env(SPEC_VARIABLE, &path)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        Client { child, journal: spec.journal.clone(), status: spec.status_path() }
    }

    /// Every record of the topic by log, as a drain finds it.
    fn everything(&self) -> BTreeMap<LogId, Vec<Record>> {
        let path = self.folder.path().join(format!("drain-{}.sgj", clock::now().0));
        let journal = Journal::create(&path, RUN).unwrap();
        let deadline = Deadline::in_ms(PATIENCE_MS);
        let report =
            drain(&mut self.cluster(), &self.logs(), deadline, WINDOW_BYTES, (&journal, ProcessId(99))).unwrap();
        assert!(report.is_complete(), "{report:?}");
        reads(&path, Kind::Fetch)
    }
}

struct Client {
    child: Child,
    journal: PathBuf,
    status: PathBuf,
}

impl Client {
    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    fn wait(&mut self) -> ExitStatus {
        wait_until("the client ends", || self.child.try_wait().unwrap())
    }

    fn stop(mut self) -> (Status, PathBuf) {
        self.signal(Signal::SIGTERM);
        assert!(self.wait().success());
        (Status::load(&self.status).unwrap(), self.journal.clone())
    }

    fn wait_for_entries(&self, entries: u64) {
        wait_until("the client journals", || {
            journal::read(&self.journal, |_| ()).ok().filter(|s| s.entries >= entries).map(|_| ())
        });
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// As a round trip: the broker takes requests and does not answer. Not `broker_down`, for the mock then binds its port
/// anew and aborts the process if somebody else was given it meanwhile.
const NEVER: Duration = Duration::from_secs(3600);

fn wait_until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Deadline::in_ms(PATIENCE_MS);
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(clock::between_attempts(5, deadline), "in vain: {what}");
    }
}

fn producer(load: Load, more: &[(&str, &str)]) -> RoleSpec {
    let mut properties = durable(Side::Producer);
    properties.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    RoleSpec::Producer(ProducerSpec {
        process: ProcessId(1),
        writer: WriterId(7),
        load,
        record_bytes: 64,
        spread: Spread::RoundRobin,
        properties,
        app: Default::default(),
    })
}

fn reads(path: &Path, wanted: Kind) -> BTreeMap<LogId, Vec<Record>> {
    let mut found: BTreeMap<LogId, Vec<Record>> = BTreeMap::new();
    journal::read(path, |entry| {
        if let Entry::Read { kind, log, records: words, .. } = entry
            && kind == wanted
        {
            found.entry(log).or_default().extend(records(words));
        }
    })
    .unwrap();
    found
}

#[derive(Default)]
struct Appends {
    invoked: BTreeMap<Value, LogId>,
    returned: BTreeMap<Value, (LogId, Outcome, Offset)>,
}

fn appends(path: &Path) -> Appends {
    let mut found = Appends::default();
    journal::read(path, |entry| match entry {
        Entry::Invoke { kind: Kind::Append, log, detail, .. } => {
            assert_eq!(found.invoked.insert(Value(detail), log), None, "invoked twice");
        }
        Entry::Return { kind: Kind::Append, log, detail, outcome, offset, .. } => {
            assert!(found.invoked.contains_key(&Value(detail)), "a reply without an invocation");
            assert_eq!(found.returned.insert(Value(detail), (log, outcome, offset)), None, "reported twice");
        }
        other => panic!("{other:?}"),
    })
    .unwrap();
    found
}

fn assert_accounts_for(appends: &Appends, everything: &BTreeMap<LogId, Vec<Record>>) {
    for (log, records) in everything {
        for record in records {
            assert_eq!(appends.invoked.get(&record.value), Some(log), "{record:?} was never invoked there");
        }
    }
    for (value, (log, outcome, offset)) in &appends.returned {
        if *outcome == Outcome::Ok {
            assert!(
                everything[log].contains(&Record { offset: *offset, value: *value }),
                "{value} is not at its offset"
            );
        }
    }
}

#[test]
fn a_producer_asked_to_stop_hears_of_everything_it_sent() {
    let stage = Stage::new();
    let client = stage.start("p", vec![producer(Load::OpenLoop { per_second: 2000.0 }, &[])]);
    client.wait_for_entries(1000);
    let (status, path) = client.stop();
    let (tally, appends) = (&status.roles[0], appends(&path));
    assert_eq!((tally.ok, tally.fail, tally.unknown, tally.open), (tally.sent, 0, 0, 0), "{tally:?}");
    assert_eq!((appends.invoked.len(), appends.returned.len()), (tally.sent as usize, tally.sent as usize));
    let everything = stage.everything();
    assert_accounts_for(&appends, &everything);
    assert_eq!(everything.values().map(Vec::len).sum::<usize>(), tally.sent as usize);
}

#[test]
fn a_killed_producer_has_journalled_everything_that_reached_a_broker() {
    for kill_after in [10, 200, 3000] {
        let stage = Stage::new();
        let mut client = stage.start("p", vec![producer(Load::ClosedLoop { outstanding_max: 500 }, &[])]);
        client.wait_for_entries(kill_after);
        client.signal(Signal::SIGKILL);
        assert!(!client.wait().success());
        let appends = appends(&client.journal);
        assert!(appends.invoked.len() as u64 >= kill_after / 2);
        assert_accounts_for(&appends, &stage.everything());
    }
}

#[test]
fn a_producer_that_dies_as_it_was_told_leaves_records_nobody_reported_and_an_outbox_brings_them_back() {
    let stage = Stage::new();
    let patient = [("linger.ms", "5000"), ("batch.num.messages", "100000")];
    let RoleSpec::Producer(mut dying) = producer(Load::Wave { records: 1000, wait_ms_max: PATIENCE_MS }, &patient)
    else {
        unreachable!()
    };
    dying.app.dies = Some(Dies { after: 300, by: Ending::Kill });
    dying.app.outbox = Some(stage.folder.path().join("outbox"));
    let mut client = stage.start("dying", vec![RoleSpec::Producer(dying.clone())]);
    assert!(!client.wait().success());
    let first = appends(&client.journal);
    assert_eq!((first.invoked.len(), first.returned.len()), (300, 0));
    let next = ProducerApp { dies: None, ..dying.app.clone() };
    let load = Load::Wave { records: 0, wait_ms_max: PATIENCE_MS };
    let properties = durable(Side::Producer);
    let next = ProducerSpec { process: ProcessId(2), writer: WriterId(8), load, properties, app: next, ..dying };
    let mut client = stage.start("next", vec![RoleSpec::Producer(next)]);
    assert!(client.wait().success());
    let second = appends(&client.journal);
    assert_eq!(second.invoked.keys().collect::<Vec<_>>(), first.invoked.keys().collect::<Vec<_>>());
    assert!(second.returned.values().all(|(_, outcome, _)| *outcome == Outcome::Ok));
    assert_eq!(stage.everything().values().map(Vec::len).sum::<usize>(), 300);
}

#[test]
fn a_full_queue_and_an_application_that_drops_leave_gaps_that_are_definite() {
    let stage = Stage::new();
    (1..=3).for_each(|n| stage.mock.broker_round_trip_time(n, Duration::from_millis(200)).unwrap());
    let small = [("queue.buffering.max.messages", "10")];
    let RoleSpec::Producer(mut spec) = producer(Load::Wave { records: 500, wait_ms_max: PATIENCE_MS }, &small) else {
        unreachable!()
    };
    spec.app.on_full = OnFull::Drop;
    let mut client = stage.start("drops", vec![RoleSpec::Producer(spec)]);
    assert!(client.wait().success());
    let tally = &Status::load(&client.status).unwrap().roles[0];
    assert!(tally.fail > 0 && tally.ok + tally.fail == 500 && tally.queue_full_waits == 0, "{tally:?}");
    assert_eq!(stage.everything().values().map(Vec::len).sum::<usize>() as u64, tally.ok);
}

#[test]
fn a_wave_ends_by_itself() {
    let stage = Stage::new();
    let mut client = stage.start("p", vec![producer(Load::Wave { records: 500, wait_ms_max: PATIENCE_MS }, &[])]);
    assert!(client.wait().success());
    let tally = &Status::load(&client.status).unwrap().roles[0];
    assert_eq!((tally.sent, tally.ok, tally.open), (500, 500, 0));
}

#[test]
fn a_wave_asked_to_stop_waits_no_longer_than_the_process_may() {
    let stage = Stage::new();
    (1..=3).for_each(|n| stage.mock.broker_round_trip_time(n, NEVER).unwrap());
    let wave = Load::Wave { records: 50, wait_ms_max: 100 * PATIENCE_MS };
    let client = stage.start("p", vec![producer(wave, &[])]);
    client.wait_for_entries(50);
    let (status, path) = client.stop();
    let (tally, appends) = (&status.roles[0], appends(&path));
    assert_eq!((tally.sent, tally.ok, tally.fail, tally.unknown + tally.open), (50, 0, 0, 50), "{tally:?}");
    assert_eq!(appends.invoked.len(), 50);
}

#[test]
fn a_full_queue_makes_the_load_late_and_never_shorter() {
    let stage = Stage::new();
    (1..=3).for_each(|n| stage.mock.broker_round_trip_time(n, Duration::from_millis(30)).unwrap());
    let small = [("queue.buffering.max.messages", "10")];
    let client = stage.start("p", vec![producer(Load::OpenLoop { per_second: 20_000.0 }, &small)]);
    client.wait_for_entries(300);
    let (status, path) = client.stop();
    let tally = &status.roles[0];
    assert!(tally.queue_full_waits > 0 && tally.late > 0, "{tally:?}");
    assert!(tally.fail <= 1 && tally.ok + tally.fail == tally.sent, "only the one refused at the end fails: {tally:?}");
    let appends = appends(&path);
    let sequences: Vec<u64> = appends.invoked.keys().map(|v| v.sequence()).collect();
    assert_eq!(sequences, (0..tally.sent).collect::<Vec<_>>());
    assert_accounts_for(&appends, &stage.everything());
}

#[test]
fn a_record_no_client_takes_has_failed_and_one_no_broker_answers_for_is_unknown() {
    let stage = Stage::new();
    let wave = Load::Wave { records: 30, wait_ms_max: PATIENCE_MS };
    let RoleSpec::Producer(mut large) = producer(wave, &[("message.max.bytes", "1000")]) else { unreachable!() };
    large.record_bytes = 5000;
    let mut client = stage.start("large", vec![RoleSpec::Producer(large)]);
    assert!(client.wait().success());
    let tally = &Status::load(&client.status).unwrap().roles[0];
    assert_eq!((tally.fail, tally.unknown, tally.open), (30, 0, 0), "{tally:?}");

    (1..=3).for_each(|n| stage.mock.broker_round_trip_time(n, NEVER).unwrap());
    let hasty = [("enable.idempotence", "false"), ("message.timeout.ms", "500"), ("socket.timeout.ms", "400")];
    let mut client = stage.start("down", vec![producer(wave, &hasty)]);
    assert!(client.wait().success());
    let tally = &Status::load(&client.status).unwrap().roles[0];
    assert_eq!((tally.fail, tally.unknown, tally.open), (0, 30, 0), "{tally:?}");
}

#[test]
fn a_consumer_reads_everything_from_the_beginning_in_order() {
    let stage = Stage::new();
    let mut wave = stage.start("p", vec![producer(Load::Wave { records: 2000, wait_ms_max: PATIENCE_MS }, &[])]);
    assert!(wave.wait().success());
    let logs = stage.logs().iter().map(|l| l.id).collect();
    let consumer = ConsumerSpec {
        process: ProcessId(2),
        mode: ConsumerMode::Assign { logs },
        properties: durable(Side::Consumer),
        app: Default::default(),
    };
    let sampler = SamplerSpec { process: ProcessId(3), interval_ms: 1, also: Also::Nothing };
    let client = stage.start("c", vec![RoleSpec::Consumer(consumer), RoleSpec::Sampler(sampler)]);
    let complete = || reads(&client.journal, Kind::Poll).values().map(Vec::len).sum::<usize>() == 2000;
    wait_until("the consumer reads all", || (client.journal.exists() && complete()).then_some(()));
    let sampled = || reads(&client.journal, Kind::Fetch).values().map(Vec::len).sum::<usize>() == 2000;
    wait_until("the sampler sees all", || sampled().then_some(()));
    let (status, path) = client.stop();
    assert_eq!(status.roles[0].records, 2000);
    let everything = stage.everything();
    assert_eq!(reads(&path, Kind::Poll), everything);
    assert_eq!(reads(&path, Kind::Fetch), everything);
}

#[test]
fn a_drain_that_cannot_reach_a_leader_says_so_within_its_time() {
    let stage = Stage::new();
    (1..=3).for_each(|n| stage.mock.broker_round_trip_time(n, NEVER).unwrap());
    let journal = Journal::create(&stage.folder.path().join("d.sgj"), RUN).unwrap();
    let started = clock::now();
    let report =
        drain(&mut stage.cluster(), &stage.logs(), Deadline::in_ms(300), WINDOW_BYTES, (&journal, ProcessId(99)))
            .unwrap();
    assert!(report.logs.iter().all(|l| matches!(l.reach, Reach::Stopped { .. })), "{report:?}");
    assert!(clock::now().since(started) < 10_000_000_000);
}

#[test]
fn a_specification_that_is_none_is_exit_65_and_a_journal_that_cannot_be_is_70() {
    let stage = Stage::new();
    let bad = stage.folder.path().join("bad.json");
    std::fs::write(&bad, "{").unwrap();
    assert_eq!(workloads::client::main(&bad), 65);
    assert_eq!(workloads::client::main(&stage.folder.path().join("absent.json")), 65);
    let mut client = stage.start("twice", vec![producer(Load::Wave { records: 1, wait_ms_max: PATIENCE_MS }, &[])]);
    assert!(client.wait().success());
    assert_eq!(workloads::client::main(&stage.folder.path().join("twice.json")), 70);
}

#[test]
#[ignore = "prints how fast a closed loop is; run with --ignored --nocapture"]
fn the_speed_of_a_closed_loop() {
    let stage = Stage::new();
    let hasty = [("acks", "1"), ("enable.idempotence", "false"), ("queue.buffering.max.messages", "200000")];
    let client = stage.start("p", vec![producer(Load::ClosedLoop { outstanding_max: 100_000 }, &hasty)]);
    client.wait_for_entries(10_000);
    let (before, start) = (journal::read(&client.journal, |_| ()).unwrap().entries, clock::now());
    while clock::between_attempts(50, Deadline::in_ms(1000)) && clock::now().since(start) < 3_000_000_000 {}
    let seconds = clock::now().since(start) as f64 / 1e9;
    let after = journal::read(&client.journal, |_| ()).unwrap().entries;
    println!("{:.0} records/s, invoked and reported", (after - before) as f64 / 2.0 / seconds);
    let (status, _) = client.stop();
    println!("{:?}", status.roles[0]);
}
