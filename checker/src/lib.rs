//! The judge: a history goes in, a verdict with its proof comes out.
//!
//! Start at [`judge`]. A [`Claim`] is one property; a [`Contract`] says which claims are forbidden to break, a
//! [`Promises`] what replies bind in the linearizable scan; an [`Anomaly`] is a named violation with the operations that
//! prove it. **Invariants:** pure functions over data, no I/O, no clock, no word of any broker's protocol, no panic and no
//! allocation beyond a small multiple of the input, whatever the input says. A claim without the data to judge it is
//! never held.
//!
//! The map: `log/` judges one log in two passes, `shards` runs the first over all of them, `claims/` has an anomaly a file,
//! `group` makes findings anomalies, `judge` the verdict; `txn/`, `groups/` and `beyond` judge what no single log can be
//! asked for; `zones/` and `search/` judge registers and any other model; `notation` and `synth/` make histories.
//!
//! Deliberately absent: where histories come from (the crate `results`) and how findings are shown.

pub mod anomaly;
pub mod bench;
mod beyond;
pub mod claim;
pub mod claims;
pub mod contract;
mod group;
pub mod groups;
mod hash;
pub mod judge;
pub mod log;
pub mod notation;
pub mod search;
mod shards;
pub mod source;
pub mod synth;
pub mod txn;
pub mod zones;

pub use anomaly::{Anomaly, AnomalyKind, OpRef};
pub use claim::Claim;
pub use claims::Definition;
pub use contract::{Bind, Contract, Gaps, Promises, Retries, Status};
pub use judge::{ClaimResult, Counts, Finding, Judgement, Verdict, judge, judge_on};
pub use source::{Batch, Source};
