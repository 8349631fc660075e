//! Who a folder belongs to, and how it was left: `meta.properties`, `partition.metadata`, `.kafka_cleanshutdown`.
//!
//! **Invariant:** `.kafka_cleanshutdown` exists only while nothing runs on the folder: it is taken away before the
//! logs are opened, and written after the last of them has been closed.

use super::LogError;
use super::checkpoint::{CheckpointError, Problem, malformed, read_text, sync_dir, write_atomic};
use super::index::remove_if_there;
use crate::ids::NodeId;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;
use uuid::Uuid;

/// Who a log folder belongs to.
pub const META_PROPERTIES_FILE: &str = "meta.properties";
/// Which topic a partition's folder belongs to.
pub const PARTITION_METADATA_FILE: &str = "partition.metadata";
/// There only after a clean stop.
pub const CLEAN_SHUTDOWN_FILE: &str = ".kafka_cleanshutdown";

/// The content of `meta.properties`, version 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderIdentity {
    /// `cluster.id`: 22 characters of base64url.
    pub cluster_id: String,
    /// `node.id`.
    pub node_id: NodeId,
    /// `directory.id` (KIP-858); absent in folders of older brokers.
    pub directory_id: Option<Uuid>,
}

impl FolderIdentity {
    /// Reads the file in `dir`; `None` if the folder has no owner yet.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn read(dir: &Path) -> Result<Option<FolderIdentity>, CheckpointError> {
        let path = dir.join(META_PROPERTIES_FILE);
        let Some(text) = read_text(&path)? else { return Ok(None) };
        let properties = java_properties::read(text.as_bytes())
            .map_err(|error| malformed(&path, error.line_number().unwrap_or(1), Problem::Fields("properties")))?;
        FolderIdentity::parse(&properties).map(Some).map_err(|problem| malformed(&path, 1, problem))
    }

    fn parse(properties: &HashMap<String, String>) -> Result<FolderIdentity, Problem> {
        let get = |name| properties.get(name).ok_or(Problem::Missing(name));
        let value = |name, value: &str, expected| Problem::Value { name, value: value.to_owned(), expected };
        let version = get("version")?;
        if version != "1" {
            return Err(value("version", version, "1"));
        }
        let node = get("node.id")?;
        let node_id = node.parse().ok().filter(|id| *id >= 0).map(NodeId);
        let node_id = node_id.ok_or_else(|| value("node.id", node, "a number from 0 on"))?;
        let directory_id = match properties.get("directory.id") {
            None => None,
            Some(id) => Some(parse_id(id).ok_or_else(|| value("directory.id", id, "22 characters of base64url"))?),
        };
        Ok(FolderIdentity { cluster_id: get("cluster.id")?.clone(), node_id, directory_id })
    }

    /// Writes the file into `dir`.
    ///
    /// # Errors
    /// [`LogError::Io`].
    pub fn write(&self, dir: &Path) -> Result<(), LogError> {
        let directory = self.directory_id.map_or(String::new(), |id| format!("directory.id={}\n", format_id(id)));
        let text = format!("version=1\ncluster.id={}\nnode.id={}\n{directory}", self.cluster_id, self.node_id);
        write_atomic(&dir.join(META_PROPERTIES_FILE), text.as_bytes())
    }
}

/// The topic id in a partition's folder; `None` if the file is not there.
///
/// # Errors
/// [`CheckpointError`].
pub fn read_topic_id(dir: &Path) -> Result<Option<Uuid>, CheckpointError> {
    let path = dir.join(PARTITION_METADATA_FILE);
    let Some(text) = read_text(&path)? else { return Ok(None) };
    let mut lines = text.lines();
    let version = lines.next().ok_or_else(|| malformed(&path, 1, Problem::Ends("the version")))?;
    if version != "version: 0" {
        return Err(malformed(&path, 1, Problem::Version(version.to_owned())));
    }
    let line = lines.next().ok_or_else(|| malformed(&path, 2, Problem::Ends("the topic id")))?;
    let id = line.strip_prefix("topic_id: ").and_then(parse_id);
    id.map(Some).ok_or_else(|| malformed(&path, 2, Problem::Fields("topic_id and 22 characters of base64url")))
}

/// Writes the topic id into a partition's folder.
///
/// # Errors
/// [`LogError::Io`].
pub fn write_topic_id(dir: &Path, topic_id: Uuid) -> Result<(), LogError> {
    let text = format!("version: 0\ntopic_id: {}", format_id(topic_id));
    write_atomic(&dir.join(PARTITION_METADATA_FILE), text.as_bytes())
}

/// What a clean stop leaves behind (KIP-966).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CleanShutdown {
    version: i32,
    /// Epoch of the broker that stopped, which proves to the controller that no other came since.
    #[serde(rename = "brokerEpoch")]
    pub broker_epoch: i64,
}

impl CleanShutdown {
    /// By the broker of this epoch.
    #[must_use]
    pub fn of(broker_epoch: i64) -> CleanShutdown {
        CleanShutdown { version: 0, broker_epoch }
    }

    /// Reads the file in `dir`; `None` after an unclean stop. A file that cannot be understood proves nothing, so
    /// the caller takes an error as an unclean stop too.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn read(dir: &Path) -> Result<Option<CleanShutdown>, CheckpointError> {
        let path = dir.join(CLEAN_SHUTDOWN_FILE);
        let Some(text) = read_text(&path)? else { return Ok(None) };
        let content: Result<CleanShutdown, _> = serde_json::from_str(&text);
        let content = content
            .map_err(|error| malformed(&path, error.line().max(1), Problem::Fields("JSON with a broker epoch")))?;
        match content.version {
            0 => Ok(Some(content)),
            version => Err(malformed(&path, 1, Problem::Version(version.to_string()))),
        }
    }

    /// Writes the file into `dir`, where every log has been closed.
    ///
    /// # Errors
    /// [`LogError::Io`].
    pub fn write(&self, dir: &Path) -> Result<(), LogError> {
        let text = format!("{{\"version\":{},\"brokerEpoch\":{}}}", self.version, self.broker_epoch);
        write_atomic(&dir.join(CLEAN_SHUTDOWN_FILE), text.as_bytes())
    }

    /// Takes the file away, before anything in `dir` is opened, and makes that durable.
    ///
    /// # Errors
    /// [`LogError::Io`].
    pub fn take_away(dir: &Path) -> Result<(), LogError> {
        remove_if_there(&dir.join(CLEAN_SHUTDOWN_FILE))?;
        sync_dir(dir)
    }
}

const BASE64_URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const ID_CHARS: u32 = 22;

/// An id as Kafka writes it: 22 characters of base64url without padding.
#[must_use]
pub fn format_id(id: Uuid) -> String {
    let number = id.as_u128();
    let bits = |at: u32| if at == ID_CHARS - 1 { number << 4 } else { number >> (122 - 6 * at) };
    (0..ID_CHARS).map(|at| char::from(BASE64_URL[(bits(at) & 63) as usize])).collect()
}

/// Reads an id as [`format_id`] writes it.
#[must_use]
pub fn parse_id(text: &str) -> Option<Uuid> {
    let text = text.as_bytes();
    if text.len() != ID_CHARS as usize {
        return None;
    }
    let mut number = 0_u128;
    for (at, byte) in text.iter().enumerate() {
        let bits = BASE64_URL.iter().position(|letter| letter == byte)? as u128;
        number = if at + 1 == text.len() { number << 2 | bits >> 4 } else { number << 6 | bits };
    }
    Some(Uuid::from_u128(number)).filter(|id| format_id(*id).as_bytes() == text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::tempdir;

    #[test]
    fn ids_are_written_as_kafka_writes_them() {
        let table = [
            ("00000000-0000-0000-0000-000000000000", "AAAAAAAAAAAAAAAAAAAAAA"),
            ("00000000-0000-0000-0000-000000000001", "AAAAAAAAAAAAAAAAAAAAAQ"),
            ("ffffffff-ffff-ffff-ffff-ffffffffffff", "_____________________w"),
            ("12345678-9abc-def0-1234-56789abcdef0", "EjRWeJq83vASNFZ4mrze8A"),
        ];
        for (id, text) in table {
            let id: Uuid = id.parse().unwrap();
            assert_eq!((format_id(id).as_str(), parse_id(text)), (text, Some(id)));
        }
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in
            ["", "AAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAA=", "AAAAAAAAAAAAAAAAAAAAAB"]
        {
            assert_eq!(parse_id(text), None, "{text}");
        }
    }

    #[test]
    fn the_owner_of_a_folder_is_read_back() {
        let dir = tempdir().unwrap();
        assert_eq!(FolderIdentity::read(dir.path()).unwrap(), None);
        let owner = FolderIdentity {
            cluster_id: "MkU3OEVBNTcwNTJENDM2Qg".to_owned(),
            node_id: NodeId(7),
            directory_id: Some(Uuid::from_u128(99)),
        };
        owner.write(dir.path()).unwrap();
        assert_eq!(FolderIdentity::read(dir.path()).unwrap(), Some(owner));
    }

    #[test]
    fn an_owner_that_cannot_be_read_is_named() {
        let table = [
            ("", ":1: version is missing"),
            ("version=2\n", ":1: version: \"2\" is not 1"),
            ("version=1\nnode.id=-3\n", ":1: node.id: \"-3\" is not a number from 0 on"),
            ("version=1\nnode.id=3\n", ":1: cluster.id is missing"),
            ("version=1\nnode.id=3\ncluster.id=x\ndirectory.id=y\n", "directory.id: \"y\" is not 22 characters"),
            ("version=1\nnode.id=\\uZZZZ\n", ":2: expected properties"),
        ];
        let dir = tempdir().unwrap();
        for (text, expected) in table {
            std::fs::write(dir.path().join(META_PROPERTIES_FILE), text).unwrap();
            let error = FolderIdentity::read(dir.path()).unwrap_err().to_string();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_topic_id_is_read_back_and_a_damaged_one_named() {
        let dir = tempdir().unwrap();
        assert_eq!(read_topic_id(dir.path()).unwrap(), None);
        write_topic_id(dir.path(), Uuid::from_u128(5)).unwrap();
        assert_eq!(read_topic_id(dir.path()).unwrap(), Some(Uuid::from_u128(5)));
        for (text, expected) in [
            ("", ":1: the file ends where the version should be"),
            ("version: 1\n", ":1: version \"version: 1\""),
            ("version: 0\n", ":2: the file ends where the topic id should be"),
            ("version: 0\ntopic_id: short\n", ":2: expected topic_id"),
        ] {
            std::fs::write(dir.path().join(PARTITION_METADATA_FILE), text).unwrap();
            let error = read_topic_id(dir.path()).unwrap_err().to_string();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_clean_stop_is_known_by_its_file_and_no_other() {
        let dir = tempdir().unwrap();
        assert_eq!(CleanShutdown::read(dir.path()).unwrap(), None);
        CleanShutdown::of(42).write(dir.path()).unwrap();
        assert_eq!(CleanShutdown::read(dir.path()).unwrap(), Some(CleanShutdown::of(42)));
        CleanShutdown::take_away(dir.path()).unwrap();
        assert_eq!(CleanShutdown::read(dir.path()).unwrap(), None);
        for text in ["", "{}", "{\"version\":1,\"brokerEpoch\":3}", "\u{0}\u{0}"] {
            std::fs::write(dir.path().join(CLEAN_SHUTDOWN_FILE), text).unwrap();
            assert!(CleanShutdown::read(dir.path()).is_err(), "{text:?}");
        }
    }
}
