//! `latency.hlog`: an HdrHistogram V2 interval log, 1 s intervals, tags `op.phase`, values in nanoseconds. Readable by
//! every HdrHistogram tool.

use super::{Latency, histogram};
use crate::file::{self, FileError, unwritten};
use crate::manifest::Began;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, IntervalLogWriterError, Tag};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

const LEGEND: [&str; 5] = [
    "[Stormglass latency, nanoseconds, 1 s intervals from the start of the load, tags op.phase]",
    "[op: produce = intended send to acknowledgement, deliver = intended send to first poll by a consumer]",
    "[commit = a position asked to be stored to its acknowledgement, transaction = begin to acknowledged commit]",
    "[phase: the earliest fault episode the operation overlaps, or quiet; an operation lies in the second it ended in]",
    "[Histogram log format version 1.3]",
];

impl Latency {
    /// Replaces `path` by the interval log.
    pub fn write_log(&self, path: &Path, began: &Began) -> Result<(), FileError> {
        file::replace(path, |file| {
            let mut out = BufWriter::new(file);
            self.write_to(&mut out, began).and_then(|()| out.flush()).map_err(unwritten(path))
        })
    }

    fn write_to(&self, out: &mut impl Write, began: &Began) -> io::Result<()> {
        let start = SystemTime::UNIX_EPOCH + Duration::from_nanos(began.wall_at(self.epoch).0);
        let mut builder = IntervalLogWriterBuilder::new();
        LEGEND.iter().for_each(|line| {
            builder.add_comment(line);
        });
        let mut serializer = V2DeflateSerializer::new();
        let mut log = builder.with_start_time(start).with_base_time(start).begin_log_with(out, &mut serializer)?;
        let mut histogram = histogram();
        for interval in self.samples.chunk_by(|a, b| (a.second, a.tag) == (b.second, b.tag)) {
            histogram.reset();
            interval.iter().for_each(|sample| histogram.saturating_record(sample.ns));
            let (timed, phase) = &self.tags[usize::from(interval[0].tag)];
            let name = format!("{}.{phase}", timed.name());
            let at = Duration::from_secs(interval[0].second.into());
            log.write_histogram(&histogram, at, Duration::from_secs(1), Tag::new(&name)).map_err(io_error)?;
        }
        Ok(())
    }
}

fn io_error<E: std::fmt::Display + std::fmt::Debug>(error: IntervalLogWriterError<E>) -> io::Error {
    match error {
        IntervalLogWriterError::IoError(e) => e,
        other => io::Error::other(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::Sample;
    use super::super::{Timed, Timing};
    use super::*;
    use crate::wall::Wall;
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
    use history::Nanos;

    #[test]
    fn the_log_is_read_back_interval_by_interval() {
        let samples = [(0, 0, 1_000_000), (0, 0, 2_000_000), (0, 1, 5), (3, 0, u64::MAX)];
        let samples = samples.map(|(second, tag, ns)| Sample { second, tag, ns }).to_vec();
        let tags = vec![(Timed::Produce, "quiet".to_owned()), (Timed::Deliver, "kill-leader".to_owned())];
        let latency = Latency { timing: Timing::default(), samples, tags, epoch: Nanos(2_000_000_000) };
        let mut text = Vec::new();
        latency.write_to(&mut text, &Began { wall: Wall(10_000_000_000), mono: Nanos(0) }).unwrap();
        let shown = String::from_utf8(text.clone()).unwrap();
        assert!(shown.contains("#[StartTime: 12.000 (seconds since epoch)]"), "{shown}");
        let mut found = Vec::new();
        for entry in IntervalLogIterator::new(&text) {
            if let LogEntry::Interval(interval) = entry.unwrap() {
                let bytes = base64(interval.encoded_histogram());
                let histogram: hdrhistogram::Histogram<u64> = Deserializer::new().deserialize(&mut &bytes[..]).unwrap();
                let tag = interval.tag().unwrap().as_str().to_owned();
                found.push((tag, interval.start_timestamp().as_secs(), histogram.len()));
            }
        }
        let expected = [("produce.quiet", 0, 2), ("deliver.kill-leader", 0, 1), ("produce.quiet", 3, 1)];
        assert_eq!(found, expected.map(|(tag, second, count)| (tag.to_owned(), second, count)));
    }

    fn base64(text: &str) -> Vec<u8> {
        let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut bits = 0u32;
        let mut out = Vec::new();
        for (at, c) in text.bytes().filter(|c| *c != b'=').enumerate() {
            bits = bits << 6 | digits.iter().position(|d| *d == c).unwrap() as u32;
            if at % 4 > 0 {
                out.push((bits >> (6 - 2 * (at % 4))) as u8);
            }
        }
        out
    }
}
