//! What stands in a data folder, partition by partition.
//!
//! Batches are told in the very words of Kafka's `DumpLogSegments`, so that its readers and its scripts read ours.

use super::partitions;
use crate::file::{self, FileError, Place, Problem};
use crate::kraft;
use crate::replicas::batch::HEADER_BYTES;
use crate::replicas::reader::{Next, SegmentReader};
use crate::replicas::{Flaw, Notes, checkpoint, index, producers, records, segments};
use history::Offset;
use std::path::Path;

/// Largest index or snapshot read.
const COMPANION_BYTES_MAX: u64 = 64 << 20;

/// How much is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Detail {
    /// A line a segment.
    Segments,
    /// A line a batch.
    Batches,
}

/// The kinds of file beside a segment, by extension.
const COMPANIONS: [&str; 4] = ["index", "timeindex", "txnindex", "snapshot"];

/// Tells what stands below `data`, of one partition or of all, or in `data` itself if it is a file.
pub fn dump(data: &Path, only: Option<&str>, detail: Detail, say: &mut dyn FnMut(&str)) -> Result<(), FileError> {
    if data.is_file() {
        return one_file(data, detail, say);
    }
    let mut notes = Notes::of(data);
    let watermarks = checkpoint::offsets(&data.join("replication-offset-checkpoint"), &mut notes)?;
    let flushed = checkpoint::offsets(&data.join("recovery-point-offset-checkpoint"), &mut notes)?;
    for (name, folder) in partitions(data)?.into_iter().filter(|(name, _)| only.is_none_or(|only| only == name)) {
        let told = |what: &str, of: Option<&Offset>| of.map_or_else(String::new, |o| format!("  {what} {}", o.0));
        let hw = told("high watermark", watermarks.get(&name));
        say(&format!("{name}{hw}{}", told("flushed to", flushed.get(&name))));
        let epochs = checkpoint::epochs(&folder.join("leader-epoch-checkpoint"), &mut notes)?;
        if !epochs.is_empty() {
            let epochs: Vec<String> = epochs.iter().map(|e| format!("{} from {}", e.epoch.0, e.start.0)).collect();
            say(&format!("  epochs {}", epochs.join(", ")));
        }
        for (base, path) in segments(&folder)? {
            segment(base, &path, detail, say)?;
            companions(base, &path, say)?;
        }
        if name == kraft::FOLDER {
            metadata(&folder, say)?;
        }
    }
    for finding in notes.finish() {
        say(&format!("{} byte {}: {:?}", finding.file, finding.byte, finding.flaw));
    }
    Ok(())
}

fn one_file(path: &Path, detail: Detail, say: &mut dyn FnMut(&str)) -> Result<(), FileError> {
    let base = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok()).unwrap_or(0);
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("log") => segment(base, path, detail, say),
        Some(kind) if COMPANIONS.contains(&kind) => beside(kind, base, path, say),
        _ => {
            let kinds = COMPANIONS.map(|kind| format!(".{kind}")).join(", ");
            let why = format!("no data folder, and no file that ends in .log, {kinds}");
            Err(FileError::new(path, Place::Whole, Problem::Foreign(why)))
        }
    }
}

#[derive(Default)]
struct Totals {
    batches: u64,
    records: u64,
    end: i64,
    flaws: u64,
}

fn segment(base: i64, path: &Path, detail: Detail, say: &mut dyn FnMut(&str)) -> Result<(), FileError> {
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if detail == Detail::Batches {
        say(&format!("  Dumping {file}"));
    }
    let mut reader = SegmentReader::open(path)?;
    let mut totals = Totals { end: base, ..Totals::default() };
    let flaw = |at: u64, flaw: Flaw, totals: &mut Totals, say: &mut dyn FnMut(&str)| {
        totals.flaws += 1;
        say(&format!("  {file} byte {at}: {flaw:?}"));
    };
    while let Some(next) = reader.step()? {
        match next {
            Next::Batch(at, header, bytes) => {
                let valid = header.holds(bytes);
                if detail == Detail::Batches {
                    say(&header.line(at, valid));
                }
                let body = &bytes[HEADER_BYTES..];
                if !valid {
                    flaw(at, Flaw::BadCrc, &mut totals, say);
                } else if records::each(body, header.codec(), header.count, |_| ()).is_none() {
                    flaw(at, Flaw::BadRecords, &mut totals, say);
                }
                totals.batches += 1;
                totals.records += u64::try_from(header.count).unwrap_or(0);
                totals.end = header.end().0;
            }
            Next::Flaw(at, found) => flaw(at, found, &mut totals, say),
        }
    }
    let Totals { batches, records, end, flaws } = totals;
    say(&format!("  {file}: offsets {base}..{end}, {batches} batches, {records} records, {flaws} flaws"));
    Ok(())
}

fn companions(base: i64, log: &Path, say: &mut dyn FnMut(&str)) -> Result<(), FileError> {
    for kind in COMPANIONS {
        let path = log.with_extension(kind);
        if path.is_file() {
            beside(kind, base, &path, say)?;
        }
    }
    Ok(())
}

fn beside(kind: &str, base: i64, path: &Path, say: &mut dyn FnMut(&str)) -> Result<(), FileError> {
    let told = companion(kind, Offset(base), &file::read(path, COMPANION_BYTES_MAX)?);
    say(&format!("  {}: {told}", path.file_name().unwrap_or_default().to_string_lossy()));
    Ok(())
}

fn companion(kind: &str, base: Offset, bytes: &[u8]) -> String {
    match kind {
        "index" => {
            let entries = index::offsets(base, bytes);
            let last =
                entries.last().map_or_else(String::new, |e| format!(", last {} at byte {}", e.offset.0, e.position));
            format!("{} entries{last}", entries.len())
        }
        "timeindex" => {
            let entries = index::times(base, bytes);
            let last =
                entries.last().map_or_else(String::new, |e| format!(", last {} ms at {}", e.timestamp_ms, e.offset.0));
            format!("{} entries{last}", entries.len())
        }
        "txnindex" => {
            let entries = index::aborted(bytes);
            let told = entries.iter().map(|e| format!("producer {} {}..{}", e.producer_id, e.first.0, e.last.0));
            format!("{} aborted transactions {}", entries.len(), told.collect::<Vec<_>>().join(", "))
        }
        _ => match producers::read(bytes) {
            Ok(entries) => format!("{} producers", entries.len()),
            Err(why) => format!("no snapshot: {why}"),
        },
    }
}

fn metadata(folder: &Path, say: &mut dyn FnMut(&str)) -> Result<(), FileError> {
    let log = kraft::read(folder)?;
    let history = kraft::changes(&log);
    for (at, name, level) in &history.features {
        say(&format!("  {at} ms  feature {name} is at level {level}"));
    }
    for change in &history.configs {
        let value = change.value.as_deref().unwrap_or("(default)");
        say(&format!("  {} ms  {} {}={value}", change.wall_ms, change.of, change.name));
    }
    for (at, broker, fenced) in &history.fenced {
        say(&format!("  {at} ms  broker {broker} is {}", if *fenced { "shut out" } else { "let in" }));
    }
    for led in &history.led {
        let s = &led.state;
        let unclean = if s.recovery > 0 { "  unclean" } else { "" };
        let elr = if s.elr.is_empty() { String::new() } else { format!("  elr {:?}", s.elr) };
        say(&format!(
            "  {} ms  {}  leader {} epoch {}  isr {:?}{elr}{unclean}  ({}:{})",
            led.wall_ms, led.log, s.leader, s.leader_epoch, s.isr, led.place.0, led.place.1
        ));
    }
    for (file, at, flaw) in &log.flaws {
        say(&format!("  {file} byte {at}: {flaw:?}"));
    }
    Ok(())
}
