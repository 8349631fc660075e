//! From the nodes' folders of a run to its testimony: whatever each of them wrote down, by time.

use super::embedded;
use super::event::{Event, Place, Testimony, What};
use super::server_log;
use crate::file::{FileError, unread};
use crate::kraft;
use crate::wall::Wall;
use history::{LeaderEpoch, LogId, Names, NodeId, Offset};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Longest line looked at; the rest of a longer one is passed over.
const LINE_BYTES_MAX: u64 = 64 << 10;

/// Everything below `brokers` (one folder a node, by id) that concerns the logs of a run.
pub fn gather(brokers: &Path, names: &Names) -> Result<Testimony, FileError> {
    let mut gathered = Gathered { logs: by_name(names), events: Vec::new() };
    let mut metadata: Option<(u64, NodeId, PathBuf)> = None;
    for (node, folder) in nodes(brokers)? {
        gathered.server_log(node, &folder.join("stdout.log"))?;
        gathered.embedded(node, &folder.join("events.jsonl"))?;
        let log = folder.join("data").join(kraft::FOLDER);
        let bytes = bytes_in(&log);
        if bytes > 0 && metadata.as_ref().is_none_or(|(most, ..)| *most < bytes) {
            metadata = Some((bytes, node, log));
        }
    }
    if let Some((_, node, folder)) = metadata {
        gathered.metadata(node, &folder)?;
    }
    Ok(Testimony::of(gathered.events))
}

fn by_name(names: &Names) -> HashMap<String, LogId> {
    names.logs.iter().enumerate().map(|(n, name)| (name.clone(), LogId(n as u32))).collect()
}

fn nodes(brokers: &Path) -> Result<Vec<(NodeId, PathBuf)>, FileError> {
    let mut nodes = Vec::new();
    for entry in fs::read_dir(brokers).map_err(unread(brokers))? {
        let path = entry.map_err(unread(brokers))?.path();
        let id = path.file_name().and_then(|name| name.to_str()?.parse().ok());
        nodes.extend(id.map(|id| (NodeId(id), path)));
    }
    nodes.sort();
    Ok(nodes)
}

fn bytes_in(folder: &Path) -> u64 {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|metadata| metadata.len()).sum()
}

struct Gathered {
    logs: HashMap<String, LogId>,
    events: Vec<Event>,
}

impl Gathered {
    fn add(&mut self, node: NodeId, partition: Option<&str>, (wall, what): (Wall, What), place: Place) {
        let log = match partition {
            Some(name) => match self.logs.get(name) {
                Some(log) => Some(*log),
                None => return,
            },
            None => None,
        };
        self.events.push(Event { wall, node, log, place, what });
    }

    fn server_log(&mut self, node: NodeId, path: &Path) -> Result<(), FileError> {
        let mut last = Wall(0);
        lines(path, |number, line| {
            last = server_log::time(line).unwrap_or(last);
            if let Some(told) = server_log::parse(line) {
                self.add(node, told.partition, (told.wall, told.what), place(path, number));
            } else if let Some((partition, what)) = server_log::continued(line) {
                self.add(node, Some(partition), (last, what), place(path, number));
            }
        })
    }

    fn embedded(&mut self, node: NodeId, path: &Path) -> Result<(), FileError> {
        let mut leaders: HashMap<String, Option<NodeId>> = HashMap::new();
        lines(path, |number, line| {
            let told = embedded::parse(line, |partition| leaders.get(partition).copied().flatten());
            let Some(told) = told else { return };
            if let What::Decided { leader, .. } = told.what {
                leaders.insert(told.partition.clone(), leader);
            }
            self.add(node, Some(&told.partition), (told.wall, told.what), place(path, number));
        })
    }

    fn metadata(&mut self, node: NodeId, folder: &Path) -> Result<(), FileError> {
        let history = kraft::changes(&kraft::read(folder)?);
        let nodes = |ids: &[i32]| ids.iter().map(|id| NodeId(*id)).collect();
        for led in history.led {
            let what = What::Decided {
                leader: (led.state.leader >= 0).then_some(NodeId(led.state.leader)),
                epoch: LeaderEpoch(led.state.leader_epoch),
                isr: nodes(&led.state.isr),
                elr: nodes(&led.state.elr),
                unclean: led.state.recovery > 0,
            };
            let place = Place { at: Offset(led.place.1).0 as u64, ..place(&folder.join(&led.place.0), 0) };
            let wall = Wall(u64::try_from(led.wall_ms).unwrap_or(0).saturating_mul(1_000_000));
            self.add(node, Some(&led.log), (wall, what), place);
        }
        Ok(())
    }
}

/// The part of a path that begins at the nodes' folder.
fn place(path: &Path, line: u64) -> Place {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let from = parts.iter().rposition(|part| part == "brokers").unwrap_or(0);
    Place { file: parts[from..].join("/"), at: line }
}

/// Calls `each` with every line and its number, from 1. A file that is not there has none.
fn lines(path: &Path, mut each: impl FnMut(u64, &str)) -> Result<(), FileError> {
    let Ok(file) = File::open(path) else { return Ok(()) };
    let (mut file, mut buffer, mut number, mut whole) = (BufReader::new(file), Vec::new(), 0, true);
    loop {
        buffer.clear();
        if file.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut buffer).map_err(unread(path))? == 0 {
            return Ok(());
        }
        let begins = whole;
        whole = buffer.last() == Some(&b'\n');
        if begins {
            number += 1;
            each(number, String::from_utf8_lossy(&buffer).trim_end());
        }
    }
}
