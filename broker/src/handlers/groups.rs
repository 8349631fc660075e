//! What the APIs of consumer groups have in common.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;

use crate::broker::Broker;
use crate::metadata::ClusterImage;

/// Longest name of a group: the log keeps its length in 16 bits.
const NAME_BYTES_MAX: usize = i16::MAX as usize;

/// A group's name, for what members ask: it must not be empty.
///
/// # Errors
/// INVALID_GROUP_ID
pub fn member_group(name: &StrBytes) -> Result<&str, ResponseError> {
    any_group(name).and_then(|name| if name.is_empty() { Err(ResponseError::InvalidGroupId) } else { Ok(name) })
}

/// A group's name, for positions and tools: consumers without a group use the empty one.
///
/// # Errors
/// INVALID_GROUP_ID
pub fn any_group(name: &StrBytes) -> Result<&str, ResponseError> {
    if name.len() <= NAME_BYTES_MAX { Ok(name) } else { Err(ResponseError::InvalidGroupId) }
}

/// The number of an outcome on the wire.
pub fn code<T>(outcome: &Result<T, ResponseError>) -> i16 {
    outcome.as_ref().err().map_or(0, ResponseError::code)
}

/// What a position must be to be stored, whoever stores it.
pub struct PositionCheck {
    image: Arc<ClusterImage>,
    metadata_bytes_max: usize,
}

impl PositionCheck {
    /// By what this broker knows and was told.
    pub fn of(broker: &Broker) -> PositionCheck {
        let metadata_bytes_max = broker.config.values().number("offset.metadata.max.bytes") as usize;
        PositionCheck { image: broker.image(), metadata_bytes_max }
    }

    /// Why this position is not stored.
    pub fn refusal(&self, topic: &str, index: i32, metadata: Option<&StrBytes>) -> Option<ResponseError> {
        if self.image.partition(topic, index).is_none() {
            return Some(ResponseError::UnknownTopicOrPartition);
        }
        let bytes = metadata.map_or(0, |text| text.len());
        (bytes > self.metadata_bytes_max).then_some(ResponseError::OffsetMetadataTooLarge)
    }
}
