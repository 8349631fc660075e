//! The guard: the process between the controller and every process of a run, so that none outlives a killed controller.
//!
//! ```text
//! controller ──socket──▶ guard ──▶ broker, client, …  ──▶ whatever they fork
//!  (threads)   requests   (one thread, own session,         (setsid'ed, orphaned or stopped:
//!            ◀─ replies,   subreaper, a pidfd a child)        still the guard's descendants)
//!               exits
//! ```
//! [`process::main`] is the guard, entered by re-executing the program as `stormglass guard`; [`Guard`] is the
//! controller's handle on it.
//!
//! **Invariants:** the guard has one thread, so the parent-death signal of its children follows its life. It signals
//! through pidfds only. It ends when its socket does, however that came about, and then no descendant is left.
//!
//! A file system that a child serves is mounted by the guard and goes with the child; a temporary folder that the controller asks
//! for goes with the guard.
//!
//! Deliberately absent: any idea what its children are, when to start them and whether their end was meant; ports. What it cannot promise: if the guard itself is SIGKILLed, its children die with it, their
//! own detached children do not; and a process that changed its user cannot be signalled by anybody but root.

mod handle;
mod pidfd;
pub mod proc;
pub mod process;
mod protocol;
mod spawn;
mod sweep;

pub use handle::{Event, Guard, GuardError, Spawned};
pub use protocol::{ChildId, ChildSpec, Ended, Exited, Grouping, Signal};
