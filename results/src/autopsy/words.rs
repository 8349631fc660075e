//! What deaths are told in.

use super::death::{Copy, Proof};
use super::event::{Event, Place, What};
use super::stage::Stage;
use history::{NodeId, Offset};

/// The table of operations, whose rows prove what clients did.
const HISTORY: &str = "history.arrow";

/// A row of the table of operations.
pub(super) fn row(index: usize, says: String) -> Proof {
    Proof { place: Place { file: HISTORY.to_owned(), at: index as u64 }, says }
}

/// Where an event stands and what it says.
pub(super) fn proof(event: &Event) -> Proof {
    Proof { place: event.place.clone(), says: format!("node {}: {}", event.node.0, says(&event.what)) }
}

/// `offset 7`, `offsets 7..9`.
pub(super) fn stretch((first, last): (Offset, Offset)) -> String {
    match first == last {
        true => format!("offset {}", first.0),
        false => format!("offsets {}..{}", first.0, last.0),
    }
}

/// `1 record`, `2 records`.
pub(super) fn records(count: usize) -> String {
    format!("{count} record{}", if count == 1 { "" } else { "s" })
}

/// What there is to say where no event tells how copies went.
pub(super) fn without_event(stage: Stage, copies: &[Copy]) -> String {
    let where_it_is = copies.iter().filter(|c| c.fate == "is there").map(|c| c.node.0.to_string()).collect::<Vec<_>>();
    match stage {
        Stage::B1 => {
            "no replica is known to have had it; the nodes' logs or events of the time would tell B1 from B2 and B3"
                .into()
        }
        _ if !where_it_is.is_empty() => format!("it is on node {}", where_it_is.join(", ")),
        _ => "a later leader's history begins at or below it".into(),
    }
}

/// An event in words.
pub(super) fn says(what: &What) -> String {
    let ids = |nodes: &[NodeId]| nodes.iter().map(|n| n.0.to_string()).collect::<Vec<_>>().join(",");
    match what {
        What::Decided { leader, epoch, isr, elr, unclean } => {
            let leader = leader.map_or_else(|| "nobody".to_owned(), |leader| leader.0.to_string());
            let elr = if elr.is_empty() { String::new() } else { format!(", eligible {}", ids(elr)) };
            let how = if *unclean { ", by an unclean election" } else { "" };
            format!("{leader} leads epoch {}, in sync {}{elr}{how}", epoch.0, ids(isr))
        }
        What::Role { leads, epoch, end, .. } => {
            let role = if *leads { "leads" } else { "follows" };
            format!("{role} in epoch {} with its log ending at {}", epoch.0, end.0)
        }
        What::Opened { end, clean } => {
            let stop = if *clean { "a clean stop" } else { "an unclean stop" };
            format!("its log ended at {} when it was opened after {stop}", end.0)
        }
        What::Truncated { from, to, why } => {
            let from = from.map_or_else(String::new, |from| format!("from {} ", from.0));
            format!("truncated {from}to {} because of {why}", to.0)
        }
        What::Recovered { told } | What::Compacted { told, .. } => told.clone(),
        What::StartMoved { to, why } => format!("the log's start moved to {} due to {why}", to.0),
    }
}
