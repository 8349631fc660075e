//! The faults, one a file.

pub mod kill_follower;
pub mod kill_lagging_leader;
pub mod kill_leader;
pub mod pause_follower;
pub mod pause_leader;

use crate::fault::{Script, Step};
use history::NodeId;

/// SIGKILL, and start again after `hold_ms`.
fn kill(target: NodeId, hold_ms: u64) -> Script {
    let hurt = vec![Step::Kill(target), Step::Hold(hold_ms)];
    Script { target, accomplices: Vec::new(), hurt, heal: vec![Step::Start(target)] }
}

/// SIGSTOP, see that it stands still and that nobody is answered, and continue after `hold_ms` more.
fn pause(target: NodeId, hold_ms: u64) -> Script {
    let hurt =
        vec![Step::Pause(target), Step::Sample(target), Step::Probe(target), Step::Hold(hold_ms), Step::Sample(target)];
    Script { target, accomplices: Vec::new(), hurt, heal: vec![Step::Resume(target)] }
}
