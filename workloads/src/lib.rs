//! What clients do: the client process and its roles, the journal they keep, our own wire client, the final read of every
//! log, and the workloads made of them.
//!
//! Arrows: this crate knows `history` and the claims of `checker`; it knows no broker process, no fault and no run folder.
//! It maps topic-partitions to logs; a history never sees a topic.

pub mod admin;
pub mod bank;
pub mod client;
pub mod clock;
pub mod compacted;
pub mod consume_transform_produce;
pub mod drain;
pub mod errors;
pub mod finals;
pub mod group;
pub mod journal;
pub mod library;
pub mod list_offsets;
pub mod measure;
pub mod ordered_keys;
pub mod properties;
pub mod queue;
pub mod sink;
pub mod sink_load;
pub mod spec;
pub mod transactions;
pub mod wire;
pub mod workload;

/// The version of the librdkafka that is linked.
pub fn librdkafka_version() -> String {
    rdkafka::util::get_rdkafka_version().1
}
