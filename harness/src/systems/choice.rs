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
    /// Apache Kafka.
    Kafka(KafkaSource),
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

/// Where Kafka's jars come from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KafkaSource {
    /// A release, e.g. `4.1.0`, from the cache; fetched if it is not there.
    Release(String),
    /// An unpacked distribution, or a folder of jars.
    Folder(PathBuf),
}

/// The forms that [`SystemChoice`] is written in.
pub const FORMS: [(&str, &str); 4] = [
    ("embedded", "the broker inside this program"),
    ("kafka=VERSION|DIR", "Apache Kafka: a release (fetched if it is not cached) or an unpacked distribution"),
    ("tansu=BIN", "tansu with its memory engine: one node, nothing survives its process"),
    ("cmd='PROGRAM … {id} {port} {dir} …'", "any program that speaks the protocol, one process a node"),
];

impl FromStr for SystemChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<SystemChoice, String> {
        match text.split_once('=').map_or((text, None), |(name, rest)| (name, Some(rest.trim()))) {
            ("embedded", None) => Ok(SystemChoice::Embedded),
            ("kafka", Some(rest)) if is_half_a_release(rest) => {
                Err(format!("`{text}`: a release is written in full, e.g. kafka={rest}.0"))
            }
            ("kafka", Some(rest)) if !rest.is_empty() => Ok(SystemChoice::Kafka(kafka(rest))),
            ("tansu", Some(rest)) if !rest.is_empty() => Ok(SystemChoice::Tansu(rest.into())),
            ("cmd", Some(rest)) if !rest.is_empty() => {
                Ok(SystemChoice::Command { template: rest.into(), has: Vec::new() })
            }
            (name @ ("kafka" | "tansu" | "cmd"), _) => {
                let form = FORMS.iter().find(|(form, _)| form.starts_with(name)).map_or("", |f| f.0);
                Err(format!("`{text}` does not say which; write `{form}`"))
            }
            (name, _) => {
                let known = ["embedded", "kafka", "tansu", "cmd"];
                Err(suggest::unknown("system", name, known.into_iter(), Some("list brokers")))
            }
        }
    }
}

fn kafka(text: &str) -> KafkaSource {
    match is_release(text) {
        true => KafkaSource::Release(text.to_owned()),
        false => KafkaSource::Folder(text.into()),
    }
}

/// True for `4.1.0`, `3.9.1-rc2`: what can be the name of a release and is no path.
pub fn is_release(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    text.starts_with(|c: char| c.is_ascii_digit()) && text.contains('.') && text.chars().all(plain)
}

/// True for `4.1`.
pub fn is_half_a_release(text: &str) -> bool {
    is_release(text) && text.split('.').count() == 2
}

impl fmt::Display for SystemChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SystemChoice::Embedded => f.write_str("embedded"),
            SystemChoice::Kafka(KafkaSource::Release(version)) => write!(f, "kafka={version}"),
            SystemChoice::Kafka(KafkaSource::Folder(folder)) => write!(f, "kafka={}", folder.display()),
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
    fn a_release_is_told_from_a_folder() {
        let release = |text: &str| matches!(text.parse(), Ok(SystemChoice::Kafka(KafkaSource::Release(_))));
        assert!(["kafka=4.1.0", "kafka=3.9.1-rc2"].iter().all(|text| release(text)));
        assert!(["kafka=/opt/kafka-4.1.0", "kafka=kafka", "kafka=./4.1.0"].iter().all(|text| !release(text)));
    }

    #[test]
    fn what_is_typed_is_printed_again() {
        for text in ["embedded", "kafka=4.1.0", "kafka=/opt/k", "tansu=/usr/bin/tansu", "cmd=run --port {port} a=b"] {
            assert_eq!(text.parse::<SystemChoice>().map(|choice| choice.to_string()).as_deref(), Ok(text));
        }
    }

    #[test]
    fn a_typo_gets_the_nearest_system_and_a_half_the_whole_form() {
        let error = |text: &str| text.parse::<SystemChoice>().unwrap_err();
        assert!(error("kafak=4.1.0").contains("did you mean `kafka`"), "{}", error("kafak=4.1.0"));
        assert!(error("kafka=4.1").contains("kafka=4.1.0"), "{}", error("kafka=4.1"));
        assert!(error("kafka").contains("kafka=VERSION|DIR") && error("tansu=").contains("tansu=BIN"));
    }
}
