//! The cluster's metadata: what it is, how it changes, how it is agreed upon and followed.
//!
//! ```text
//! record ──apply──> image          pure: a batch of records onto a cluster image
//! raft   ──implements──> quorum    a replicated, durable log of proposals; its state machine is the image
//! client ──rpc/wire──> controller  how a broker registers, follows and asks
//! history                          the committed log of a run, read from the folder it left behind
//! ```
//!
//! **Invariant:** deciding lives in [`crate::controller`]; nothing here chooses a leader.

pub mod apply;
pub mod client;
pub mod connection;
pub mod error;
pub mod event;
pub mod history;
pub mod ids;
pub mod image;
pub mod quorum;
pub mod raft;
pub mod record;
pub mod rpc;
pub mod stamp;
pub mod wire;

pub use client::{Applies, ClientConfig, ControllerClient, Standing};
pub use error::ControllerError;
pub use ids::{BrokerEpoch, BrokerId, ControllerId, Incarnation, LeaderEpoch, PartitionEpoch, TopicId, Version};
pub use image::{BrokerImage, ClusterImage, Configs, PartitionImage, TopicImage};
