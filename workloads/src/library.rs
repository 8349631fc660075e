//! The client library an application uses, by name.
//!
//! **Invariant:** a library that is not there is said to be missing, with the reason, before anything starts; a run never
//! falls back to another one.

use crate::client::applications::{self, Applications};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// A client library.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Library {
    /// librdkafka, linked in.
    #[default]
    Librdkafka,
    /// Apache Kafka's own Java client, in a JVM.
    Java,
    /// Our own wire client: one request at a time, nothing repeated that the application does not repeat.
    Wire,
}

impl Library {
    /// All of them.
    pub const ALL: [Library; 3] = [Library::Librdkafka, Library::Java, Library::Wire];

    /// As typed.
    pub fn name(self) -> &'static str {
        match self {
            Library::Librdkafka => "librdkafka",
            Library::Java => "java",
            Library::Wire => "wire",
        }
    }

    /// What applications on it can do.
    pub fn applications(self) -> &'static dyn Applications {
        match self {
            Library::Librdkafka => &applications::Librdkafka,
            Library::Java => &applications::Java,
            Library::Wire => &applications::Wire,
        }
    }
}

impl FromStr for Library {
    type Err = String;

    fn from_str(name: &str) -> Result<Library, String> {
        Library::ALL.into_iter().find(|l| l.name() == name).ok_or_else(|| format!("there is no client `{name}`"))
    }
}
