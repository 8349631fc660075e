//! What is judged, explained: each claim with its source, and every anomaly that breaks it with its smallest history.

use checker::claims::DEFINITIONS;
use checker::{Claim, Definition};
use serde_json::{Value, json};

/// Each claim, followed by the anomalies that break it.
pub fn lines() -> Vec<String> {
    let mut lines = Vec::new();
    for claim in Claim::ALL {
        let holds = format!("{}{} ({})", claim.meaning(), alias(claim.jepsen()), claim.source());
        lines.push(format!("{:<28}{holds}", claim.name()));
        lines.extend(
            of(claim).map(|anomaly| format!("  {:<30}{}{}", anomaly.name, anomaly.meaning, alias(anomaly.jepsen))),
        );
    }
    lines
}

/// Each anomaly with the smallest history that has it and the near-miss that has not, as the checker's tests judge them.
pub fn anomalies() -> Vec<String> {
    DEFINITIONS.iter().flat_map(|anomaly| explained(anomaly)).collect()
}

fn explained(anomaly: &Definition) -> Vec<String> {
    let head = format!("{}{}: {}", anomaly.name, alias(anomaly.jepsen), anomaly.meaning);
    let breaks = format!("  breaks {} ({})", anomaly.claim, anomaly.claim.source());
    let mut lines = vec![head, breaks, "  the smallest history that has it".to_owned()];
    lines.extend(history(anomaly.example));
    lines.push("  a history much like it that has nothing wrong".to_owned());
    lines.extend(history(anomaly.innocent));
    lines.push(String::new());
    lines
}

fn history(text: &str) -> impl Iterator<Item = String> + '_ {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(|line| format!("    {line}"))
}

fn alias(jepsen: Option<&str>) -> String {
    jepsen.map_or_else(String::new, |name| format!(" [Jepsen: {name}]"))
}

fn of(claim: Claim) -> impl Iterator<Item = &'static Definition> {
    DEFINITIONS.into_iter().filter(move |definition| definition.claim == claim)
}

/// The same for tools.
pub fn as_json() -> Value {
    let anomaly = |d: &Definition| {
        json!({"name": d.name, "what": d.meaning, "jepsen": d.jepsen, "claim": d.claim.name(),
               "example": history(d.example).collect::<Vec<_>>(), "innocent": history(d.innocent).collect::<Vec<_>>()})
    };
    let claim = |claim: Claim| {
        json!({"name": claim.name(), "what": claim.meaning(), "jepsen": claim.jepsen(), "source": claim.source(),
               "anomalies": of(claim).map(anomaly).collect::<Vec<_>>()})
    };
    Claim::ALL.into_iter().map(claim).collect()
}
