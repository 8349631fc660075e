//! Jepsen's `history.edn`: events of processes, paired into operations, each given to the workload it belongs to.
//!
//! ```text
//! {:index 0, :time 1200, :type :invoke, :process 0, :f :send, :value [[:send 0 1]]}
//! {:index 1, :time 4800, :type :ok, :process 0, :f :send, :value [[:send 0 [0 1]]]}
//! ```
//! A completion matches its process's open invocation; `:info` and silence mean that nobody can tell. Jepsen's interpreter
//! is one thread, so the order of the file is the order of time: the clock is `:time` where there is one, made to rise
//! strictly. The nemesis is passed over; transactions that name no process are one process's. **Invariant:** a file that ends in the middle of an event is judged without it,
//! and says so.

mod kafka;
mod list_append;
mod multi_register;
mod mutex;
mod numbered;
mod register;

use super::edn::{Edn, Forms};
use super::error::ReadError;
use super::{Content, Imported};
use crate::file::Place;
use history::{Nanos, Outcome};
use kafka::Kafka;
use list_append::ListAppend;
use multi_register::MultiRegister;
use mutex::Mutex;
use register::Registers;
use std::collections::{BTreeMap, HashMap};
use std::io::Read;

/// One event of a client.
struct Event {
    kind: Type,
    process: i64,
    f: Box<str>,
    value: Edn,
    /// Keys that moved while the operation ran.
    moved: Vec<Edn>,
    seeks: bool,
    at: Nanos,
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Invoke,
    Ok,
    Fail,
    Info,
}

/// An invocation and what came of it.
struct Operation {
    process: i64,
    f: Box<str>,
    outcome: Outcome,
    invoked: Nanos,
    /// When its completion was written, whatever it said; at its invocation if there was none.
    completed: Nanos,
    asked: Edn,
    /// What the completion said.
    answered: Edn,
    moved: Vec<Edn>,
    seeks: bool,
    place: Place,
}

impl Operation {
    fn new(asked: Event, completion: Option<Event>) -> Operation {
        let outcome = match completion.as_ref().map(|c| c.kind) {
            Some(Type::Ok) => Outcome::Ok,
            Some(Type::Fail) => Outcome::Fail,
            _ => Outcome::Unknown,
        };
        let completed = completion.as_ref().map_or(asked.at, |c| c.at);
        let place = completion.as_ref().map_or(asked.place, |c| c.place);
        let (answered, moved) = completion.map_or((Edn::Nil, Vec::new()), |c| (c.value, c.moved));
        Operation {
            process: asked.process,
            f: asked.f,
            outcome,
            invoked: asked.at,
            completed,
            asked: asked.value,
            answered,
            moved,
            seeks: asked.seeks,
            place,
        }
    }

    /// When it was over for good; never, if nobody can tell.
    fn returned(&self) -> Nanos {
        if self.outcome == Outcome::Unknown { Nanos::NEVER } else { self.completed }
    }

    fn fault(&self, what: impl Into<String>) -> ReadError {
        ReadError::malformed(self.place, what)
    }

    fn process_name(&self) -> String {
        match self.process {
            NOBODY => "an unnamed process".to_owned(),
            process => format!("process {process}"),
        }
    }

    /// The completion's value if it has members, else the invocation's.
    fn members(&self) -> Option<&[Edn]> {
        self.answered.members().or(self.asked.members())
    }
}

/// Reads a history of any workload that is known.
///
/// # Errors
/// What is malformed or too large; a file without any operation that is known.
pub fn read(input: impl Read) -> Result<Imported, ReadError> {
    let mut forms = Forms::new(input);
    let mut reading = Reading::default();
    let torn = loop {
        match forms.next_form() {
            Ok(Some((form, place))) => reading.form(form, place)?,
            Ok(None) => break None,
            Err(error) if error.is_torn() => break Some(error),
            Err(error) => return Err(error),
        }
    };
    reading.finish(torn)
}

/// A workload, known by the first operation that tells.
enum Workload {
    Kafka(Box<Kafka>),
    Registers(Registers),
    Mutex(Mutex),
    ListAppend(Box<ListAppend>),
    MultiRegister(Box<MultiRegister>),
}

impl Workload {
    fn of(op: &Operation) -> Option<Workload> {
        let first = |members: &[Edn]| members.first().and_then(Edn::members)?.first()?.keyword().map(str::to_owned);
        match &*op.f {
            "send" | "poll" | "assign" | "subscribe" | "crash" | "debug-topic-partitions" => {
                Some(Workload::Kafka(Box::new(Kafka::new())))
            }
            "read" | "write" | "cas" => Some(Workload::Registers(Registers::default())),
            "acquire" | "release" => Some(Workload::Mutex(Mutex::default())),
            "txn" => match op.members().and_then(first)?.as_str() {
                "send" | "poll" => Some(Workload::Kafka(Box::new(Kafka::new()))),
                "append" | "r" => Some(Workload::ListAppend(Box::default())),
                step if multi_register::is_step(step) => Some(Workload::MultiRegister(Box::default())),
                _ => None,
            },
            _ => None,
        }
    }

    /// False if the operation is none of the workload's.
    fn take(&mut self, op: Operation) -> Result<bool, ReadError> {
        match self {
            Workload::Kafka(kafka) => kafka.take(&op),
            Workload::Registers(registers) => registers.take(&op),
            Workload::Mutex(mutex) => Ok(mutex.take(&op)),
            Workload::ListAppend(lists) => lists.take(&op),
            Workload::MultiRegister(registers) => registers.take(&op),
        }
    }
}

#[derive(Default)]
struct Reading {
    clock: Clock,
    open: HashMap<i64, Event>,
    workload: Option<Workload>,
    passed_over: BTreeMap<Box<str>, u64>,
    operations: u64,
}

impl Reading {
    fn form(&mut self, form: Edn, place: Place) -> Result<(), ReadError> {
        let Some(event) = event(form, place, &mut self.clock)? else { return Ok(()) };
        let fault = |what: &str| Err(ReadError::malformed(place, format!("process {}: {what}", event.process)));
        if event.kind == Type::Invoke {
            return match self.open.insert(event.process, event) {
                None => Ok(()),
                Some(open) => Err(ReadError::malformed(
                    place,
                    format!("process {} invokes :{} before its last operation ended", open.process, open.f),
                )),
            };
        }
        match self.open.remove(&event.process) {
            None => fault("a completion without an invocation"),
            Some(asked) if asked.f != event.f => fault("a completion of something else than what was invoked"),
            Some(asked) => self.operation(Operation::new(asked, Some(event))),
        }
    }

    fn operation(&mut self, op: Operation) -> Result<(), ReadError> {
        self.operations += 1;
        if self.workload.is_none() {
            self.workload = Workload::of(&op);
        }
        let f = op.f.clone();
        let taken = self.workload.as_mut().map_or(Ok(false), |workload| workload.take(op))?;
        if !taken {
            *self.passed_over.entry(f).or_default() += 1;
        }
        Ok(())
    }

    fn finish(mut self, torn: Option<ReadError>) -> Result<Imported, ReadError> {
        let mut open: Vec<Event> = std::mem::take(&mut self.open).into_values().collect();
        open.sort_unstable_by_key(|event| event.at);
        open.into_iter().try_for_each(|event| self.operation(Operation::new(event, None)))?;
        let Some(workload) = self.workload else {
            return Err(torn.unwrap_or_else(|| nothing_known(self.operations, &self.passed_over)));
        };
        let notes: Vec<String> = self
            .passed_over
            .iter()
            .map(|(f, count)| format!("{count} operations :{f} are none of this workload's and were passed over"))
            .collect();
        let torn = torn.map(|error| format!("the file ends in the middle of an event{}", error.place));
        let content = match workload {
            Workload::Kafka(kafka) => Content::Logs(Box::new(kafka.finish(notes)?)),
            Workload::Registers(registers) => Content::Registers(registers.finish(notes)),
            Workload::Mutex(mutex) => Content::Registers(mutex.finish(notes)),
            Workload::ListAppend(lists) => Content::Lists(Box::new(lists.finish(notes))),
            Workload::MultiRegister(registers) => Content::MultiRegister(registers.finish(notes)),
        };
        Ok(Imported { content, torn })
    }
}

fn nothing_known(operations: u64, passed_over: &BTreeMap<Box<str>, u64>) -> ReadError {
    let names: Vec<String> = passed_over.keys().take(8).map(|f| format!(":{f}")).collect();
    let what = match operations {
        0 => "there is no operation of a client in it".to_owned(),
        _ => format!(
            "none of its operations ({}) belongs to a workload that is known: Kafka, register, cas-register, mutex, \
             multi-register, list-append",
            names.join(", ")
        ),
    };
    ReadError::malformed(Place::Whole, what)
}

/// A clock that rises strictly along the file.
#[derive(Default)]
struct Clock {
    last: u64,
}

impl Clock {
    fn tick(&mut self, told: Option<i64>) -> Nanos {
        let told = told.and_then(|told| u64::try_from(told).ok()).unwrap_or(0);
        self.last = told.max(self.last.saturating_add(1));
        Nanos(self.last)
    }
}

/// The process of events that name none.
const NOBODY: i64 = -1;

/// The event of a form; none if it is not a client's.
fn event(form: Edn, place: Place, clock: &mut Clock) -> Result<Option<Event>, ReadError> {
    let fault = |what: String| ReadError::malformed(place, what);
    let Edn::Map(fields) = form else { return Err(fault("an event must be a map".into())) };
    let (mut kind, mut process, mut f, mut time) = (None, Edn::Nil, None, None);
    let (mut value, mut moved, mut seeks) = (Edn::Nil, Vec::new(), false);
    for (name, told) in fields {
        match (name.keyword(), told) {
            (Some("type"), told) => kind = told.keyword().and_then(type_of),
            (Some("process"), told) => process = told,
            (Some("f"), told) => f = told.keyword().map(Box::from),
            (Some("time"), told) => time = told.int(),
            (Some("value"), told) => value = told,
            (Some("seek-to-beginning?"), told) => seeks = told == Edn::Bool(true),
            (Some("rebalance-log"), told) => moved = moved_keys(told),
            _ => {}
        }
    }
    let at = clock.tick(time);
    // Elle's own files have transactions of nobody, one after the other.
    let bare = kind.is_some() && value.members().is_some_and(|mops| mops.iter().all(|mop| mop.members().is_some()));
    let process = match process {
        Edn::Int(process) => process,
        Edn::Nil if bare => NOBODY,
        Edn::Nil => return Err(fault("an event without a :process".into())),
        _ => return Ok(None),
    };
    let f = f.or_else(|| bare.then(|| "txn".into()));
    let kind = kind.ok_or_else(|| fault("an event whose :type is none of :invoke, :ok, :fail, :info".into()))?;
    let f = f.ok_or_else(|| fault("an event without an :f".into()))?;
    Ok(Some(Event { kind, process, f, value, moved, seeks, at, place }))
}

fn type_of(name: &str) -> Option<Type> {
    match name {
        "invoke" => Some(Type::Invoke),
        "ok" => Some(Type::Ok),
        "fail" => Some(Type::Fail),
        "info" => Some(Type::Info),
        _ => None,
    }
}

/// The keys of `[{:type :revoked, :keys [0 1]} …]`.
fn moved_keys(log: Edn) -> Vec<Edn> {
    let Edn::Seq(changes) = log else { return Vec::new() };
    let fields = changes.into_iter().flat_map(|change| if let Edn::Map(fields) = change { fields } else { Vec::new() });
    let keys = fields.filter(|(name, _)| name.keyword() == Some("keys")).map(|(_, keys)| keys);
    keys.flat_map(|keys| if let Edn::Seq(keys) | Edn::Set(keys) = keys { keys } else { Vec::new() }).collect()
}
