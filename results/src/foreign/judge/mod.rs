//! Each foreign history to the checker that is right for it, and what it found back in the file's own names.
//!
//! **Invariants:** a verdict is [`Verdict::Pass`] only if something was promised and judged, nothing was left undecided, and
//! the file was whole; a checker that fails says inconclusive.

mod lists;
mod logs;
mod multi_register;
mod naming;
mod registers;
mod search;
mod store;

use super::finding::{ForeignFinding, ForeignJudgement, Held, Standing, Workload};
use super::{Content, Format, Imported};
use crate::verdict::Verdict;
use checker::{ClaimResult, Source};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What one of the judges says.
#[derive(Default)]
struct Parts {
    held: Held,
    findings: Vec<ForeignFinding>,
    claims: Vec<ClaimResult>,
    short_of: Vec<String>,
    notes: Vec<String>,
}

/// Judges a history of our own that need not be in memory.
pub fn judge_source(source: &impl Source, format: Format) -> ForeignJudgement {
    judged(Workload::Logs, None, format, || logs::judge_source(source))
}

/// Judges what was imported.
pub fn judge(imported: Imported, format: Format) -> ForeignJudgement {
    let Imported { content, torn } = imported;
    let workload = match &content {
        Content::Logs(_) => Workload::Logs,
        Content::Registers(_) | Content::MultiRegister(_) => Workload::Registers,
        Content::Store(_) => Workload::Store,
        Content::Lists(_) => Workload::Lists,
    };
    judged(workload, torn, format, || match content {
        Content::Logs(logs) => logs::judge(*logs),
        Content::Registers(registers) => registers::judge(&registers),
        Content::MultiRegister(registers) => multi_register::judge(&registers),
        Content::Store(operations) => store::judge(&operations),
        Content::Lists(lists) => lists::judge(&lists),
    })
}

/// What a judge says, and a judge that fails says inconclusive.
fn judged(workload: Workload, torn: Option<String>, format: Format, judge: impl FnOnce() -> Parts) -> ForeignJudgement {
    let failed = |_| Parts { short_of: vec!["the checker failed on this history".into()], ..Parts::default() };
    let mut parts = catch_unwind(AssertUnwindSafe(judge)).unwrap_or_else(failed);
    parts.short_of.extend(torn);
    parts.findings.sort_by_key(|finding| match finding.standing {
        Standing::Violation => 0,
        Standing::Undecided { .. } => 1,
        Standing::Permitted { .. } => 2,
    });
    let Parts { held, findings, claims, short_of, notes } = parts;
    ForeignJudgement {
        format,
        workload,
        verdict: verdict(&findings, &short_of),
        held,
        findings,
        claims,
        short_of,
        notes,
    }
}

fn verdict(findings: &[ForeignFinding], short_of: &[String]) -> Verdict {
    let undecided = |finding: &ForeignFinding| matches!(finding.standing, Standing::Undecided { .. });
    match () {
        () if findings.iter().any(|finding| finding.standing == Standing::Violation) => Verdict::Violation,
        () if findings.iter().any(undecided) || !short_of.is_empty() => Verdict::Inconclusive,
        () => Verdict::Pass,
    }
}
