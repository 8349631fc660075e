//! Formatting: what `StorageTool format` writes into a node's folder.
//!
//! The tool is a JVM and takes seconds. What it writes depends on the release and the feature levels alone, except for the
//! identities in `meta.properties`: so it is run once for each choice of features, and every node's folder is a copy with
//! identities of its own.

use super::cache::{self, Home};
use super::java::{Java, SMALL};
use crate::commands::Failure;
use crate::run::Processes;
use crate::scenario::Scenario;
use crate::settings::Owner;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(180);
const META: &str = "meta.properties";
const ID_BYTES: usize = 16;

/// The folder of what formatting writes with the scenario's features.
fn template(home: &Home, features: &BTreeMap<String, String>) -> PathBuf {
    let levels: String = features.iter().map(|(name, level)| format!("-{name}-{level}")).collect();
    home.folder.join(format!("formatted{levels}"))
}

/// Runs the release's own tool, once for each choice of features.
pub fn bring(home: &Home, java: &Java, scenario: &Scenario, processes: &mut Processes) -> Result<(), Failure> {
    let features = home.release().known(scenario.settings.values(Owner::Feature));
    let to = template(home, &features);
    if to.is_dir() {
        return Ok(());
    }
    let work = tempfile::tempdir_in(&home.folder).map_err(Failure::internal)?;
    let (data, config) = (work.path().join("data"), work.path().join("node.properties"));
    fs::create_dir(&data).and_then(|()| fs::write(&config, scratch(&data))).map_err(Failure::internal)?;
    let mut main = vec!["kafka.tools.StorageTool".to_owned(), "format".into(), "-t".into(), new_id(), "-c".into()];
    main.push(config.to_string_lossy().into_owned());
    main.extend(features.iter().filter(|(name, _)| *name != "metadata.version").flat_map(feature));
    if let Some(level) = features.get("metadata.version") {
        main.extend(["--release-version".to_owned(), level.clone()]);
    }
    cache::run(&java.argv(home, SMALL, &[], &main), &work.path().join("format.log"), DEADLINE, processes)?;
    fs::remove_file(data.join(META)).and_then(|()| fs::rename(&data, &to)).map_err(Failure::internal)
}

fn feature((name, level): (&String, &String)) -> [String; 2] {
    ["--feature".to_owned(), format!("{name}={level}")]
}

/// Any configuration with a static quorum will do: none of it is in what is written.
fn scratch(data: &Path) -> String {
    format!(
        "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:1\n\
         listeners=PLAINTEXT://127.0.0.1:2,CONTROLLER://127.0.0.1:1\ncontroller.listener.names=CONTROLLER\n\
         listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\nlog.dirs={}\n",
        data.display(),
    )
}

/// Fills a node's folder.
pub fn node(
    home: &Home,
    features: &BTreeMap<String, String>,
    data: &Path,
    (cluster_id, id): (&str, i32),
) -> io::Result<()> {
    copy(&template(home, &home.release().known(features.clone())), data)?;
    let meta = format!("version=1\ncluster.id={cluster_id}\nnode.id={id}\ndirectory.id={}\n", new_id());
    fs::write(data.join(META), meta)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let (path, to) = (
            entry.as_ref().map(fs::DirEntry::path),
            to.join(entry.as_ref().map_or_else(|_| "".into(), fs::DirEntry::file_name)),
        );
        let path = path.map_err(|e| io::Error::other(e.to_string()))?;
        match path.is_dir() {
            true => copy(&path, &to)?,
            false => _ = fs::copy(&path, &to)?,
        }
    }
    Ok(())
}

/// A random id as Kafka writes it: 16 bytes in URL-safe base64 without padding, 22 characters.
pub fn new_id() -> String {
    loop {
        let id = base64(&rand::random::<[u8; ID_BYTES]>());
        // A dash at the front would be taken for a flag by Kafka's tools.
        if !id.starts_with('-') {
            return id;
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        let digits = (0..=chunk.len()).map(|i| ALPHABET[(bits >> (18 - 6 * i) & 63) as usize] as char);
        out.extend(digits);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_kafkas_base64() {
        assert_eq!(base64(&[0xFB, 0xEF, 0xFF, 0x01]), "--__AQ");
        assert_eq!(base64(b"Man"), "TWFu");
        let id = new_id();
        assert!(id.len() == 22 && !id.starts_with('-'), "{id}");
    }

    #[test]
    fn a_choice_of_features_has_a_template_of_its_own() {
        let home = Home { folder: "/c".into(), libs: "/c/libs".into(), version: None };
        let elr = BTreeMap::from([("eligible.leader.replicas.version".to_owned(), "1".to_owned())]);
        assert_eq!(template(&home, &BTreeMap::new()), Path::new("/c/formatted"));
        assert_eq!(template(&home, &elr), Path::new("/c/formatted-eligible.leader.replicas.version-1"));
    }
}
