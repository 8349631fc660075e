//! An application that appends in transactions: so many records to each, over several logs, some of them aborted on purpose.
//! Between its appends and its commit it may read: whatever others have committed by then, and nothing else.

use super::super::consumer::Reader;
use super::super::generator::Plan;
use super::super::status::{Counts, Tally};
use super::super::{ClientError, Context};
use super::{Session, Step};
use crate::clock::{self, Deadline};
use crate::spec::TransactorSpec;
use history::{LogId, Value};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use rdkafka::producer::Producer as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long a poll within a transaction waits for something to read.
const READ: Duration = Duration::from_millis(5);
/// A transaction waits no longer for answers to what it has sent before it goes on.
const READING_MS_MAX: u64 = 1_000;

/// Runs it until the process is asked to stop.
pub fn run(context: &Context, spec: &TransactorSpec) -> Result<Tally, ClientError> {
    let counts = Arc::new(Counts::default());
    let seed = context.spec.seed ^ u64::from(spec.writer.0).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let logs: Vec<LogId> = context.spec.logs.iter().take(spec.logs).map(|place| place.id).collect();
    let start = |properties| Reader::start(context, spec.process, properties, &logs);
    let reader = spec.reads.as_ref().map(start).transpose()?;
    let mut work = Work { context, spec, reader, sequence: 0, number: 0, random: Pcg64Mcg::seed_from_u64(seed) };
    let plan = Plan::new(clock::now(), spec.per_second);
    while !context.stop.asked() {
        let Some(session) = Session::start(context, spec.process, &spec.properties, &counts)? else { break };
        work.go_on(&session, &plan)?;
        drop(session);
        if spec.rest_ms > 0 && context.stop.wait(Deadline::in_ms(spec.rest_ms)) {
            break;
        }
    }
    let sent = counts.sent.load(Ordering::Relaxed);
    Ok(counts.tally(spec.process, sent, 0))
}

struct Work<'a> {
    context: &'a Context,
    spec: &'a TransactorSpec,
    reader: Option<Reader<'a>>,
    sequence: u64,
    number: u64,
    random: Pcg64Mcg,
}

impl Work<'_> {
    /// Transaction after transaction, until the session is of no more use or the process is asked to stop.
    fn go_on(&mut self, session: &Session, plan: &Plan) -> Result<(), ClientError> {
        loop {
            self.number += 1;
            // One that is behind begins at once: transactions are not piled up.
            if self.context.stop.wait(Deadline(plan.due(self.number))) {
                return Ok(());
            }
            if self.transaction(session)? == Step::Fatal {
                return Ok(());
            }
        }
    }

    /// Reads until everything it has sent was answered, and once more: what is its own may be in the logs by then.
    fn read(&mut self, session: &Session) -> Result<(), ClientError> {
        let Some(reader) = &mut self.reader else { return Ok(()) };
        let deadline = Deadline::in_ms(READING_MS_MAX);
        while session.library.in_flight_count() > 0 && !deadline.passed() {
            reader.poll(READ)?;
        }
        reader.poll(READ)
    }

    fn transaction(&mut self, session: &Session) -> Result<Step, ClientError> {
        if session.begin(self.number)? == Step::Fatal {
            return Ok(Step::Fatal);
        }
        let logs = &self.context.spec.logs;
        let logs = &logs[..self.spec.logs.min(logs.len()).max(1)];
        let (first, mut payload) = (self.random.random_range(0..logs.len()), Vec::new());
        for n in 0..self.spec.records as usize {
            let value = Value::new(self.spec.writer, self.sequence);
            self.sequence += 1;
            session.send(&logs[(first + n) % logs.len()], value, self.spec.record_bytes, &mut payload)?;
        }
        let aborts = self.random.random_range(0..100) < self.spec.abort_percent;
        self.read(session)?;
        match aborts {
            true => {
                session.flush()?;
                session.abort(self.number)
            }
            false => session.commit(self.context, self.number),
        }
    }
}
