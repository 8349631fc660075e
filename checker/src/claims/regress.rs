//! Answers of a counter that went back, each with the greater answer that had come before it.

use crate::anomaly::Witness;
use crate::claims::{Case, Instance};
use history::{Kind, Op};

pub(super) fn went_back(case: &Case<'_>, kind: Kind, what: &str) -> Vec<Instance> {
    let is_answer = |op: &&Op| op.kind() == kind && (op.offset.0 >= 0 || kind != Kind::EndOffset);
    let answers: Vec<&Op> = case.log.answers.iter().filter(is_answer).collect();
    let mut asked = answers.clone();
    asked.sort_by_key(|op| op.invoked);
    let (mut returned, mut greatest, mut found) = (answers.into_iter().peekable(), None::<&Op>, Vec::new());
    for op in asked {
        while let Some(before) = returned.next_if(|before| before.returned < op.invoked) {
            greatest = greatest.filter(|g| g.offset >= before.offset).or(Some(before));
        }
        if let Some(before) = greatest.filter(|g| g.offset > op.offset) {
            found.push(instance(case, what, before, op));
        }
    }
    found
}

fn instance(case: &Case<'_>, what: &str, before: &Op, after: &Op) -> Instance {
    let (was, is) = (before.offset.0, after.offset.0);
    Instance {
        offset: is,
        values: Vec::new(),
        witnesses: vec![Witness::bare(before), Witness::bare(after)],
        sentence: format!("the {what} of {} was told as {was} and, asked for after that, as {is}", case.name()),
        ..Instance::default()
    }
}
