//! Stored positions: who may store them, what survives a move, what expires.

use super::*;

const DAY_MS: u64 = 24 * 3600 * 1000;

#[test]
fn a_member_stores_positions_in_its_own_generation_only() {
    let mut world = plain();
    let generation = world.at_work(&["a"]);
    assert_eq!(world.commit("a", generation, 5), Ok(()));
    assert_eq!(world.position(), Some(5));
    assert_eq!(world.commit("a", generation - 1, 1), Err(ResponseError::IllegalGeneration));
    assert_eq!(world.commit("x", generation, 1), Err(ResponseError::UnknownMemberId));
    assert_eq!(world.commit("", -1, 1), Err(ResponseError::UnknownMemberId), "from outside");
    assert_eq!(world.position(), Some(5));
}

#[test]
fn a_member_that_was_declared_dead_cannot_overwrite_what_its_successor_stored_unless_nobody_looks() {
    let after = |mut world: World| {
        let generation = world.at_work(&["a"]);
        world.pass(SESSION_MS);
        world.tick();
        world.at_work(&["b"]);
        world.commit("b", generation + 2, 9).unwrap();
        let late = world.commit("a", generation, 3);
        (late, world.position())
    };
    assert_eq!(after(plain()), (Err(ResponseError::UnknownMemberId), Some(9)));
    assert_eq!(after(broken(Bug::GenerationUnchecked)), (Ok(()), Some(3)), "the position went back");
}

#[test]
fn a_member_stores_positions_while_others_join_but_not_between_join_and_sync() {
    let mut world = plain();
    let generation = world.at_work(&["a"]);
    world.join(join("", "b"));
    assert_eq!(world.commit("a", generation, 5), Ok(()), "it may finish what it does");
    world.join(join("a", "unused"));
    assert_eq!(world.commit("a", generation + 1, 6), Err(ResponseError::RebalanceInProgress));
}

#[test]
fn a_consumer_without_group_stores_positions_under_a_name_that_has_no_members() {
    let mut world = plain();
    assert_eq!(world.commit("", -1, 5), Ok(()));
    assert_eq!((world.position(), world.state()), (Some(5), "Empty"));
    assert_eq!(world.commit("a", 3, 6), Err(ResponseError::UnknownMemberId));
    assert_eq!(plain().commit("a", 3, 6), Err(ResponseError::IllegalGeneration), "of a group nobody knows");
}

#[test]
fn a_move_of_the_coordinator_keeps_the_newest_position_unless_it_keeps_the_oldest() {
    let after = |mut world: World| {
        for offset in [3, 5, 9] {
            world.commit("", -1, offset).unwrap();
        }
        world.moved().position()
    };
    assert_eq!(after(plain()), Some(9));
    assert_eq!(after(broken(Bug::CommitGoesBack)), Some(3));
}

#[test]
fn positions_of_a_transaction_are_unstable_until_its_marker_and_survive_a_move_in_between() {
    for (commit, stored) in [(true, 7), (false, 3)] {
        let mut world = plain();
        world.commit("", -1, 3).unwrap();
        let value = world.value(7);
        world.act_for(Some(9), |_, _, out| out.records.push(Record::Offset(G.to_owned(), partition(0), value)));
        let mut world = world.moved();
        let stable = world.groups.position(G, &partition(0), true);
        assert_eq!(stable, Err(ResponseError::UnstableOffsetCommit));
        assert_eq!(world.groups.position(G, &partition(0), false).unwrap().unwrap().offset, 3);
        world.groups.mark(9, commit);
        assert_eq!(world.position(), Some(stored));
    }
}

#[test]
fn positions_expire_a_retention_after_the_last_member_left_and_the_group_with_them() {
    let mut world = world(Settings { retention_ms: DAY_MS as i64, ..settings() });
    let generation = world.at_work(&["a"]);
    world.commit("a", generation, 5).unwrap();
    world.pass(SESSION_MS);
    world.tick();
    world.pass(DAY_MS - 1);
    world.expire();
    assert_eq!((world.position(), world.state()), (Some(5), "Empty"));
    world.pass(1);
    world.expire();
    assert_eq!((world.position(), world.state()), (None, "Dead"));
    assert_eq!(world.moved().state(), "Dead");
}

#[test]
fn positions_of_a_group_at_work_do_not_expire_unless_the_rule_is_broken() {
    let after = |mut world: World| {
        let generation = world.at_work(&["a"]);
        world.commit("a", generation, 5).unwrap();
        world.pass(SESSION_MS - 1);
        world.expire();
        world.position()
    };
    assert_eq!(after(plain()), Some(5));
    assert_eq!(after(broken(Bug::LiveOffsetsExpire)), None);
}

#[test]
fn positions_in_a_topic_that_no_member_reads_any_more_expire_also_in_a_group_at_work() {
    let mut world = plain();
    let generation = world.at_work(&["a"]);
    let other = TopicPartition { topic: "other".to_owned(), index: 0 };
    let (mine, others) = (world.value(5), world.value(6));
    world.act(|_, _, out| {
        out.records.push(Record::Offset(G.to_owned(), partition(0), mine));
        out.records.push(Record::Offset(G.to_owned(), other.clone(), others));
    });
    world.pass(SESSION_MS - 1);
    world.beat("a", generation).unwrap();
    world.expire();
    assert_eq!(world.groups.partitions(G), [partition(0)]);
}

#[test]
fn positions_without_group_expire_by_their_own_age() {
    let mut world = plain();
    world.commit("", -1, 5).unwrap();
    world.pass(999);
    world.commit("", -1, 6).unwrap();
    world.pass(999);
    world.expire();
    assert_eq!(world.position(), Some(6));
    world.pass(1);
    world.expire();
    assert_eq!((world.position(), world.state()), (None, "Dead"));
}

#[test]
fn an_empty_group_is_deleted_with_its_positions_and_one_at_work_is_not() {
    let mut world = plain();
    let generation = world.at_work(&["a"]);
    world.commit("a", generation, 5).unwrap();
    let delete = |world: &mut World| world.act(|groups, _, out| groups.delete(G, out));
    assert_eq!(delete(&mut world), Err(ResponseError::NonEmptyGroup));
    world.leave(&leaver("a")).unwrap();
    assert_eq!(delete(&mut world), Ok(()));
    assert_eq!((world.state(), world.moved().state(), world.position()), ("Dead", "Dead", None));
    assert_eq!(delete(&mut world), Err(ResponseError::GroupIdNotFound));
}

#[test]
fn a_position_is_deleted_unless_somebody_subscribes_to_its_topic() {
    let mut world = plain();
    world.at_work(&["a"]);
    let other = TopicPartition { topic: "other".to_owned(), index: 0 };
    let (value, name) = (world.value(5), G.to_owned());
    world.act(|_, _, out| out.records.push(Record::Offset(name, other.clone(), value)));
    let delete = |world: &mut World, partition: &TopicPartition| {
        world.act(|groups, _, out| groups.delete_position(G, partition, out))
    };
    assert_eq!(delete(&mut world, &partition(0)), Err(ResponseError::GroupSubscribedToTopic));
    assert_eq!(delete(&mut world, &other), Ok(()));
    assert_eq!(world.groups.partitions(G), []);
    assert_eq!(world.state(), "Stable");
}

#[test]
fn positions_go_with_their_topic() {
    let mut world = plain();
    world.commit("", -1, 5).unwrap();
    world.act(|groups, _, out| groups.forget_topics(|topic| topic == "other", out));
    assert_eq!(world.position(), Some(5));
    world.act(|groups, _, out| groups.forget_topics(|topic| topic == "t", out));
    assert_eq!((world.position(), world.state()), (None, "Dead"));
}
