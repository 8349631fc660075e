//! What can go wrong between a request and its reply.

use kafka_protocol::ResponseError;
use rdkafka::types::RDKafkaErrorCode;
use std::io;

/// Why a request has no useful reply.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The connection could not be made or broke. Whether the request arrived is not known.
    #[error("{address}: {source}")]
    Io {
        /// Whom it was with.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// No reply by the deadline. Whether the request arrived is not known.
    #[error("{address}: no answer in time to {what}")]
    Timeout {
        /// Who did not answer.
        address: String,
        /// What was asked.
        what: &'static str,
    },
    /// The reply is not one.
    #[error("{address}: {what}")]
    Protocol {
        /// Who sent it.
        address: String,
        /// What is wrong with it.
        what: String,
    },
    /// The broker says no.
    #[error("{what}: {error:?}{}", .message.as_deref().map(|m| format!(" ({m})")).unwrap_or_default())]
    Broker {
        /// What was asked.
        what: &'static str,
        /// Its answer.
        error: ResponseError,
        /// Its explanation, if it gave one.
        message: Option<String>,
    },
    /// No version of this request is spoken by both sides.
    #[error("{address}: speaks no version of {what} that we speak")]
    Unsupported {
        /// Who.
        address: String,
        /// The request.
        what: &'static str,
    },
    /// Nobody leads the partition, or it does not exist, as far as any broker that answers knows.
    #[error("no leader known for {topic}-{partition}")]
    NoLeader {
        /// Its topic.
        topic: String,
        /// The partition.
        partition: i32,
    },
}

impl WireError {
    /// `Ok` for code 0, the broker's refusal otherwise.
    pub fn check(what: &'static str, code: i16) -> Result<(), WireError> {
        WireError::check_with(what, code, None)
    }

    /// As [`WireError::check`], with the broker's explanation.
    pub fn check_with(what: &'static str, code: i16, message: Option<&str>) -> Result<(), WireError> {
        match ResponseError::try_from_code(code) {
            None => Ok(()),
            Some(error) => Err(WireError::Broker { what, error, message: message.map(str::to_owned) }),
        }
    }

    /// The broker's answer, if there was one.
    pub fn broker(&self) -> Option<ResponseError> {
        match self {
            WireError::Broker { error, .. } => Some(*error),
            _ => None,
        }
    }

    /// The code under which a journal keeps it: Kafka's where a broker answered, librdkafka's for the same thing otherwise.
    pub fn code(&self) -> i16 {
        let local = match self {
            WireError::Broker { error, .. } => return error.code(),
            WireError::Io { .. } => RDKafkaErrorCode::BrokerTransportFailure,
            WireError::Timeout { .. } => RDKafkaErrorCode::OperationTimedOut,
            WireError::Protocol { .. } => RDKafkaErrorCode::BadMessage,
            WireError::Unsupported { .. } => RDKafkaErrorCode::UnsupportedFeature,
            WireError::NoLeader { .. } => RDKafkaErrorCode::LeaderNotAvailable,
        };
        local as i32 as i16
    }

    /// A short name, for counting.
    pub fn name(&self) -> String {
        match self {
            WireError::Broker { error, .. } => format!("{error:?}"),
            WireError::Io { .. } => "connection".into(),
            WireError::Timeout { .. } => "timeout".into(),
            WireError::Protocol { .. } => "protocol".into(),
            WireError::Unsupported { .. } => "unsupported".into(),
            WireError::NoLeader { .. } => "no leader".into(),
        }
    }

    /// True if the offset asked for lies outside the log.
    pub fn is_out_of_range(&self) -> bool {
        self.broker() == Some(ResponseError::OffsetOutOfRange)
    }

    /// True if the coordinator refused whoever asked: nothing was stored for it.
    pub fn is_about_the_member(&self) -> bool {
        use ResponseError::{
            FencedInstanceId, GroupIdNotFound, IllegalGeneration, RebalanceInProgress, UnknownMemberId,
        };
        let no = [FencedInstanceId, GroupIdNotFound, IllegalGeneration, RebalanceInProgress, UnknownMemberId];
        self.broker().is_some_and(|error| no.contains(&error))
    }

    /// True if asking again, perhaps somebody else, may help.
    pub fn may_pass(&self) -> bool {
        match self {
            WireError::Io { .. } | WireError::Timeout { .. } | WireError::NoLeader { .. } => true,
            WireError::Broker { error, .. } => error.is_retriable(),
            WireError::Protocol { .. } | WireError::Unsupported { .. } => false,
        }
    }
}
