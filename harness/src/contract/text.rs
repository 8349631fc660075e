//! A contract for people, before a run: what must hold, what may break and why, what is not looked at.

use checker::{Claim, Contract, Status};

const COLUMNS_MAX: usize = 110;

/// One line for all that is forbidden, one for each claim that may break, one for what is out of scope.
pub fn lines(contract: &Contract) -> Vec<String> {
    let mut lines = names("must hold", contract, |status| *status == Status::Forbidden);
    for claim in Claim::ALL {
        if let Status::Allowed { because } = contract.status(claim) {
            lines.push(format!("may break     {claim}: {because}"));
        }
    }
    lines.extend(names("out of scope", contract, |status| matches!(status, Status::OutOfScope { .. })));
    lines
}

fn names(label: &str, contract: &Contract, is: impl Fn(&Status) -> bool) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for claim in Claim::ALL.into_iter().filter(|claim| is(contract.status(*claim))) {
        match lines.last_mut().filter(|line| line.len() + claim.name().len() < COLUMNS_MAX) {
            Some(line) => *line += &format!(", {claim}"),
            None => lines.push(format!("{:<14}{claim}", if lines.is_empty() { label } else { "" })),
        }
    }
    lines
}
