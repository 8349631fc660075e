//! Each foreign history to the checker that is right for it, and what it found back in the file's own names.
//!
//! **Invariants:** a verdict is [`Verdict::Pass`] only if something was promised and judged, nothing was left undecided, and
//! the file was whole; a checker that fails says inconclusive.

mod lists;
mod logs;
mod naming;
mod registers;
mod search;
mod store;

use super::finding::{ForeignFinding, ForeignJudgement, Held, Standing, Workload};
use super::{Content, Format, Imported};
use crate::verdict::Verdict;
use checker::ClaimResult;
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

/// Judges what was imported.
pub fn judge(imported: Imported, format: Format) -> ForeignJudgement {
    let Imported { content, torn } = imported;
    let workload = match &content {
        Content::Logs(_) => Workload::Logs,
        Content::Registers(_) => Workload::Registers,
        Content::Store(_) => Workload::Store,
        Content::Lists(_) => Workload::Lists,
    };
    let judged = catch_unwind(AssertUnwindSafe(|| match content {
        Content::Logs(logs) => logs::judge(*logs),
        Content::Registers(registers) => registers::judge(&registers),
        Content::Store(operations) => store::judge(&operations),
        Content::Lists(lists) => lists::judge(&lists),
    }));
    let failed = |_| Parts { short_of: vec!["the checker failed on this history".into()], ..Parts::default() };
    let mut parts = judged.unwrap_or_else(failed);
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
