//! Registers: by zones where writes are unique and nothing is compared, by the general search otherwise.

use super::Parts;
use super::search::{self, Describe, NODES_MAX};
use crate::foreign::finding::{Evidence, ForeignFinding, Held};
use crate::foreign::registers::{Register, RegisterHistory};
use checker::search::Operation;
use checker::search::models::cas_register::{CasRegister, Input, Output};
use checker::zones::{self, Access, Action, Violation};
use std::collections::HashSet;

struct Words<'a> {
    history: &'a RegisterHistory,
    register: &'a Register,
}

impl Describe<CasRegister> for Words<'_> {
    fn what(&self, input: &Input, output: Option<&Output>) -> String {
        let value = |value: i64| self.history.value(value);
        match (*input, output) {
            (Input::Read, Some(Output::Value(Some(read)))) => format!("read of {}", value(*read)),
            (Input::Read, Some(_)) => "read of nil".into(),
            (Input::Read, None) => "read".into(),
            (Input::Write(written), _) => format!("write of {}", value(written)),
            (Input::Cas(from, to), Some(Output::Swapped(false))) => {
                format!("refused compare-and-set of {} to {}", value(from), value(to))
            }
            (Input::Cas(from, to), _) => format!("compare-and-set of {} to {}", value(from), value(to)),
        }
    }

    fn object(&self, _: u64) -> String {
        self.register.name.clone()
    }
}

/// Judges registers.
pub(super) fn judge(history: &RegisterHistory) -> Parts {
    let mut nodes = NODES_MAX;
    let mut parts = Parts { held: held(history), notes: history.notes.clone(), ..Parts::default() };
    for register in &history.registers {
        let words = Words { history, register };
        match by_zones(register, &words) {
            Some(findings) => parts.findings.extend(findings),
            None => {
                let model = CasRegister::default();
                parts.findings.extend(search::judge(&model, &register.operations, &words, &mut nodes));
            }
        }
    }
    let told = |op: &Operation<Input, Output>| matches!(op.output, Some(Output::Value(_) | Output::Swapped(true)));
    if !history.registers.iter().flat_map(|register| &register.operations).any(told) {
        parts.short_of.push("nothing was read".into());
    }
    parts
}

fn held(history: &RegisterHistory) -> Held {
    let all = || history.registers.iter().flat_map(|register| &register.operations);
    let read = |op: &&Operation<Input, Output>| matches!(op.output, Some(Output::Value(_)));
    let done = |op: &&Operation<Input, Output>| matches!(op.output, Some(Output::Written | Output::Swapped(true)));
    Held {
        operations: all().count() as u64,
        objects: history.registers.len() as u64,
        processes: all().map(|op| op.process).collect::<HashSet<_>>().len() as u64,
        acked: all().filter(done).count() as u64,
        failed: all().filter(|op| op.output == Some(Output::Swapped(false))).count() as u64,
        unknown: all().filter(|op| op.ret.is_none()).count() as u64,
        read: all().filter(read).count() as u64,
    }
}

/// The findings, if zones can judge the register.
fn by_zones(register: &Register, words: &Words<'_>) -> Option<Vec<ForeignFinding>> {
    const NIL: u64 = u64::MAX;
    let mut accesses = Vec::with_capacity(register.operations.len());
    let mut written = HashSet::new();
    for op in &register.operations {
        let (action, value) = match (op.input, op.output) {
            (Input::Write(value), _) if !written.insert(value) || value as u64 == NIL => return None,
            (Input::Write(value), _) => (Action::Write, value as u64),
            (Input::Read, Some(Output::Value(Some(value)))) => (Action::Read, value as u64),
            (Input::Read, Some(Output::Value(None))) => (Action::Read, NIL),
            (Input::Read, _) => (Action::Read, NIL),
            (Input::Cas(..), _) => return None,
        };
        accesses.push(Access { action, value, call: op.call, ret: op.ret });
    }
    let violations = zones::check(&accesses, Some(NIL));
    let shown = |at: usize| search::evidence::<CasRegister>(&register.operations[at], words);
    Some(violations.iter().map(|violation| told(register, violation, shown)).collect())
}

fn told(register: &Register, violation: &Violation, shown: impl Fn(usize) -> Evidence) -> ForeignFinding {
    let named = |at: usize| {
        let Evidence { what, process, .. } = shown(at);
        format!("the {what} by {process}")
    };
    let span = |span: &zones::Span| span.late.or(span.early).map_or_else(|| "the initial value".to_owned(), named);
    let (name, sentence) = match violation {
        Violation::WrittenTwice { first, second } => {
            ("written-twice", format!("{} and {}", named(*first), named(*second)))
        }
        Violation::NeverWritten { read } => ("phantom-read", format!("{}: nobody wrote it", named(*read))),
        Violation::ReadBeforeWrite { read, write } => {
            ("read-before-write", format!("{} returned before {} was called", named(*read), named(*write)))
        }
        Violation::Returned { value, other } => {
            ("stale-read", format!("{} and {}: each had been replaced by the other", span(value), span(other)))
        }
    };
    let evidence = violation.accesses().into_iter().map(&shown).collect();
    ForeignFinding::violation(name, format!("{}: {sentence}", register.name), evidence).at(&*register.name)
}
