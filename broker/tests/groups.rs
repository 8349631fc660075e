//! Consumer groups as clients of a real cluster see them: by request, and through the end of their coordinator.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use kafka_protocol::messages::*;
use support::group::{HEARTBEAT, JOIN, LEAVE, SYNC, commit, heartbeat, join, leave, sync, text};
use support::wire::{Wire, name};
use support::{Cluster, become_a_node_if_asked, until};

const SINGLE: &str = "min.insync.replicas=1\ndefault.replication.factor=1\n";
const QUICK: &str = "group.initial.rebalance.delay.ms=0\noffsets.topic.num.partitions=1\n";
/// A consumer that is in no group.
const OUTSIDE: (&str, i32) = ("", -1);

#[test]
fn node_process() {
    become_a_node_if_asked();
}

fn single(more: &str) -> (Cluster, Wire) {
    let cluster = Cluster::start(1, &format!("{SINGLE}{QUICK}{more}"));
    assert_eq!(cluster.wire(1).create("t", 1, 1, &[]), 0);
    cluster.coordinator("g", &[]);
    let wire = cluster.wire(1);
    (cluster, wire)
}

fn code(error: ResponseError) -> i16 {
    error.code()
}

fn describe(wire: &mut Wire, group: &str) -> describe_groups_response::DescribedGroup {
    let request = DescribeGroupsRequest::default().with_groups(vec![text(group).into()]);
    wire.call(&request, 5).groups.remove(0)
}

fn state(wire: &mut Wire, group: &str) -> String {
    describe(wire, group).group_state.to_string()
}

#[test]
fn two_members_come_to_work_one_leaves_and_the_other_has_it_all() {
    let (cluster, mut a) = single("");
    let mut b = cluster.wire(1);
    let (first, generation) = a.alone("g");
    let second = b.send_join("g");
    until("the first to hear of the second", || {
        let beat = a.call(&heartbeat("g", &first, generation), HEARTBEAT).error_code;
        (beat == code(ResponseError::RebalanceInProgress)).then_some(())
    });
    let (led, followed) = (a.call(&join("g", &first), JOIN), b.joined());
    assert_eq!((led.generation_id, followed.generation_id), (generation + 1, generation + 1));
    assert_eq!((led.members.len(), followed.members.len(), &*led.leader), (2, 0, &*first));
    b.send(&sync("g", &second, generation + 1, &BTreeMap::new()), SYNC);
    let shares = [(first.clone(), Bytes::from_static(b"one")), (second.clone(), Bytes::from_static(b"two"))].into();
    assert_eq!(a.call(&sync("g", &first, generation + 1, &shares), SYNC).assignment, "one");
    assert_eq!(b.try_receive::<SyncGroupRequest>(SYNC).unwrap().1.assignment, "two");
    let described = describe(&mut a, "g");
    assert_eq!((&*described.group_state, &*described.protocol_data, described.members.len()), ("Stable", "range", 2));
    assert!(described.members.iter().all(|member| &*member.client_host == "/127.0.0.1"));
    let left = a.call(&leave("g", &[&second, "nobody"]), LEAVE);
    let errors: Vec<i16> = left.members.iter().map(|member| member.error_code).collect();
    assert_eq!(errors, [0, code(ResponseError::UnknownMemberId)]);
    let again = a.call(&join("g", &first), JOIN);
    assert_eq!((again.generation_id, again.members.len()), (generation + 2, 1));
}

#[test]
fn a_member_that_is_silent_is_out_and_its_commits_are_refused() {
    let (_cluster, mut wire) = single("group.min.session.timeout.ms=100\n");
    let told = wire.call(&join("g", ""), JOIN);
    let member = told.member_id.to_string();
    let joined = wire.call(&join("g", &member).with_session_timeout_ms(300), JOIN);
    let shares = BTreeMap::from([(member.clone(), Bytes::new())]);
    wire.call(&sync("g", &member, joined.generation_id, &shares), SYNC);
    assert_eq!(wire.commit("g", (&member, joined.generation_id), 5), 0);
    until("an empty group", || (state(&mut wire, "g") == "Empty").then_some(()));
    assert_eq!(wire.commit("g", (&member, joined.generation_id), 6), code(ResponseError::UnknownMemberId));
    assert_eq!(wire.position("g"), Ok(5));
}

#[test]
fn positions_are_stored_fetched_deleted_and_end_with_their_group() {
    let (_cluster, mut wire) = single("");
    let by = wire.alone("g");
    assert_eq!(wire.commit("g", (&by.0, by.1), 7), 0);
    assert_eq!(wire.commit("g", (&by.0, by.1 + 1), 8), code(ResponseError::IllegalGeneration));
    assert_eq!((wire.position("g"), wire.position("other")), (Ok(7), Ok(-1)));
    let all = OffsetFetchRequest::default().with_group_id(text("g").into()).with_topics(None);
    let fetched = wire.call(&all, 5).topics.remove(0).partitions.remove(0);
    assert_eq!((fetched.committed_offset, fetched.metadata.as_deref()), (7, Some("note")));
    let part = OffsetDeleteRequestPartition::default();
    let topic = OffsetDeleteRequestTopic::default().with_name(name("t")).with_partitions(vec![part]);
    let delete = OffsetDeleteRequest::default().with_group_id(text("g").into()).with_topics(vec![topic]);
    let refused = wire.call(&delete, 0).topics[0].partitions[0].error_code;
    assert_eq!(refused, code(ResponseError::GroupSubscribedToTopic));
    let end = DeleteGroupsRequest::default().with_groups_names(vec![text("g").into(), text("nosuch").into()]);
    let errors = |wire: &mut Wire| {
        let results = wire.call(&end, 2).results;
        results.iter().map(|result| result.error_code).collect::<Vec<_>>()
    };
    let not_found = code(ResponseError::GroupIdNotFound);
    assert_eq!(errors(&mut wire), [code(ResponseError::NonEmptyGroup), not_found]);
    wire.call(&leave("g", &[&by.0]), LEAVE);
    assert_eq!(wire.call(&delete, 0).topics[0].partitions[0].error_code, 0);
    assert_eq!(wire.position("g"), Ok(-1));
    assert_eq!(errors(&mut wire), [0, not_found]);
    assert_eq!(state(&mut wire, "g"), "Dead");
}

#[test]
fn groups_are_listed_by_state() {
    let (_cluster, mut wire) = single("");
    wire.alone("working");
    assert_eq!(wire.commit("outside", OUTSIDE, 1), 0);
    let mut list = |states: &[&str]| {
        let states = states.iter().map(|state| text(state)).collect();
        let listed = wire.call(&ListGroupsRequest::default().with_states_filter(states), 5);
        assert!(listed.groups.iter().all(|group| &*group.group_type == "classic"));
        listed.groups.iter().map(|group| group.group_id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(list(&[]), ["outside", "working"]);
    assert_eq!(list(&["Stable"]), ["working"]);
    assert_eq!(list(&["Dead"]), [] as [&str; 0]);
}

#[test]
fn what_makes_no_sense_is_refused_with_the_error_kafka_has_for_it() {
    let (_cluster, mut wire) = single("");
    let invalid = code(ResponseError::InvalidGroupId);
    assert_eq!(wire.call(&join("", ""), JOIN).error_code, invalid);
    assert_eq!(wire.call(&heartbeat("", "m", 1), HEARTBEAT).error_code, invalid);
    assert_eq!(wire.call(&leave("", &["m"]), LEAVE).error_code, invalid);
    assert_eq!(wire.call(&sync("", "m", 1, &BTreeMap::new()), SYNC).error_code, invalid);
    assert_eq!(wire.commit(&"g".repeat(40_000), OUTSIDE, 1), invalid);
    let hasty = join("g", "").with_session_timeout_ms(-1);
    assert_eq!(wire.call(&hasty, JOIN).error_code, code(ResponseError::InvalidSessionTimeout));
    let nothing = join("g", "").with_protocols(vec![]);
    assert_eq!(wire.call(&nothing, JOIN).error_code, code(ResponseError::InconsistentGroupProtocol));
    let mut elsewhere = commit("g", OUTSIDE, 1);
    elsewhere.topics[0].partitions[0].partition_index = 99;
    let mut wordy = commit("g", OUTSIDE, 1);
    wordy.topics[0].partitions[0].committed_metadata = Some(text(&"x".repeat(5000)));
    for (request, error) in
        [(elsewhere, ResponseError::UnknownTopicOrPartition), (wordy, ResponseError::OffsetMetadataTooLarge)]
    {
        assert_eq!(wire.call(&request, 8).topics[0].partitions[0].error_code, code(error));
    }
    assert_eq!(wire.position("g"), Ok(-1));
}

#[test]
fn positions_expire_when_their_topic_is_deleted() {
    let (_cluster, mut wire) = single("");
    assert_eq!(wire.commit("g", OUTSIDE, 1), 0);
    let delete = DeleteTopicsRequest::default().with_topic_names(vec![name("t")]).with_timeout_ms(10_000);
    assert_eq!(wire.call(&delete, 5).responses[0].error_code, 0);
    until("the position to go", || (wire.position("g") == Ok(-1)).then_some(()));
}

/// Commits rising positions until the coordinator is killed under them; gives the cluster and the last acknowledged.
fn commit_until_killed(cluster: &mut Cluster, coordinator: i32) -> i64 {
    let mut wire = cluster.wire(coordinator);
    let mut acknowledged = 0;
    for position in 1..=200 {
        if position == 150 {
            (0..50).for_each(|more| wire.send(&commit("g", OUTSIDE, position + more), 8));
            cluster.node(coordinator).kill();
            while let Some((_, answer)) = wire.try_receive::<OffsetCommitRequest>(8) {
                acknowledged += i64::from(answer.topics[0].partitions[0].error_code == 0);
            }
            return acknowledged;
        }
        assert_eq!(wire.commit("g", OUTSIDE, position), 0);
        acknowledged = position;
    }
    acknowledged
}

#[test]
fn no_acknowledged_commit_is_lost_when_the_coordinator_is_killed_among_commits() {
    let mut cluster = Cluster::start(3, QUICK);
    cluster.topic("t", 3, &[]);
    let coordinator = cluster.coordinator("g", &[]);
    let acknowledged = commit_until_killed(&mut cluster, coordinator);
    let next = cluster.coordinator("g", &[coordinator]);
    let position = cluster.wire(next).position("g").unwrap();
    assert!((acknowledged..=199).contains(&position), "{acknowledged} was acknowledged, {position} is left");
}

#[test]
fn members_go_on_with_their_generation_at_the_next_coordinator() {
    let mut cluster = Cluster::start(3, QUICK);
    cluster.topic("t", 3, &[]);
    let coordinator = cluster.coordinator("g", &[]);
    let (member, generation) = cluster.wire(coordinator).alone("g");
    cluster.node(coordinator).kill();
    let next = cluster.coordinator("g", &[coordinator]);
    let mut wire = cluster.wire(next);
    assert_eq!(wire.call(&heartbeat("g", &member, generation), HEARTBEAT).error_code, 0);
    let again = wire.call(&sync("g", &member, generation, &BTreeMap::new()), SYNC);
    assert_eq!((again.error_code, again.assignment), (0, Bytes::from_static(b"all")));
    assert_eq!(wire.commit("g", (&member, generation), 3), 0);
}

#[test]
fn one_who_waits_at_a_coordinator_that_is_deposed_is_told_to_look_elsewhere() {
    let mut cluster = Cluster::start(3, "offsets.topic.num.partitions=1\ngroup.initial.rebalance.delay.ms=60000\n");
    cluster.topic("t", 3, &[]);
    let coordinator = cluster.coordinator("g", &[]);
    let mut wire = cluster.wire(coordinator);
    wire.send_join("g");
    cluster.node(coordinator).pause();
    cluster.coordinator("g", &[coordinator]);
    cluster.node(coordinator).resume();
    assert_eq!(wire.joined().error_code, code(ResponseError::NotCoordinator));
}

/// Followers of the coordinator stand still, a commit is sent, the coordinator is killed: the answer to the commit, if
/// there was one, and what its successor knows.
fn commit_nobody_copies(bug: &str) -> (Option<i16>, i64) {
    let mut cluster = Cluster::start(3, &format!("{QUICK}{bug}offsets.commit.timeout.ms=300\n"));
    cluster.topic("t", 3, &[]);
    let coordinator = cluster.coordinator("g", &[]);
    assert_eq!(cluster.wire(coordinator).commit("g", OUTSIDE, 1), 0);
    let followers = cluster.followers_of(coordinator);
    followers.iter().for_each(|id| cluster.node(*id).pause());
    support::pass(std::time::Duration::from_millis(300));
    let mut wire = cluster.wire(coordinator);
    // The first may still reach a follower whose fetch was parked when it was stopped; the second cannot.
    wire.send(&commit("g", OUTSIDE, 2), 8);
    let _parked = wire.try_receive::<OffsetCommitRequest>(8);
    wire.send(&commit("g", OUTSIDE, 3), 8);
    let answer =
        wire.try_receive::<OffsetCommitRequest>(8).map(|(_, answer)| answer.topics[0].partitions[0].error_code);
    cluster.node(coordinator).kill();
    followers.iter().for_each(|id| cluster.node(*id).resume());
    let next = cluster.coordinator("g", &[coordinator]);
    (answer, cluster.wire(next).position("g").unwrap())
}

#[test]
fn a_commit_that_no_follower_has_is_not_acknowledged_unless_the_coordinator_is_broken() {
    let (answer, position) = commit_nobody_copies("");
    assert_ne!(answer, Some(0));
    assert!((1..=3).contains(&position));
    let (answer, position) = commit_nobody_copies("stormglass.bug=commit-acked-before-replicated\n");
    assert_eq!(answer, Some(0));
    assert!(position < 3, "acknowledged and lost");
}
