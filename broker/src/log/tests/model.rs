//! Random lives of a log against a model that is a list of batches: whatever happened, both hold the same bytes under
//! the same offsets, and give the same answers.

use super::super::batch::Batches;
use super::*;
use proptest::prelude::*;

/// A step in the life of a log. Places are in per cent of the log, so that they make sense in any.
#[derive(Clone, Debug)]
enum Step {
    Lead { records: usize, bytes: usize, clock_ms: i64 },
    Follow { batches: usize, clock_ms: i64 },
    NextEpoch,
    Truncate { percent: i64 },
    DeleteRecords { percent: i64 },
    DeleteOld { high_watermark_percent: i64 },
    Restart { further: i64 },
    Flush,
    Reopen { clean: bool },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (1..6_usize, 0..90_usize, -50..50_i64)
            .prop_map(|(records, bytes, clock_ms)| Step::Lead { records, bytes, clock_ms }),
        4 => (1..8_usize, -50..50_i64).prop_map(|(batches, clock_ms)| Step::Follow { batches, clock_ms }),
        2 => Just(Step::NextEpoch),
        2 => (0..=110_i64).prop_map(|percent| Step::Truncate { percent }),
        1 => (0..=100_i64).prop_map(|percent| Step::DeleteRecords { percent }),
        1 => (0..=100_i64).prop_map(|high_watermark_percent| Step::DeleteOld { high_watermark_percent }),
        1 => (0..9_i64).prop_map(|further| Step::Restart { further }),
        2 => Just(Step::Flush),
        3 => any::<bool>().prop_map(|clean| Step::Reopen { clean }),
    ]
}

struct ModelBatch {
    base: i64,
    end: i64,
    epoch: i32,
    bytes: Vec<u8>,
    timestamps: Vec<i64>,
}

#[derive(Default)]
struct Model {
    batches: Vec<ModelBatch>,
    start: i64,
    end: i64,
    epoch: i32,
}

impl Model {
    fn place(&self, percent: i64) -> Offset {
        Offset(self.start + (self.end - self.start) * percent / 100)
    }

    fn push(&mut self, bytes: &[u8], timestamps: &[i64]) {
        let mut bytes = bytes.to_vec();
        bytes[..8].copy_from_slice(&self.end.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.epoch.to_be_bytes());
        let (base, end) = (self.end, self.end + timestamps.len() as i64);
        self.batches.push(ModelBatch { base, end, epoch: self.epoch, bytes, timestamps: timestamps.to_vec() });
        self.end = end;
    }

    fn bytes_from(&self, from: i64) -> Vec<u8> {
        self.batches.iter().filter(|batch| batch.end > from).flat_map(|batch| batch.bytes.clone()).collect()
    }

    fn first_at_least(&self, timestamp_ms: i64) -> Option<(i64, i64)> {
        let records = self.batches.iter().flat_map(|batch| (batch.base..).zip(batch.timestamps.iter().copied()));
        records.into_iter().find(|(offset, time)| *offset >= self.start && *time >= timestamp_ms)
    }

    fn epoch_end(&self, epoch: i32) -> Option<(i32, i64)> {
        let visible: Vec<_> = self.batches.iter().filter(|batch| batch.end > self.start).collect();
        let above = visible.iter().find(|batch| batch.epoch > epoch);
        let floor = visible.iter().rev().find(|batch| batch.epoch <= epoch);
        match (floor, above) {
            (Some(floor), Some(above)) => Some((floor.epoch, above.base)),
            (Some(floor), None) if floor.epoch == epoch => Some((epoch, self.end)),
            (None, Some(above)) => Some((epoch, above.base.max(self.start))),
            _ => None,
        }
    }
}

/// A log and its model, side by side.
struct Pair {
    dir: tempfile::TempDir,
    config: LogConfig,
    log: Option<Log>,
    model: Model,
}

impl Pair {
    fn new() -> Pair {
        let config = LogConfig {
            segment_bytes: 900,
            index_interval_bytes: 100,
            retention_bytes: Some(2500),
            ..LogConfig::default()
        };
        let dir = folder();
        let log = Some(open(dir.path(), &config).0);
        Pair { dir, config, log, model: Model::default() }
    }

    fn log(&mut self) -> &mut Log {
        self.log.as_mut().unwrap()
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Lead { records, bytes, clock_ms } => self.lead(records, bytes, clock_ms),
            Step::Follow { batches, clock_ms } => self.follow(batches, clock_ms),
            Step::NextEpoch => self.model.epoch += 1,
            Step::Truncate { percent } => self.truncate(percent),
            Step::DeleteRecords { percent } => {
                let before = self.model.place(percent);
                self.log().delete_records(before);
                self.model.start = self.model.start.max(before.0);
            }
            Step::DeleteOld { high_watermark_percent } => self.delete_old(high_watermark_percent),
            Step::Restart { further } => {
                let at = self.model.end + further;
                self.log().truncate_fully_and_start_at(Offset(at)).unwrap();
                self.model = Model { start: at, end: at, epoch: self.model.epoch, batches: Vec::new() };
            }
            Step::Flush => {
                self.log().flush(NOW_MS).unwrap();
                assert_eq!(self.log().recovery_point(), Offset(self.model.end));
            }
            Step::Reopen { clean } => self.reopen(clean),
        }
    }

    fn lead(&mut self, records: usize, bytes: usize, clock_ms: i64) {
        let timestamps: Vec<i64> = (0..records as i64).map(|n| NOW_MS + clock_ms * (n + 1)).collect();
        let spec = Spec::plain(records).timed(&timestamps).sized(bytes);
        let epoch = self.model.epoch;
        lead(self.log(), epoch, &spec).unwrap();
        self.model.push(&spec.bytes(), &timestamps);
    }

    fn follow(&mut self, batches: usize, clock_ms: i64) {
        let mut fetched = Vec::new();
        for n in 0..batches {
            let timestamps = vec![NOW_MS + clock_ms; 1 + n % 3];
            let spec = Spec::plain(0).timed(&timestamps).at(self.model.end, self.model.epoch);
            fetched.extend_from_slice(&spec.bytes());
            self.model.push(&spec.bytes(), &timestamps);
        }
        let end = self.log().append_as_follower(&fetched).unwrap();
        assert_eq!(end, Offset(self.model.end));
    }

    fn truncate(&mut self, percent: i64) {
        let to = self.model.place(percent);
        let truncated = self.log().truncate_to(to).unwrap();
        if to.0 < self.model.end {
            let kept = self.model.batches.iter().take_while(|batch| batch.end <= to.0).count();
            let cut = self.model.batches.get(kept).map_or(to.0, |batch| batch.base.min(to.0));
            self.model.batches.truncate(kept);
            self.model.end = cut;
            self.model.start = self.model.start.min(cut);
        }
        assert_eq!(truncated.to, Offset(self.model.end));
    }

    fn delete_old(&mut self, high_watermark_percent: i64) {
        let high_watermark = self.model.place(high_watermark_percent);
        let before = self.log().size_bytes();
        let deleted = self.log().delete_old(NOW_MS, high_watermark).unwrap();
        assert_eq!(before - deleted.bytes, self.log().size_bytes());
        let start = self.log().start_offset();
        assert!(start <= high_watermark.max(Offset(self.model.start)));
        self.model.start = start.0;
        let mut gone = deleted.bytes;
        self.model.batches.retain(|batch| {
            let goes = gone > 0;
            gone = gone.saturating_sub(batch.bytes.len() as u64);
            !goes
        });
    }

    fn reopen(&mut self, clean: bool) {
        let log = self.log.take().unwrap();
        let (recovery_point, log_start) = (log.recovery_point(), log.start_offset());
        let stop = if clean {
            log.close().unwrap();
            Stop::Clean
        } else {
            Stop::Unclean
        };
        let opening = Opening { stop, recovery_point, log_start, high_watermark: recovery_point, now_ms: NOW_MS };
        let (log, recovery) = Log::open(self.dir.path(), self.config.clone(), opening).unwrap();
        assert_eq!((recovery.cut, recovery.findings), (None, vec![]));
        assert_eq!(recovery.scanned_segments == 0, clean);
        self.log = Some(log);
    }

    fn compare(&self) {
        let (log, model) = (self.log.as_ref().unwrap(), &self.model);
        assert_eq!((log.start_offset().0, log.end_offset().0), (model.start, model.end));
        assert_eq!(read_all(log, Offset(model.start)), model.bytes_from(model.start));
        for percent in [0, 30, 70, 99] {
            self.compare_reads(model.place(percent), model.place(80));
        }
        for timestamp_ms in [NOW_MS - 60, NOW_MS, NOW_MS + 1, NOW_MS + 77, NOW_MS + 1000] {
            let found = log.offset_for_timestamp(timestamp_ms).unwrap();
            assert_eq!(found.map(|found| (found.offset.0, found.timestamp_ms)), model.first_at_least(timestamp_ms));
        }
        let empty = model.batches.last().is_none_or(|batch| batch.end <= model.start);
        for epoch in (0..=model.epoch).filter(|_| !empty) {
            let ends = log.end_offset_for(LeaderEpoch(epoch)).map(|(epoch, end)| (epoch.0, end.0));
            assert_eq!(ends, model.epoch_end(epoch), "epoch {epoch}");
        }
    }

    fn compare_reads(&self, from: Offset, upper_bound: Offset) {
        let all = self.model.bytes_from(from.0);
        let first = Batches::new(&all).next().map(|first| first.unwrap().header);
        for (bytes_max, at_least_one) in [(0, true), (150, true), (150, false), (1 << 20, false)] {
            let read = self.log.as_ref().unwrap().read(from, bytes_max, upper_bound, at_least_one).unwrap();
            assert!(all.starts_with(&read));
            let readable = first.filter(|first| first.last_offset() < upper_bound);
            let fits = readable.is_some_and(|first| first.size() <= bytes_max);
            assert_eq!(!read.is_empty(), fits || readable.is_some() && at_least_one);
            assert!(read.len() <= bytes_max || Batches::new(&read).count() == 1);
            for batch in Batches::new(&read) {
                assert!(batch.unwrap().header.last_offset() < upper_bound);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_shrink_iters: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_log_is_a_list_of_batches_whatever_happens(steps in prop::collection::vec(step(), 1..40)) {
        let mut pair = Pair::new();
        for step in &steps {
            pair.take(step);
            pair.compare();
        }
    }
}
