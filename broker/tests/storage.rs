//! What a log folder goes through: it fails, it is compacted, it forgets what is old.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use support::batch::{batch, numbered};
use support::{Cluster, become_a_node_if_asked, until};

const T: &str = "t";

#[test]
fn node_process() {
    become_a_node_if_asked();
}

#[test]
fn a_folder_that_takes_no_more_bytes_ends_its_broker_and_nothing_acknowledged_is_lost() {
    let mut cluster = Cluster::start(3, "");
    let leader = cluster.topic(T, 3, &[]);
    let follower = cluster.follower_of(leader);
    cluster.node(follower).kill();
    let times = cluster.count(follower, "ready") + 1;
    cluster.node(follower).start_with_files_of(256 * 1024);
    cluster.ready(follower, times);
    until("all in sync", || (cluster.isr(leader, T) == [1, 2, 3]).then_some(()));
    let large = batch(&["x".repeat(100_000)], None);
    for number in 0..6 {
        let answer = cluster.wire(leader).produce(T, large.clone(), -1);
        assert_eq!((answer.error_code, answer.base_offset), (0, number));
    }
    assert_eq!(cluster.node(follower).wait(), Some(1), "it stops and says that it failed");
    let failed = cluster.events(follower).into_iter().find(|event| event["event"] == "log-dir-failed").unwrap();
    assert!(failed["error"].as_str().unwrap().contains("append"), "{failed}");
    cluster.restart(follower);
    cluster.agree(T, &[1, 2, 3]);
}

#[test]
fn old_segments_go_on_every_replica_and_what_is_left_is_the_same() {
    let cluster = Cluster::start(3, "log.retention.check.interval.ms=100\n");
    let leader = cluster.topic(T, 3, &[("segment.bytes", "1000"), ("retention.bytes", "2000")]);
    for _ in 0..30 {
        assert_eq!(cluster.wire(leader).produce(T, batch(&numbered("v", 10), None), -1).error_code, 0);
    }
    let start = until("the start to move", || Some(cluster.wire(leader).list(T, -2).offset).filter(|at| *at > 100));
    assert!(start < 300 && cluster.wire(leader).fetch(T, start, 0).error_code == 0);
    for id in 1..=3 {
        until("segments to go", || {
            let files = std::fs::read_dir(cluster.folder_of(id, "t-0")).unwrap().count();
            (files < 30 && cluster.count(id, "log-start") > 0).then_some(())
        });
    }
}
