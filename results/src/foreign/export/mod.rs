//! Histories of ours in the formats of others. One file a format; JSON Lines are [`super::jsonl::write`].

pub mod edn;
