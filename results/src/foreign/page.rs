//! A judgement on one screen. Pure: data in, text out; no control character whatever the file holds, no colour.

use super::finding::{Evidence, ForeignFinding, ForeignJudgement, Standing, Workload};
use checker::{ClaimResult, Finding, Status};

const COLUMNS_MAX: usize = 120;
const LABEL_COLUMNS: usize = 14;
const FINDINGS_MAX: usize = 8;
const EVIDENCE_MAX: usize = 3;
const PARAGRAPH_COLUMNS: usize = 4;
const PARAGRAPH_LINES_MAX: usize = 2;
const NOTES_MAX: usize = 4;

impl ForeignJudgement {
    /// The judgement as text; `file` as it is to be printed.
    pub fn text(&self, file: &str) -> String {
        let mut page = Page::default();
        page.entry("history", &format!("{file}: {}", self.format.meaning()));
        page.optional(" ", &self.held_text());
        page.entry(&self.verdict.to_string(), &self.verdict_text());
        let kinds = self.kinds();
        for of_kind in kinds.iter().take(FINDINGS_MAX) {
            page.finding(of_kind[0]);
            page.more(of_kind.len(), 1, "findings of this name");
        }
        page.more(kinds.len(), FINDINGS_MAX, "names");
        page.list("short of", &self.short_of);
        page.optional("not judged", &self.not_judged());
        page.list("note", &self.notes);
        page.text
    }

    /// Findings by name, in the order in which names first occur.
    fn kinds(&self) -> Vec<Vec<&ForeignFinding>> {
        let mut kinds: Vec<Vec<&ForeignFinding>> = Vec::new();
        for finding in &self.findings {
            let same = |of_kind: &&mut Vec<&ForeignFinding>| {
                of_kind[0].name == finding.name && of_kind[0].standing == finding.standing
            };
            match kinds.iter_mut().find(same) {
                Some(of_kind) => of_kind.push(finding),
                None => kinds.push(vec![finding]),
            }
        }
        kinds
    }

    fn held_text(&self) -> String {
        let held = &self.held;
        let [operation, object, acked, read] = match self.workload {
            Workload::Logs => ["operation", "log", "record", "record"],
            Workload::Registers => ["operation", "register", "write", "value"],
            Workload::Store => ["operation", "key", "write", "value"],
            Workload::Lists => ["transaction", "list", "commit", "element"],
        };
        let [operations, objects, acked] = [(held.operations, operation), (held.objects, object), (held.acked, acked)]
            .map(|(n, thing)| plural(n, thing));
        let (failed, unknown) = (held.failed, held.unknown);
        let processes = match held.processes {
            1 => "1 process".to_owned(),
            n => format!("{n} processes"),
        };
        let read = plural(held.read, read);
        format!(
            "{operations} by {processes} on {objects}; {acked} acknowledged, {failed} failed, {unknown} unknown; {read} read"
        )
    }

    fn verdict_text(&self) -> String {
        let of = |is: fn(&Standing) -> bool| self.findings.iter().filter(|f| is(&f.standing)).count();
        let violations = of(|standing| *standing == Standing::Violation);
        let undecided = of(|standing| matches!(standing, Standing::Undecided { .. }));
        let permitted = of(|standing| matches!(standing, Standing::Permitted { .. }));
        let exit = self.verdict.exit().code();
        let violations = plural(violations as u64, "violation");
        format!("{violations}, {undecided} undecided, {permitted} permitted (exit {exit})")
    }

    /// Claims without the data to judge them, by name.
    fn not_judged(&self) -> String {
        let open = |claim: &&ClaimResult| {
            let name = claim.claim.name();
            claim.status == Status::Forbidden
                && matches!(claim.verdict, Finding::NotJudged { .. })
                && !self.short_of.iter().any(|why| why.starts_with(name))
        };
        let names: Vec<&str> = self.claims.iter().filter(open).map(|claim| claim.claim.name()).collect();
        if names.is_empty() {
            String::new()
        } else {
            format!("{}: the file has nothing to judge them by", names.join(", "))
        }
    }
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn line(&mut self, text: &str) {
        let clean = text.trim_end().chars().map(|c| if c.is_control() { '?' } else { c });
        match text.trim_end().chars().count() > COLUMNS_MAX {
            true => self.text.extend(clean.take(COLUMNS_MAX - 1).chain(['…'])),
            false => self.text.extend(clean),
        }
        self.text.push('\n');
    }

    fn entry(&mut self, label: &str, text: &str) {
        self.line(&format!("{label:<LABEL_COLUMNS$}{text}"));
    }

    fn more(&mut self, all: usize, shown: usize, things: &str) {
        if all > shown {
            self.entry("", &format!("and {} more {things} (--json shows all)", all - shown));
        }
    }

    fn list(&mut self, label: &str, lines: &[String]) {
        for (nth, line) in lines.iter().take(NOTES_MAX).enumerate() {
            self.wrapped(if nth == 0 { label } else { "" }, LABEL_COLUMNS, line);
        }
        self.more(lines.len(), NOTES_MAX, "such lines");
    }

    fn finding(&mut self, finding: &ForeignFinding) {
        let jepsen = finding.jepsen.as_ref().filter(|name| **name != finding.name);
        let alias = jepsen.map_or_else(String::new, |name| format!(" (Jepsen: {name})"));
        let place = finding.place.as_ref().map_or_else(String::new, |place| format!(" on {place}"));
        let count = if finding.count > 1 { format!(", {} times", finding.count) } else { String::new() };
        self.line(&format!("  {}{alias}{place}{count}", finding.name));
        self.paragraph(&finding.sentence);
        match &finding.standing {
            Standing::Violation => {}
            Standing::Permitted { because } => self.paragraph(&format!("permitted: {because}")),
            Standing::Undecided { because } => self.paragraph(&format!("undecided: {because}")),
        }
        for evidence in finding.evidence.iter().take(EVIDENCE_MAX) {
            self.entry("", &evidence_text(evidence));
        }
        self.more(finding.evidence.len(), EVIDENCE_MAX, "operations");
    }

    fn optional(&mut self, label: &str, text: &str) {
        if !text.is_empty() {
            self.wrapped(label, LABEL_COLUMNS, text);
        }
    }

    fn paragraph(&mut self, text: &str) {
        self.wrapped("", PARAGRAPH_COLUMNS, text);
    }

    /// A label and a text from column `indent` on, over two lines at most.
    fn wrapped(&mut self, label: &str, indent: usize, text: &str) {
        let (mut rest, mut label, width) = (text.trim(), label, COLUMNS_MAX - indent);
        for _ in 1..PARAGRAPH_LINES_MAX {
            let margin = rest.char_indices().nth(width).map(|(at, _)| at);
            let Some(cut) = margin.and_then(|margin| rest[..margin].rfind(' ')) else { break };
            self.line(&format!("{label:<indent$}{}", &rest[..cut]));
            (rest, label) = (rest[cut..].trim_start(), "");
        }
        self.line(&format!("{label:<indent$}{rest}"));
    }
}

fn evidence_text(evidence: &Evidence) -> String {
    let returned = evidence.returned_ns.map_or_else(|| "never".to_owned(), moment);
    let outcome = match evidence.outcome {
        history::Outcome::Ok => "",
        history::Outcome::Fail => ", failed",
        history::Outcome::Unknown => ", unknown",
    };
    format!("{}: {}{outcome}  [{} – {returned}]", evidence.process, evidence.what, moment(evidence.invoked_ns))
}

/// Seconds from the start of the load, to the nanosecond where that matters.
fn moment(ns: i64) -> String {
    let (sign, ns) = (if ns < 0 { "-" } else { "" }, ns.unsigned_abs());
    match ns % 1_000 {
        0 => format!("{sign}{}.{:06} s", ns / 1_000_000_000, ns / 1_000 % 1_000_000),
        _ => format!("{sign}{}.{:09} s", ns / 1_000_000_000, ns % 1_000_000_000),
    }
}

fn plural(n: u64, thing: &str) -> String {
    format!("{n} {thing}{}", if n == 1 { "" } else { "s" })
}
