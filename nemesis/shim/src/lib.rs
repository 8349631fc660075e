//! A library preloaded into a process under test, and the handle that makes its disk and wall clock go wrong while it runs.
//!
//! The library itself is `preload/`: it is built by this crate's build script and carried inside the program. Harness and process share
//! one page; what is written there is in force at once. [`audit`] says of a program whether the library reaches it at all.
//!
//! **Invariants:** a page that was never changed changes nothing. Counters are counted by the process itself. Deliberately absent:
//! power loss (a library cannot see every write; a file system can), and starting anything.

pub mod audit;
mod page;
mod preload;

pub use audit::{Coverage, audit};
pub use preload::{Preload, PreloadError};

/// The library, as a file's content.
pub const LIBRARY: &[u8] = include_bytes!(env!("SHIM_LIBRARY"));
