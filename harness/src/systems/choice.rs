//! The system under test as typed after `--broker`, as meant.

use super::Capability;
use crate::suggest;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The system under test.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SystemChoice {
    /// The broker inside this program.
    Embedded,
    /// tansu, by the path of its program.
    Tansu(PathBuf),
    /// Any program: see [`crate::systems::command`].
    Command {
        /// Its command line with places to fill in.
        template: String,
        /// What its user says it has.
        has: Vec<Capability>,
    },
    /// A cluster that somebody else runs.
    Existing {
        /// `host:port` of some of its brokers.
        bootstrap: Vec<String>,
        /// Its cluster id, repeated by its owner.
        owned: Option<String>,
    },
}

/// The forms that [`SystemChoice`] is written in.
pub const FORMS: [(&str, &str); 3] = [
    ("embedded", "the broker inside this program"),
    ("tansu=BIN", "tansu with its memory engine: one node, nothing survives its process"),
    ("cmd='PROGRAM … {id} {port} {dir} …'", "any program that speaks the protocol, one process a node"),
];

impl FromStr for SystemChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<SystemChoice, String> {
        match text.split_once('=').map_or((text, None), |(name, rest)| (name, Some(rest.trim()))) {
            ("embedded", None) => Ok(SystemChoice::Embedded),
            ("tansu", Some(rest)) if !rest.is_empty() => Ok(SystemChoice::Tansu(rest.into())),
            ("cmd", Some(rest)) if !rest.is_empty() => {
                Ok(SystemChoice::Command { template: rest.into(), has: Vec::new() })
            }
            (name @ ("tansu" | "cmd"), _) => {
                let form = FORMS.iter().find(|(form, _)| form.starts_with(name)).map_or("", |f| f.0);
                Err(format!("`{text}` does not say which; write `{form}`"))
            }
            (name, _) => {
                let known = ["embedded", "tansu", "cmd"];
                Err(suggest::unknown("system", name, known.into_iter(), Some("list brokers")))
            }
        }
    }
}

impl fmt::Display for SystemChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SystemChoice::Embedded => f.write_str("embedded"),
            SystemChoice::Tansu(program) => write!(f, "tansu={}", program.display()),
            SystemChoice::Command { template, .. } => write!(f, "cmd={template}"),
            SystemChoice::Existing { bootstrap, .. } => write!(f, "the cluster at {}", bootstrap.join(",")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_printed_again() {
        for text in ["embedded", "tansu=/usr/bin/tansu", "cmd=run --port {port} a=b"] {
            assert_eq!(text.parse::<SystemChoice>().map(|choice| choice.to_string()).as_deref(), Ok(text));
        }
    }

    #[test]
    fn a_typo_gets_the_nearest_system_and_a_half_the_whole_form() {
        let error = |text: &str| text.parse::<SystemChoice>().unwrap_err();
        assert!(error("embeded").contains("did you mean `embedded`"), "{}", error("embeded"));
        assert!(error("cmd").contains("{port}") && error("tansu=").contains("tansu=BIN"));
    }
}
