//! The end of a node by a failure it must not survive: a log folder that cannot be read, written or synced.
//!
//! After a failed fsync nobody knows what is on disk (the kernel may have dropped the pages), so the node stops at once
//! and is judged by what its log holds when it comes back. Library code does not end the process: it tells the one who
//! runs the node, and the first reason stands.

use std::sync::Arc;

use tokio::sync::watch;

/// Told of the failure that ends the node.
#[derive(Clone, Debug)]
pub struct Halt(Arc<watch::Sender<Option<String>>>);

impl Default for Halt {
    fn default() -> Self {
        Halt(Arc::new(watch::Sender::new(None)))
    }
}

impl Halt {
    /// The node is to end because of this.
    pub fn because(&self, error: &impl std::fmt::Display) {
        self.0.send_if_modified(|reason| {
            let first = reason.is_none();
            reason.get_or_insert_with(|| error.to_string());
            first
        });
    }

    /// Waits for a reason.
    pub async fn reason(&self) -> String {
        let mut told = self.0.subscribe();
        let reason = told.wait_for(Option::is_some).await;
        reason.ok().and_then(|reason| reason.clone()).unwrap_or_default()
    }
}
