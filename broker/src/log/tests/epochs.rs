//! The leader epoch cache: KIP-101 and KIP-279 as tables.

use super::super::epochs::EpochCache;
use super::*;

/// Epochs with their start offsets.
type Entries = &'static [(i32, i64)];

fn cache(entries: &[(i32, i64)]) -> EpochCache {
    EpochCache::new(entries.iter().map(|(epoch, start)| (LeaderEpoch(*epoch), Offset(*start))))
}

fn entries(cache: &EpochCache) -> Vec<(i32, i64)> {
    cache.entries().iter().map(|(epoch, start)| (epoch.0, start.0)).collect()
}

#[test]
fn the_end_of_an_epoch_is_the_start_of_the_next_and_of_the_newest_the_end_of_the_log() {
    let cache = cache(&[(2, 10), (4, 20), (7, 30)]);
    let table = [
        (0, Some((0, 10)), "below all: what it wrote is gone"),
        (2, Some((2, 20)), "known"),
        (3, Some((2, 20)), "unknown: the largest below (KIP-279)"),
        (4, Some((4, 30)), "known"),
        (6, Some((4, 30)), "unknown: the largest below"),
        (7, Some((7, 99)), "the newest ends where the log does"),
        (8, None, "above all: nothing is known"),
    ];
    for (asked, expected, why) in table {
        let answer = cache.end_offset_for(LeaderEpoch(asked), Offset(99));
        assert_eq!(answer.map(|(epoch, end)| (epoch.0, end.0)), expected, "{asked}: {why}");
    }
    assert_eq!(EpochCache::default().end_offset_for(LeaderEpoch(0), Offset(5)), None);
}

#[test]
fn the_newest_word_on_an_epoch_or_an_offset_wins() {
    let table: [(Entries, (i32, i64), bool, Entries); 8] = [
        (&[], (3, 0), true, &[(3, 0)]),
        (&[(3, 0)], (3, 0), false, &[(3, 0)]),
        (&[(3, 0)], (3, 9), false, &[(3, 0)]),
        (&[(3, 9)], (3, 4), true, &[(3, 4)]),
        (&[(3, 0)], (4, 8), true, &[(3, 0), (4, 8)]),
        (&[(3, 0), (4, 8)], (5, 8), true, &[(3, 0), (5, 8)]),
        (&[(3, 0), (4, 8)], (5, 5), true, &[(3, 0), (5, 5)]),
        (&[(3, 0), (4, 8), (5, 9)], (4, 20), true, &[(3, 0), (4, 20)]),
    ];
    for (before, (epoch, start), news, after) in table {
        let mut cache = cache(before);
        assert_eq!(cache.assign(LeaderEpoch(epoch), Offset(start)), news);
        assert_eq!(entries(&cache), after, "{before:?} + {epoch} at {start}");
    }
}

#[test]
fn truncation_forgets_epochs_that_begin_at_or_after_the_end() {
    let table: [(i64, bool, Entries); 5] = [
        (40, false, &[(2, 10), (4, 20), (7, 30)]),
        (31, false, &[(2, 10), (4, 20), (7, 30)]),
        (30, true, &[(2, 10), (4, 20)]),
        (15, true, &[(2, 10)]),
        (10, true, &[]),
    ];
    for (end, changed, after) in table {
        let mut cache = cache(&[(2, 10), (4, 20), (7, 30)]);
        assert_eq!(cache.truncate_end(Offset(end)), changed);
        assert_eq!(entries(&cache), after, "to {end}");
    }
}

#[test]
fn a_later_start_forgets_epochs_that_ended_before_and_keeps_the_one_it_falls_into() {
    let table: [(i64, bool, Entries); 6] = [
        (5, false, &[(2, 10), (4, 20), (7, 30)]),
        (10, false, &[(2, 10), (4, 20), (7, 30)]),
        (19, true, &[(2, 19), (4, 20), (7, 30)]),
        (20, true, &[(4, 20), (7, 30)]),
        (29, true, &[(4, 29), (7, 30)]),
        (50, true, &[(7, 50)]),
    ];
    for (start, changed, after) in table {
        let mut cache = cache(&[(2, 10), (4, 20), (7, 30)]);
        assert_eq!(cache.truncate_start(Offset(start)), changed);
        assert_eq!(entries(&cache), after, "from {start}");
    }
}

#[test]
fn a_record_belongs_to_the_last_epoch_that_began_before_it() {
    let cache = cache(&[(2, 10), (4, 20)]);
    for (offset, expected) in [(9, None), (10, Some(2)), (19, Some(2)), (20, Some(4)), (900, Some(4))] {
        assert_eq!(cache.epoch_at(Offset(offset)).map(|epoch| epoch.0), expected, "{offset}");
    }
}

#[test]
fn fast_failover_two_lookups_find_the_point_where_the_logs_part() {
    let follower = cache(&[(0, 0), (1, 10), (3, 15)]);
    let leader = cache(&[(0, 0), (2, 12), (4, 20)]);
    let (mut asked, mut end) = (LeaderEpoch(3), Offset(17));
    let common = loop {
        let (epoch, leader_end) = leader.end_offset_for(asked, Offset(30)).unwrap();
        if follower.entries().iter().any(|entry| entry.0 == epoch) {
            break leader_end.min(follower.end_offset_for(epoch, end).unwrap().1);
        }
        let (floor, floor_end) = follower.end_offset_for(epoch, end).unwrap();
        (asked, end) = (floor, floor_end.min(leader_end));
    };
    assert_eq!(common, Offset(10), "epoch 0 is the last both have; the leader's ran to 12, the follower's to 10");
}
