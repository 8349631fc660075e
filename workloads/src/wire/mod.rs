//! Our own Kafka client: blocking, one request at a time, each with a deadline.
//!
//! For what librdkafka cannot speak: true fetch windows with the answer's high watermark, single-shot requests whose error
//! is the broker's only one, and the administration of a run. **Invariants:** no call outlives its deadline; no frame, array
//! of records or decompression is trusted beyond [`FRAME_BYTES_MAX`]; a request that changes something is never sent twice
//! by a [`Connection`]; [`Cluster`] repeats only what may be repeated, and says so.
//!
//! Deliberately absent: TLS, SASL, groups, pipelining.

pub mod admin;
pub mod cluster;
pub mod connection;
pub mod data;
pub mod error;
pub mod offsets;
pub mod producer_id;
pub mod records;
pub mod versions;

pub use admin::{ClusterView, ConfigOf, ConfigValue, NewTopic, PartitionView, TopicView};
pub use cluster::Cluster;
pub use connection::Connection;
pub use data::{Append, Appended, Fetched, Isolation, Window};
pub use error::WireError;
pub use offsets::OffsetAt;
pub use records::{Batch, BatchBody, Producer};

/// Largest frame read.
pub const FRAME_BYTES_MAX: usize = 64 << 20;
