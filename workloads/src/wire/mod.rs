//! Our own Kafka client: blocking, one request at a time, each with a deadline.
//!
//! For what librdkafka cannot speak: true fetch windows with the answer's high watermark, single-shot requests whose error
//! is the broker's only one, and the administration of a run. **Invariants:** no call outlives its deadline; memory grows with
//! the bytes that arrive, up to [`FRAME_BYTES_MAX`] a frame, and records are never allocated by what a batch claims; a
//! [`Connection`] sends a request once; [`Cluster`] repeats only what may be repeated, and says so.
//!
//! Deliberately absent: TLS, SASL, groups, pipelining, and defence against an answer whose array lengths lie (the codec
//! believes them; a broker that sends such a thing has other troubles).

pub mod admin;
pub mod cluster;
pub mod connection;
pub mod data;
pub mod error;
pub mod groups;
pub mod offsets;
pub mod producer_id;
pub mod records;
pub mod transactions;
pub mod versions;

pub use admin::{ClusterView, ConfigOf, ConfigValue, NewTopic, PartitionView, TopicView};
pub use cluster::Cluster;
pub use connection::Connection;
pub use data::{Append, Appended, Fetched, Isolation, Window};
pub use error::WireError;
pub use groups::Claimant;
pub use offsets::OffsetAt;
pub use records::{Batch, BatchBody, Producer};
pub use transactions::Transactional;

/// Largest frame read.
pub const FRAME_BYTES_MAX: usize = 64 << 20;
