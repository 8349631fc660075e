//! A group's positions, asked of its coordinator.

use super::cluster::Cluster;
use super::connection::Connection;
use super::data::topic_name;
use super::error::WireError;
use super::producer_id::CoordinatorOf;
use crate::clock::{self, Deadline};
use history::Offset;
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::{GroupId, OffsetFetchRequest};
use kafka_protocol::protocol::StrBytes;

const BETWEEN_ATTEMPTS_MS: u64 = 50;

impl Connection {
    /// The position a group has stored for a partition, −1 if none; positions of transactions still open are waited for
    /// where the broker can (KIP-447).
    pub fn committed(
        &mut self,
        group: &str,
        topic: &str,
        partition: i32,
        deadline: Deadline,
    ) -> Result<Offset, WireError> {
        let asked =
            OffsetFetchRequestTopic::default().with_name(topic_name(topic)).with_partition_indexes(vec![partition]);
        let stable = self.version::<OffsetFetchRequest>()? >= 7;
        let request = OffsetFetchRequest::default()
            .with_group_id(GroupId(StrBytes::from_string(group.to_owned())))
            .with_topics(Some(vec![asked]))
            .with_require_stable(stable);
        let answer = self.call(&request, deadline)?;
        WireError::check("OffsetFetch", answer.error_code)?;
        let told = answer.topics.iter().flat_map(|t| &t.partitions).find(|p| p.partition_index == partition);
        let told = told.ok_or_else(|| self.protocol(format!("no answer about {topic}-{partition}")))?;
        WireError::check("OffsetFetch", told.error_code)?;
        Ok(Offset(told.committed_offset))
    }
}

impl Cluster {
    /// As [`Connection::committed`], from whoever coordinates the group by then.
    pub fn committed(
        &mut self,
        group: &str,
        topic: &str,
        partition: i32,
        deadline: Deadline,
    ) -> Result<Offset, WireError> {
        loop {
            let coordinator = self.anybody(deadline, |c, d| c.find_coordinator(CoordinatorOf::Group, group, d));
            let attempt = match coordinator {
                Ok((_, address)) => {
                    let ask = |c: &mut Connection, d| c.committed(group, topic, partition, d);
                    self.at(&address, deadline, ask)
                }
                Err(error) => Err(error),
            };
            match attempt {
                Err(error) if error.may_pass() && clock::between_attempts(BETWEEN_ATTEMPTS_MS, deadline) => {}
                other => return other,
            }
        }
    }
}
