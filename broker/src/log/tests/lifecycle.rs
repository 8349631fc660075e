//! Append, read, truncate, close and open, against a model that is a list of batches.

use super::*;

fn small() -> LogConfig {
    LogConfig { segment_bytes: 1000, index_interval_bytes: 200, ..LogConfig::default() }
}

#[test]
fn what_was_appended_is_read_back_across_segments_and_a_kill() {
    let dir = folder();
    let (mut log, _) = open(dir.path(), &small());
    for n in 0..100 {
        let appended = lead(&mut log, 3, &Spec::plain(1 + n % 4)).unwrap();
        assert!(matches!(appended, Appended::New { .. }));
    }
    let (before, end) = (read_all(&log, Offset(0)), log.end_offset());
    assert!(std::fs::read_dir(dir.path()).unwrap().count() > 20);
    drop(log);
    let (log, recovery) = open(dir.path(), &small());
    assert_eq!((log.end_offset(), read_all(&log, Offset(0)) == before), (end, true));
    assert_eq!((recovery.cut, recovery.findings), (None, vec![]));
    log.close().unwrap();
    let (log, recovery) = open_as(dir.path(), &small(), Stop::Clean, Offset(0));
    assert_eq!((log.end_offset(), read_all(&log, Offset(0)) == before), (end, true));
    assert_eq!(recovery, Recovery::default());
}
