//! A bank: each transfer takes from an account and gives to another one that lies in another log, in one transaction.
//!
//! Two records a transfer, one to each of two logs: money is conserved exactly if both are visible or neither is. An account is a
//! log. The sum over what readers of committed records see is therefore right if and only if no transfer is torn, which is what is
//! judged; nothing has to be added up.

use crate::spec::Also;
use crate::transactions::{self, Transactions};
use crate::workload::{Crew, Need, Plan, Shape, Site};
use serde::{Deserialize, Serialize};

/// As it is called.
pub const NAME: &str = "bank";
/// In one line.
pub const WHAT: &str = "transfers between accounts in different logs, each one transaction; money is conserved";

/// Its shape.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bank {
    /// Tellers: transactional processes.
    pub tellers: u32,
    /// Consumers.
    pub consumers: u32,
    /// So many of a hundred transfers are taken back before they are committed.
    pub abort_percent: u32,
}

impl Default for Bank {
    fn default() -> Bank {
        Bank { tellers: 4, consumers: 2, abort_percent: 10 }
    }
}

impl Shape for Bank {
    fn plan(&self, site: &Site) -> Plan {
        let mut crew = Crew::new(site);
        let (transactors, abort_percent) = (self.tellers, self.abort_percent);
        let transfers =
            Transactions { transactors, abort_percent, records: 2, consumers: self.consumers, rivals: false };
        transactions::transactors(&mut crew, site, &transfers);
        crew.readers(self.consumers);
        crew.sampler("sampler", Also::Offsets);
        transactions::visible(&mut crew, site);
        crew.plan(transactions::claims(site))
    }

    fn waits(&self) -> bool {
        true
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Transactions]
    }
}
