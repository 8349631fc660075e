//! The client library an application uses, by name.
//!
//! **Invariant:** a library that is not there is said to be missing, with the reason, before anything starts; a run never
//! falls back to another one.

use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// A client library.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Library {
    /// librdkafka, linked in.
    #[default]
    Librdkafka,
    /// Our own wire client: one request at a time, nothing repeated that the application does not repeat.
    Wire,
}

impl Library {
    /// All of them.
    pub const ALL: [Library; 2] = [Library::Librdkafka, Library::Wire];

    /// As typed.
    pub fn name(self) -> &'static str {
        match self {
            Library::Librdkafka => "librdkafka",
            Library::Wire => "wire",
        }
    }

    /// Why it cannot be used on this machine, if it cannot.
    pub fn missing(self) -> Option<String> {
        match self {
            Library::Librdkafka | Library::Wire => None,
        }
    }
}

impl FromStr for Library {
    type Err = String;

    fn from_str(name: &str) -> Result<Library, String> {
        Library::ALL.into_iter().find(|l| l.name() == name).ok_or_else(|| format!("there is no client `{name}`"))
    }
}
