//! The archive of loaded classes (AppCDS): written once by a node that starts and ends, read by every JVM after it.
//!
//! It belongs to one Java and one set of jars; a JVM that cannot use it starts without, only later.

use super::cache::{Home, no_start};
use super::format;
use super::java::{BROKER, Java};
use super::properties::{self, Identity};
use crate::commands::Failure;
use crate::guard::Signal;
use crate::run::{Processes, last_lines};
use crate::systems::{Launch, NodeRole};
use crate::{ports, terminal, wait};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const START_DEADLINE: Duration = Duration::from_secs(180);
const END_DEADLINE: Duration = Duration::from_secs(180);

/// Where it lies.
pub fn path(home: &Home, java: &Java) -> PathBuf {
    home.folder.join(format!("classes-{}.jsa", java.version))
}

/// The flags that make a JVM use it.
pub fn flags(home: &Home, java: &Java) -> Vec<String> {
    vec![format!("-XX:SharedArchiveFile={}", path(home, java).display())]
}

/// Writes it, if it is not there: one node that is broker and controller starts, answers and ends.
pub fn bring(home: &Home, java: &Java, processes: &mut Processes) -> Result<(), Failure> {
    let to = path(home, java);
    if to.is_file() {
        return Ok(());
    }
    terminal::progress("archiving the release's classes for quicker starts, once");
    let work = tempfile::tempdir_in(&home.folder).map_err(Failure::internal)?;
    let (archive, output) = (work.path().join("classes.jsa"), work.path().join("node.log"));
    let config = node(home, work.path()).map_err(Failure::internal)?;
    let mut extra = vec![format!("-XX:ArchiveClassesAtExit={}", archive.display())];
    extra.extend(properties::logging(home).map_err(Failure::internal)?);
    let argv = java.argv(home, BROKER, &extra, &["kafka.Kafka".to_owned(), config]);
    let life = processes.spawn(&argv, &Launch::default(), &output).map_err(Failure::internal)?;
    let started = wait::until(START_DEADLINE, || {
        let says = fs::read_to_string(&output).is_ok_and(|text| text.contains("Kafka Server started"));
        (says || processes.ended(life.child).is_some()).then_some(says)
    });
    if started != Some(true) {
        let _ = processes.signal(life.child, Signal::Kill);
        return Err(no_start(format!("Kafka did not start{}", last_lines(&output))));
    }
    processes.signal(life.child, Signal::Terminate).map_err(Failure::internal)?;
    if processes.wait_ended(life.child, END_DEADLINE).is_none() {
        let _ = processes.signal(life.child, Signal::Kill);
    }
    // Without an archive nodes start later and run as well.
    let _ = fs::rename(archive, to);
    Ok(())
}

fn node(home: &Home, work: &Path) -> std::io::Result<String> {
    let data = work.join("data");
    format::node(home, &BTreeMap::new(), &data, (&format::new_id(), 1))?;
    let seats = ports::seats(2, None, false).ok_or_else(|| std::io::Error::other("there are no ports"))?;
    let identity = Identity { id: 1, role: NodeRole::Broker, seat: seats[0], controller: Some(seats[1]) };
    let text = properties::node(&identity, &format!("1@{}", seats[1].listens), &data, 1);
    let config = work.join("node.properties");
    fs::write(&config, text)?;
    Ok(config.to_string_lossy().into_owned())
}
