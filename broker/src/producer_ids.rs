//! Producer ids, taken from the controller a block at a time (KIP-730).
//!
//! **Invariant:** no id is given out twice, in this process or any other: a block belongs to one broker, and what is left
//! of it is forgotten when the broker stops.

use tokio::sync::Mutex;

use crate::metadata::{ControllerClient, ControllerError};

/// See the module.
#[derive(Debug, Default)]
pub struct ProducerIds {
    left: Mutex<std::ops::Range<i64>>,
}

impl ProducerIds {
    /// The next free id.
    ///
    /// # Errors
    /// The controller's, if a new block is needed and not to be had.
    pub async fn next(&self, controller: &ControllerClient) -> Result<i64, ControllerError> {
        let mut left = self.left.lock().await;
        if let Some(id) = left.next() {
            return Ok(id);
        }
        let block = controller.allocate_producer_ids().await?;
        *left = block.first..block.first + i64::from(block.len);
        left.next().ok_or(ControllerError::Timeout)
    }
}
