//! Which version of each request is spoken: the highest that the broker offers and this table allows.
//!
//! The table stops below topic ids (Produce 13, Fetch 13) and implicit transactions (Produce 12), as the embedded broker does.

use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::VersionRange;

/// A request and the versions of it that this client's code means.
#[derive(Clone, Copy, Debug)]
pub struct Spoken {
    /// The request.
    pub key: ApiKey,
    /// Its name.
    pub name: &'static str,
    /// Lowest and highest version.
    pub range: VersionRange,
}

const fn spoken(key: ApiKey, name: &'static str, min: i16, max: i16) -> Spoken {
    Spoken { key, name, range: VersionRange { min, max } }
}

/// Every request this client makes.
pub const SPOKEN: &[Spoken] = &[
    spoken(ApiKey::Produce, "Produce", 3, 11),
    spoken(ApiKey::Fetch, "Fetch", 4, 12),
    spoken(ApiKey::ListOffsets, "ListOffsets", 1, 7),
    spoken(ApiKey::Metadata, "Metadata", 4, 12),
    spoken(ApiKey::OffsetCommit, "OffsetCommit", 2, 8),
    spoken(ApiKey::OffsetFetch, "OffsetFetch", 1, 7),
    spoken(ApiKey::FindCoordinator, "FindCoordinator", 1, 3),
    spoken(ApiKey::ApiVersions, "ApiVersions", 0, 3),
    spoken(ApiKey::CreateTopics, "CreateTopics", 2, 7),
    spoken(ApiKey::CreatePartitions, "CreatePartitions", 0, 3),
    spoken(ApiKey::DeleteTopics, "DeleteTopics", 1, 5),
    spoken(ApiKey::DeleteRecords, "DeleteRecords", 0, 2),
    spoken(ApiKey::InitProducerId, "InitProducerId", 0, 4),
    spoken(ApiKey::AddPartitionsToTxn, "AddPartitionsToTxn", 0, 3),
    spoken(ApiKey::EndTxn, "EndTxn", 0, 3),
    spoken(ApiKey::OffsetForLeaderEpoch, "OffsetForLeaderEpoch", 2, 4),
    spoken(ApiKey::DescribeConfigs, "DescribeConfigs", 1, 4),
    spoken(ApiKey::DescribeQuorum, "DescribeQuorum", 0, 1),
    spoken(ApiKey::IncrementalAlterConfigs, "IncrementalAlterConfigs", 0, 1),
    spoken(ApiKey::DescribeCluster, "DescribeCluster", 0, 1),
];

/// The row of a request, by its key.
pub fn of(key: i16) -> Option<&'static Spoken> {
    SPOKEN.iter().find(|s| s.key as i16 == key)
}

/// The version to speak to a broker that offers `theirs`.
pub fn agree(ours: VersionRange, theirs: VersionRange) -> Option<i16> {
    let both = ours.intersect(&theirs);
    (!both.is_empty()).then_some(both.max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_common_version_is_spoken_and_none_where_there_is_none() {
        let range = |min, max| VersionRange { min, max };
        assert_eq!(agree(range(4, 12), range(0, 9)), Some(9));
        assert_eq!(agree(range(4, 12), range(4, 18)), Some(12));
        assert_eq!(agree(range(4, 12), range(13, 18)), None);
    }
}
