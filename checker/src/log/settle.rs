//! The end of the first pass: one scan by rising offset over what was remembered, and every lead that follows from it.

use crate::contract::{Bind, Promises};
use crate::log::bounds::Bounds;
use crate::log::contents::{Content, Contents, by};
use crate::log::holes;
use crate::log::leads::{Edges, Leads, Sums};
use crate::log::observed::{Answers, COUNTERS};
use crate::log::open::{Fate, OpenAppends};
use crate::log::order::Order;
use crate::log::sessions::union;
use crate::log::sieve::{Setting, Sieve};
use history::{Kind, LogId, ReplicaLog, Value};

/// What is known of a log, and what must be asked.
pub(super) fn settle(mut sieve: Sieve, log: LogId, setting: Setting<'_>) -> Leads {
    let bytes = sieve.bytes() + size_of::<Sieve>();
    let edges = edges(&mut sieve, setting.replicas);
    admit(&mut sieve.contents, setting.replicas, edges.committed);
    let sums = Sums { polled: sieve.sessions.read(), ..sieve.sums };
    let mut leads = Leads { bytes, ..Leads::none(log, edges, sums) };
    leads.values.append(&mut sieve.negative);
    scan(&mut sieve, setting, &mut leads);
    unseen(&sieve.open, setting, &mut leads);
    contradictions(&mut sieve, setting, &mut leads);
    disputes(&sieve.contents, &mut leads);
    counters(sieve.answers, setting.promises, &mut leads);
    leads.values.sort_unstable();
    leads.values.dedup();
    leads
}

fn edges(sieve: &mut Sieve, replicas: &[&ReplicaLog]) -> Edges {
    let told = sieve.answers.as_ref().and_then(|a| a[COUNTERS.iter().position(|k| *k == Kind::LogStart)?].greatest());
    let held = replicas.iter().map(|r| r.start.0).min();
    let coverage = std::mem::take(&mut sieve.drain).settle(&sieve.contents);
    let start = coverage.start.max(told.unwrap_or(0)).max(held.unwrap_or(0));
    let marks = replicas.iter().map(|r| r.high_watermark.map_or(0, |hw| hw.0));
    let committed = match coverage.end.filter(|_| coverage.whole) {
        Some(end) => end,
        None => marks.min().unwrap_or(0),
    };
    Edges { coverage, start, start_told: told.is_some() || held.is_some(), committed }
}

fn admit(contents: &mut Contents, replicas: &[&ReplicaLog], committed: i64) {
    for record in replicas.iter().flat_map(|r| &r.records) {
        match record.offset.0 < committed {
            true => contents.claim(record.offset.0, record.value, by::REPLICA),
            false => contents.corroborate(record.offset.0, record.value),
        }
    }
}

fn scan(sieve: &mut Sieve, setting: Setting<'_>, leads: &mut Leads) {
    let tangled = sieve.sessions.tangled();
    let mut scan = Scan {
        open: &mut sieve.open,
        bounds: &mut sieve.bounds,
        setting,
        wide: sieve.sessions.wide(),
        tangled,
        order: Order::default(),
        carrying: Vec::new(),
        leads,
    };
    sieve.contents.rising().for_each(|(offset, content)| scan.offset(offset, content));
    let carrying = scan.carrying;
    leads.readers = tangled || !leads.passed_over.is_empty();
    leads.passed_over = union(if tangled { carrying } else { std::mem::take(&mut leads.passed_over) });
    leads.sums.unknown_seen = sieve.open.unknown_seen();
}

/// Acknowledged appends without an offset that nobody saw.
fn unseen(open: &OpenAppends, setting: Setting<'_>, leads: &mut Leads) {
    let untold = open.unseen().into_iter().filter(|u| u.2 == Fate::Untold);
    if leads.edges.coverage.whole || !setting.replicas.is_empty() {
        leads.values.extend(untold.map(|u| u.1));
    } else {
        leads.sums.undecided += untold.count() as u64;
    }
}

fn contradictions(sieve: &mut Sieve, setting: Setting<'_>, leads: &mut Leads) {
    let mut filled = holes::Filled::default();
    if !leads.edges.coverage.whole && !setting.transactions && holes::must_be_owned(setting.promises) {
        let start = leads.edges.start_told.then_some(leads.edges.start);
        filled = holes::fill(&mut sieve.bounds, &sieve.contents, &sieve.open, start);
    }
    leads.unowned = filled.unowned;
    leads.stale = sieve.bounds.contradictions();
    for stale in &leads.stale {
        let stands = [stale.high, stale.low].into_iter().filter_map(|offset| sieve.contents.at(offset).value());
        leads.values.extend(stands.filter(|v| v.is_ordinary()));
        let own = filled.by.binary_search_by_key(&stale.high, |f| f.0).map(|i| filled.by[i]);
        leads.assigned.extend(own);
        leads.values.extend(own.map(|f| f.1));
    }
}

fn disputes(contents: &Contents, leads: &mut Leads) {
    for d in contents.disagreements() {
        leads.values.extend([d.one, d.other]);
        leads.disputed.push(d.offset.0);
    }
    let strange = contents.strange();
    leads.values.extend(strange.corrupt.then_some(Value::CORRUPT));
    leads.values.extend(strange.foreign.then_some(Value::FOREIGN));
    leads.disputed.sort_unstable();
    leads.disputed.dedup();
}

/// A readable end that went back contradicts the end told before, so there is a contradiction to ask after.
fn counters(answers: Option<Box<[Answers; COUNTERS.len()]>>, promises: &Promises, leads: &mut Leads) {
    leads.sums.answers = leads.sums.ends;
    if promises.end_offsets == Bind::Binds && !leads.stale.is_empty() {
        leads.counters.push(Kind::EndOffset);
    }
    let Some(answers) = answers else { return };
    leads.sums.answers = answers.iter().map(Answers::taken).chain([leads.sums.ends]).max().unwrap_or(0);
    let back = COUNTERS.into_iter().zip(*answers).filter(|(_, answers)| answers.clone().went_back());
    leads.counters.extend(back.map(|(kind, _)| kind));
}

/// The scan of the contents by rising offset.
struct Scan<'a> {
    open: &'a mut OpenAppends,
    bounds: &'a mut Bounds,
    setting: Setting<'a>,
    wide: Vec<(i64, i64)>,
    tangled: bool,
    order: Order,
    carrying: Vec<(i64, i64)>,
    leads: &'a mut Leads,
}

impl Scan<'_> {
    #[inline]
    fn offset(&mut self, offset: i64, content: Content) {
        let Some(value) = content.value() else { return };
        let (seen, drained) = (content.is(by::EYES), content.is(by::DRAIN));
        self.leads.sums.offsets_read += u64::from(seen);
        self.leads.sums.offsets_reread += u64::from(content.is(by::AGAIN));
        if !value.is_ordinary() {
            return;
        }
        if seen || !self.leads.edges.coverage.decides(offset) {
            self.in_order(offset, value);
        }
        let acked = content.is(by::ACK) || self.resolve(offset, value);
        if acked && !drained {
            self.acked_not_drained(offset, value, content);
        }
        if seen && (drained || !self.leads.edges.coverage.whole) {
            let low = self.leads.survivors.map_or(offset, |s| s.0);
            self.leads.survivors = Some((low, offset));
        }
        self.carry(offset, value, content);
    }

    #[inline]
    fn in_order(&mut self, offset: i64, value: Value) {
        if let Some(inversion) = self.order.next(offset, value) {
            self.leads.values.extend([inversion.value, inversion.before]);
            self.leads.inversions.push(inversion);
        }
    }

    /// A value that no acknowledgement told here: true if it was acknowledged without an offset.
    #[cold]
    fn resolve(&mut self, offset: i64, value: Value) -> bool {
        let Some(append) = self.open.see(value).filter(|a| a.fate != Fate::Failed && !a.seen) else {
            self.leads.values.push(value);
            return false;
        };
        let untold = append.fate == Fate::Untold;
        self.bounds.at_most(offset, append.invoked);
        if untold && self.setting.promises.acks == Bind::Binds {
            self.bounds.at_least(offset.saturating_add(1), append.returned);
        }
        untold
    }

    #[cold]
    fn acked_not_drained(&mut self, offset: i64, value: Value, content: Content) {
        let (read, held) = (content.is(by::READ), content.is(by::REPLICA));
        let disks = !self.setting.replicas.is_empty();
        if offset < self.leads.edges.start {
            self.leads.values.extend((!read).then_some(value));
        } else if self.leads.edges.coverage.decides(offset)
            || self.leads.edges.coverage.withholds(offset)
            || disks && !held
            || self.open.knows(value)
        {
            self.leads.values.push(value);
        } else if !disks && !read {
            self.leads.sums.undecided += 1;
        }
    }

    /// Whether the offset carries a record that a reader must not pass over, and whether one did.
    #[inline]
    fn carry(&mut self, offset: i64, value: Value, content: Content) {
        let skipped = content.is(by::SKIPPED) || !self.wide.is_empty() && self.passed_wide(offset);
        if !skipped && !self.tangled || offset < self.leads.edges.start {
            return;
        }
        let bits = if self.leads.edges.coverage.decides(offset) { by::DRAIN } else { by::ANYBODY };
        if !content.is(bits) {
            return;
        }
        extend(&mut self.carrying, offset);
        if skipped {
            extend(&mut self.leads.passed_over, offset);
            self.leads.values.extend(self.setting.transactions.then_some(value));
        }
    }

    fn passed_wide(&self, offset: i64) -> bool {
        let next = self.wide.partition_point(|w| w.1 <= offset);
        self.wide.get(next).is_some_and(|w| w.0 <= offset)
    }
}

fn extend(runs: &mut Vec<(i64, i64)>, offset: i64) {
    match runs.last_mut() {
        Some(last) if last.1 == offset => last.1 += 1,
        _ => runs.push((offset, offset.saturating_add(1))),
    }
}
