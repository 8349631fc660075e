//! Producer ids and coordinators.

use super::connection::Connection;
use super::error::WireError;
use crate::clock::Deadline;
use history::NodeId;
use kafka_protocol::messages::{FindCoordinatorRequest, InitProducerIdRequest};
use kafka_protocol::protocol::StrBytes;

/// Whose coordinator is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i8)]
pub enum CoordinatorOf {
    /// A consumer group's.
    Group = 0,
    /// A transactional id's.
    Transaction = 1,
}

impl Connection {
    /// A new producer id and epoch, for an idempotent producer without transactions.
    pub fn init_producer_id(&mut self, deadline: Deadline) -> Result<(i64, i16), WireError> {
        let request = InitProducerIdRequest::default().with_transactional_id(None).with_transaction_timeout_ms(60_000);
        let answer = self.call(&request, deadline)?;
        WireError::check("InitProducerId", answer.error_code)?;
        Ok((answer.producer_id.0, answer.producer_epoch))
    }

    /// The broker that coordinates a group or a transactional id.
    pub fn find_coordinator(
        &mut self,
        of: CoordinatorOf,
        key: &str,
        deadline: Deadline,
    ) -> Result<(NodeId, String), WireError> {
        let request =
            FindCoordinatorRequest::default().with_key(StrBytes::from_string(key.to_owned())).with_key_type(of as i8);
        let answer = self.call(&request, deadline)?;
        WireError::check_with("FindCoordinator", answer.error_code, answer.error_message.as_deref())?;
        Ok((NodeId(answer.node_id.0), format!("{}:{}", &*answer.host, answer.port)))
    }
}
