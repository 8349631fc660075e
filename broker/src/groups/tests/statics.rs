//! Static members (KIP-345): who comes back under the same instance id.

use super::*;

fn fixed(member: &str, fresh: &str) -> Join {
    let mut join = Join { manners: Manners::TakesId, ..join(member, fresh) };
    join.who.instance = Some("i".to_owned());
    join
}

fn instance(member: &str) -> Leaver {
    Leaver { member: member.to_owned(), instance: Some("i".to_owned()) }
}

/// A group of one static member, which has id `one`, and a dynamic one, `b`.
fn at_work(first: &str) -> (World, i32) {
    let mut world = plain();
    let mut waits = BTreeMap::new();
    let mut joins = vec![("one", fixed("", "one")), ("b", join("", "b"))];
    if first == "b" {
        joins.reverse();
    }
    for (id, join) in joins {
        waits.insert(id, world.join(join));
    }
    let again = if first == "b" { join("b", "unused") } else { fixed("one", "unused") };
    waits.insert(first, world.join(again));
    let generation = world.joined(waits[first]).generation;
    let shares = [("one".to_owned(), share("one")), ("b".to_owned(), share("b"))].into();
    world.sync(sync(first, generation, shares));
    assert_eq!(world.state(), "Stable");
    (world, generation)
}

#[test]
fn a_static_member_that_returns_gets_its_share_under_a_new_id_and_nobody_else_notices() {
    for leader in ["one", "b"] {
        let (mut world, generation) = at_work(leader);
        let waiter = world.join(fixed("", "two"));
        let joined = world.joined(waiter);
        assert_eq!((joined.generation, joined.member.as_str()), (generation, "two"));
        assert_eq!(joined.leader, leader, "before version 9 a leader that returns is told of the id it had");
        let waiter = world.sync(sync("two", generation, BTreeMap::new()));
        assert_eq!((world.share(waiter), world.state()), (share("one"), "Stable"));
        assert_eq!(world.beat("b", generation), Ok(()));
        let moved = world.moved().groups.describe(G).unwrap();
        assert!(moved.members.iter().any(|member| member.id == "two"), "a new coordinator knows the new id");
    }
}

#[test]
fn a_leader_that_understands_it_is_told_to_leave_the_assignment_as_it_is() {
    let (mut world, _) = at_work("one");
    let waiter = world.join(Join { manners: Manners::SkipsAssignment, ..fixed("", "two") });
    let joined = world.joined(waiter);
    assert_eq!((joined.skip_assignment, joined.leader.as_str(), joined.members.len()), (true, "two", 2));
}

#[test]
fn the_earlier_self_of_a_static_member_is_fenced_in_everything_it_does() {
    let (mut world, generation) = at_work("b");
    world.join(fixed("", "two"));
    let heartbeat = world.act(|groups, now, _| groups.heartbeat(G, &instance("one"), generation, now));
    assert_eq!(heartbeat, Err(ResponseError::FencedInstanceId));
    assert_eq!(world.leave(&instance("one")), Err(ResponseError::FencedInstanceId));
    let by = Committer { who: instance("one"), generation };
    let commit = world.act(|groups, now, _| groups.may_commit(G, &by, false, now));
    assert_eq!(commit, Err(ResponseError::FencedInstanceId));
    let waiter = world.join(fixed("one", "unused"));
    assert_eq!(world.refused(waiter).0, ResponseError::FencedInstanceId);
    let waiter = world.sync(Sync { instance: Some("i".to_owned()), ..sync("one", generation, BTreeMap::new()) });
    assert_eq!(world.refused(waiter).0, ResponseError::FencedInstanceId);
}

#[test]
fn an_earlier_self_that_still_waits_is_told_that_it_is_one_too_many() {
    let mut world = plain();
    world.at_work(&["a"]);
    let (one, two) = (world.join(fixed("", "one")), world.join(fixed("", "two")));
    assert_eq!(world.refused(one).0, ResponseError::FencedInstanceId);
    let a = world.join(join("a", "unused"));
    assert_eq!((world.joined(two).member.as_str(), world.joined(a).members.len()), ("two", 2));
}

#[test]
fn a_static_member_that_was_silent_through_a_rebalance_keeps_its_place_while_its_session_lasts() {
    let (mut world, generation) = at_work("one");
    let quick = |member: &str, fresh: &str| {
        let mut join = join(member, fresh);
        join.offer.rebalance_timeout_ms = 1000;
        join
    };
    // Everybody's rebalance timeout is that of the static member until it is gone; it is longer than its session.
    let c = world.join(quick("", "c"));
    let b = world.join(quick("b", "unused"));
    world.pass(SESSION_MS - 1);
    world.tick();
    assert_eq!((world.answer(b), world.answer(c)), (None, None));
    world.pass(1);
    world.tick();
    assert_eq!((world.joined(b).generation, world.joined(c).generation), (generation + 1, generation + 1));
}

#[test]
fn a_static_member_that_returns_with_other_protocols_causes_a_rebalance() {
    let (mut world, _) = at_work("b");
    let mut other = fixed("", "two");
    other.offer.protocols.insert(0, Protocol { name: "sticky".to_owned(), metadata: Bytes::new() });
    let waiter = world.join(other);
    assert_eq!(world.state(), "Stable", "what all can do is as before");
    world.joined(waiter);
    let mut b = join("b", "unused");
    b.offer.protocols.insert(0, Protocol { name: "sticky".to_owned(), metadata: Bytes::new() });
    let waiter = world.join(b);
    assert_eq!((world.answer(waiter), world.state()), (None, "PreparingRebalance"));
}

#[test]
fn a_new_id_that_cannot_be_logged_leaves_the_old_one_valid() {
    let (mut world, generation) = at_work("one");
    let waiter = world.waiter();
    world.act_in_vain(ResponseError::CoordinatorNotAvailable, |groups, now, out| {
        groups.join(G, fixed("", "two"), (waiter, now), out);
    });
    assert_eq!(world.refused(waiter).0, ResponseError::CoordinatorNotAvailable);
    let heartbeat = |member: &str| Leaver { member: member.to_owned(), instance: Some("i".to_owned()) };
    let beat = |world: &mut World, who: Leaver| world.act(|groups, now, _| groups.heartbeat(G, &who, generation, now));
    assert_eq!(beat(&mut world, heartbeat("one")), Ok(()));
    assert_eq!(beat(&mut world, heartbeat("two")), Err(ResponseError::FencedInstanceId));
}

#[test]
fn a_tool_may_have_a_static_member_leave_by_its_instance_alone() {
    let (mut world, generation) = at_work("b");
    assert_eq!(world.leave(&instance("")), Ok(()));
    assert_eq!(world.leave(&instance("")), Err(ResponseError::UnknownMemberId));
    assert_eq!(world.beat("b", generation), Err(ResponseError::RebalanceInProgress));
}
