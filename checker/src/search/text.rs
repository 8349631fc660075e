//! The text forms of Porcupine's and Knossos's test histories: a line an event, its number the time.
//!
//! ```text
//! INFO  jepsen.util - 3   :invoke   :cas     [2 4]          a compare-and-set register ([`cas_register`])
//! {:process 3, :type :ok, :f :get, :key "7", :value "x"}    a store of strings ([`key_value`])
//! ```
//! `:info` and silence mean no reply; a read that failed says nothing and is left out; a failed compare-and-set found
//! another value. Lines of any other shape (a log's other talk, the nemesis) are passed over. **Invariant:** no input
//! panics, and an event that does not fit its process is an error with its line.

use super::Operation;
use super::models::{cas_register as cas, key_value as kv};
use std::collections::HashMap;

/// A history that cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct TextError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What can be wrong with a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Problem {
    /// A completion by a process that has nothing open.
    #[error("a completion without an invocation")]
    NothingOpen,
    /// A completion of another function than the one invoked.
    #[error("a completion of something else than what was invoked")]
    OtherFunction,
    /// An operation that neither model knows, or a value of the wrong shape.
    #[error("an operation that is not understood")]
    NotUnderstood,
}

/// One event as a line has it.
struct Event<'a> {
    process: u32,
    kind: &'a str,
    function: &'a str,
    key: &'a str,
    value: &'a str,
}

/// A history of a compare-and-set register.
///
/// # Errors
/// The first line that does not fit.
pub fn cas_register(text: &str) -> Result<Vec<Operation<cas::Input, cas::Output>>, TextError> {
    read(text, register_line, |event, _| {
        Some(match (event.function, numbers(event.value).as_slice()) {
            (":read", _) => cas::Input::Read,
            (":write", [value]) => cas::Input::Write(*value),
            (":cas", [from, to]) => cas::Input::Cas(*from, *to),
            _ => return None,
        })
    })
    .and_then(|pairs| {
        pairs.into_iter().map(|pair| pair.complete(register_output)).flat_map(Result::transpose).collect()
    })
}

fn register_output(input: &cas::Input, event: &Event<'_>) -> Option<Reply<cas::Output>> {
    Some(match (input, event.kind, event.function) {
        (cas::Input::Read, ":fail", ":read") => Reply::Nothing,
        (cas::Input::Read, ":ok", ":read") => match (event.value, numbers(event.value).as_slice()) {
            ("nil", _) => Reply::Answer(cas::Output::Value(None)),
            (_, [value]) => Reply::Answer(cas::Output::Value(Some(*value))),
            _ => return None,
        },
        (cas::Input::Write(_), ":ok", ":write") => Reply::Answer(cas::Output::Written),
        (cas::Input::Write(_), ":fail", ":write") => Reply::Nothing,
        (cas::Input::Cas(..), kind, ":cas") => Reply::Answer(cas::Output::Swapped(kind == ":ok")),
        _ => return None,
    })
}

/// A history of a store of strings; keys are numbered as they appear.
///
/// # Errors
/// The first line that does not fit.
pub fn key_value(text: &str) -> Result<Vec<Operation<kv::Input, kv::Output>>, TextError> {
    read(text, map_line, |event, keys| {
        let fresh = keys.len() as u64;
        let key = *keys.entry(event.key.to_owned()).or_insert(fresh);
        let action = match event.function {
            ":get" => kv::Action::Get,
            ":put" => kv::Action::Put(event.value.to_owned()),
            ":append" => kv::Action::Append(event.value.to_owned()),
            _ => return None,
        };
        Some(kv::Input { key, action })
    })
    .and_then(|pairs| pairs.into_iter().map(|pair| pair.complete(store_output)).flat_map(Result::transpose).collect())
}

fn store_output(input: &kv::Input, event: &Event<'_>) -> Option<Reply<kv::Output>> {
    Some(match (&input.action, event.kind, event.function) {
        (kv::Action::Get, ":ok", ":get") => Reply::Answer(kv::Output::Got(event.value.to_owned())),
        (kv::Action::Put(_), ":ok", ":put") | (kv::Action::Append(_), ":ok", ":append") => {
            Reply::Answer(kv::Output::Stored)
        }
        (_, ":fail", _) => Reply::Nothing,
        _ => return None,
    })
}

/// What a completion says.
enum Reply<O> {
    Answer(O),
    /// It did not happen.
    Nothing,
}

/// An invocation and its completion, if it has one.
struct Pair<'a, I> {
    process: u32,
    call: u64,
    input: I,
    completion: Option<(usize, Event<'a>)>,
}

impl<I> Pair<'_, I> {
    fn complete<O>(self, reply: fn(&I, &Event<'_>) -> Option<Reply<O>>) -> Result<Option<Operation<I, O>>, TextError> {
        let Pair { process, call, input, completion } = self;
        let Some((line, event)) = completion else {
            return Ok(Some(Operation { process, call, ret: None, input, output: None }));
        };
        match reply(&input, &event) {
            None => Err(TextError { line, problem: Problem::OtherFunction }),
            Some(Reply::Nothing) => Ok(None),
            Some(Reply::Answer(o)) => {
                Ok(Some(Operation { process, call, ret: Some(line as u64), input, output: Some(o) }))
            }
        }
    }
}

/// Reads and pairs all events.
fn read<'a, I>(
    text: &'a str,
    event_of: fn(&'a str) -> Option<Event<'a>>,
    input_of: impl Fn(&Event<'a>, &mut HashMap<String, u64>) -> Option<I>,
) -> Result<Vec<Pair<'a, I>>, TextError> {
    let (mut pairs, mut open, mut keys) = (Vec::new(), HashMap::new(), HashMap::new());
    for (line, event) in (1..).zip(text.lines()).filter_map(|(line, words)| Some((line, event_of(words)?))) {
        let fault = |problem| TextError { line, problem };
        match event.kind {
            ":invoke" => {
                let input = input_of(&event, &mut keys).ok_or(fault(Problem::NotUnderstood))?;
                open.insert(event.process, pairs.len());
                pairs.push(Pair { process: event.process, call: line as u64, input, completion: None });
            }
            ":info" => _ = open.remove(&event.process).ok_or(fault(Problem::NothingOpen))?,
            ":ok" | ":fail" => {
                let at = open.remove(&event.process).ok_or(fault(Problem::NothingOpen))?;
                pairs[at].completion = Some((line, event));
            }
            _ => return Err(fault(Problem::NotUnderstood)),
        }
    }
    Ok(pairs)
}

/// `INFO jepsen.util - PROCESS KIND FUNCTION VALUE`
fn register_line(line: &str) -> Option<Event<'_>> {
    let (_, body) = line.split_once(" - ")?;
    let mut rest = body.trim();
    let mut word = || {
        let (word, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        rest = after.trim_start();
        word
    };
    let (process, kind, function) = (word().parse().ok()?, word(), word());
    Some(Event { process, kind, function, key: "", value: rest })
}

/// `{:process 3, :type :ok, :f :get, :key "7", :value "x"}`
fn map_line(line: &str) -> Option<Event<'_>> {
    let after = |name: &str| line.split_once(name).map(|(_, rest)| rest.trim_start());
    let word = |name: &str| after(name).map(|rest| rest.split([',', '}', ' ']).next().unwrap_or(rest));
    let text = |name: &str| {
        let rest = after(name)?;
        rest.strip_prefix('"').and_then(|rest| rest.split('"').next()).or(Some(""))
    };
    let process = word(":process ")?.parse().ok()?;
    Some(Event { process, kind: word(":type ")?, function: word(":f ")?, key: text(":key ")?, value: text(":value ")? })
}

fn numbers(text: &str) -> Vec<i64> {
    let words = text.split(|c: char| !c.is_ascii_digit() && c != '-').filter(|w| !w.is_empty());
    words.filter_map(|w| w.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::models::cas_register::{CasRegister, Input, Output};
    use crate::search::models::key_value::KeyValue;
    use crate::search::{Budget, Verdict, check, longest_prefix};

    #[test]
    fn a_register_history_is_read_and_judged() {
        let ops = cas_register(include_str!("samples/register-ok.log")).unwrap();
        assert_eq!(ops.len(), 7);
        let (call, ret, input) = (8, None, Input::Write(9));
        assert_eq!(ops[3], Operation { process: 2, call, ret, input, output: None });
        assert_eq!(ops[1].output, Some(Output::Swapped(false)));
        assert_eq!(check(&CasRegister::default(), &ops, &Budget::default()).verdict, Verdict::Linearizable);
    }

    #[test]
    fn a_register_that_forgot_a_write_is_refuted() {
        let ops = cas_register(include_str!("samples/register-bad.log")).unwrap();
        let (model, budget) = (CasRegister::default(), Budget::default());
        assert!(matches!(check(&model, &ops, &budget).verdict, Verdict::NotLinearizable { .. }));
        let progress = longest_prefix(&model, &ops, 0, &budget).unwrap();
        assert_eq!((progress.prefix, progress.stuck), (vec![0, 1], vec![2]));
    }

    #[test]
    fn a_store_that_lost_an_append_is_refuted_and_its_near_miss_is_not() {
        let [ok, bad] = [include_str!("samples/kv-ok.txt"), include_str!("samples/kv-bad.txt")]
            .map(|text| check(&KeyValue, &key_value(text).unwrap(), &Budget::default()).verdict);
        assert_eq!(ok, Verdict::Linearizable);
        assert!(matches!(bad, Verdict::NotLinearizable { key: 1, .. }), "{bad:?}");
    }

    #[test]
    fn a_line_that_does_not_fit_is_named() {
        for (text, line, problem) in [
            ("INFO jepsen.util - 0 :ok :read 3", 1, Problem::NothingOpen),
            ("x\nINFO jepsen.util - 0 :invoke :pop nil", 2, Problem::NotUnderstood),
            ("INFO jepsen.util - 0 :invoke :read nil\nINFO jepsen.util - 0 :ok :write 3", 2, Problem::OtherFunction),
            ("INFO jepsen.util - 0 :invoke :write [] -", 1, Problem::NotUnderstood),
        ] {
            assert_eq!(cas_register(text), Err(TextError { line, problem }), "{text}");
        }
    }

    #[test]
    fn a_text_cut_anywhere_is_an_answer() {
        for text in [include_str!("samples/register-ok.log"), include_str!("samples/kv-bad.txt")] {
            for cut in 0..text.len() {
                let _ = (cas_register(&text[..cut]), key_value(&text[..cut]));
            }
        }
    }
}
