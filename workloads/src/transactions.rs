//! Applications that append in transactions over several logs, some aborted on purpose; consumers of committed records.
//!
//! Each reads, too, before it ends. A transaction becomes visible whole or not at all, an aborted one never; none reads what is
//! not committed, its own records among them; and the order in which transactions depend on each other has no circle.

use crate::finals::Final;
use crate::library::Library;
use crate::queue::Queue;
use crate::spec::{Also, RoleSpec, TransactorSpec};
use crate::workload::{Crew, Need, Plan, Shape, Site};
use checker::claim::Claim;
use history::Role;
use serde::{Deserialize, Serialize};

/// As it is called.
pub const NAME: &str = "transactions";
/// In one line.
pub const WHAT: &str = "transactions over several logs, some aborted; torn, aborted and dirty reads, cycles";

/// Its shape.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Transactions {
    /// Transactional processes, each with an id of its own.
    pub transactors: u32,
    /// Consumers.
    pub consumers: u32,
    /// Records of a transaction; the rate counts records.
    pub records: u32,
    /// So many of a hundred are aborted on purpose.
    pub abort_percent: u32,
    /// Two processes share each id, as where a supervisor has started one anew whose predecessor lives: whoever comes later fences
    /// the other, which comes back after a while.
    pub rivals: bool,
}

impl Default for Transactions {
    fn default() -> Transactions {
        Transactions { transactors: 3, consumers: 2, records: 6, abort_percent: 20, rivals: false }
    }
}

/// As it is called where two share an id.
pub const RIVALS: &str = "rival-transactions";
/// In one line.
pub const RIVALS_WHAT: &str =
    "two processes to each transactional id, fencing each other; torn, aborted and zombies' writes";
/// How long one that was fenced stays away.
const REST_MS: u64 = 400;

impl Transactions {
    /// Two pairs of rivals.
    pub fn rivals() -> Transactions {
        Transactions { transactors: 4, rivals: true, ..Transactions::default() }
    }
}

/// Transactions a second of all processes together where the load is not a rate.
const PER_SECOND: f64 = 1000.0;
/// More than this a synchronous client on a shared machine does not do.
const PER_SECOND_EACH_MAX: f64 = 20.0;

/// Whether transactions read, too: only those of applications that have a consumer at hand.
fn reads(site: &Site) -> bool {
    site.library == Library::Librdkafka
}

/// What transactions are judged by, beside what every log is: where they read nothing there is no circle and nothing of their own
/// to be read.
pub fn claims(site: &Site) -> Vec<Claim> {
    let of_reads = [Claim::TxnCycles, Claim::NoOwnUncommittedRead];
    let of_reads = of_reads.into_iter().filter(|_| reads(site));
    Queue::CLAIMS.iter().copied().chain([Claim::AtomicTxn]).chain(of_reads).collect()
}

/// Adds whoever reads in the end what is committed.
pub fn visible(crew: &mut Crew<'_>, site: &Site) {
    let logs = site.logs.iter().map(|place| place.id).collect();
    crew.last("visible", |reader| Final::Visible { reader, logs });
}

/// Adds transactional processes to a crew.
pub fn transactors(crew: &mut Crew<'_>, site: &Site, shape: &Transactions) {
    let all = match site.pace.load {
        crate::spec::Load::OpenLoop { per_second } => per_second / f64::from(shape.records.max(1)),
        _ => PER_SECOND,
    };
    let per_second = (all / f64::from(shape.transactors.max(1))).clamp(0.1, PER_SECOND_EACH_MAX);
    for n in 1..=shape.transactors {
        let mut properties = site.producer.clone();
        let id = if shape.rivals { n.div_ceil(2) } else { n };
        properties.insert("transactional.id".into(), format!("stormglass-{:x}-{id}", site.run));
        properties.entry("transaction.timeout.ms".into()).or_insert_with(|| TIMEOUT_MS.into());
        crew.client(&format!("transactor-{n}"), Role::Producer, |process, writer| {
            RoleSpec::Transactor(TransactorSpec {
                process,
                writer,
                per_second,
                records: shape.records,
                logs: site.logs.len(),
                abort_percent: shape.abort_percent,
                rest_ms: if shape.rivals { REST_MS } else { 0 },
                record_bytes: site.pace.record_bytes,
                properties,
                reads: reads(site).then(|| site.consumer.clone()),
            })
        });
    }
}

/// A transaction whose process died is aborted after this long.
pub const TIMEOUT_MS: &str = "30000";

impl Shape for Transactions {
    fn plan(&self, site: &Site) -> Plan {
        let mut crew = Crew::new(site);
        transactors(&mut crew, site, self);
        crew.readers(self.consumers);
        crew.sampler("sampler", Also::Offsets);
        visible(&mut crew, site);
        crew.plan(claims(site))
    }

    fn waits(&self) -> bool {
        true
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Transactions]
    }
}
