//! A file system in memory that knows what was synced: mounted over a node's data folder, it can lose the rest.
//!
//! [`Tree`] is what it holds, pure. [`serve`] mounts it over FUSE in a process of its own and obeys a [`Client`]: power loss
//! ([`nemesis::disk::Loss`]), lying, slow, hanging and failing syncs, failing, slow reads and writes, a disk that fills up.
//! The folder's content is read in at the start and written out at the end.
//!
//! **Invariants:** every choice of a power loss comes from the seed of the request. Counters count what a program was told.
//! [`mount`] is for whoever may mount:
//! the one who serves is handed the descriptor. Deliberately absent: any idea of what is stored.

mod control;
mod copy;
mod gate;
mod later;
mod loss;
pub mod mount;
mod node;
mod pages;
mod server;
mod tree;

pub use control::{Client, ClientError, Order, Start, Told, serve};
pub use node::{Ino, Kind, Meta, ROOT};
pub use pages::Pages;
pub use tree::{How, NameRule, Tree};
