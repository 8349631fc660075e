//! How a group comes from one generation to the next.

use super::*;

#[test]
fn the_first_member_leads_a_generation_of_its_own_and_works_when_it_has_said_what() {
    let mut world = plain();
    let waiter = world.join(join("", "a"));
    let joined = world.joined(waiter);
    assert_eq!((joined.generation, joined.leader.as_str(), joined.members.len()), (1, "a", 1));
    assert_eq!(joined.protocol.as_deref(), Some("range"));
    assert_eq!(world.state(), "CompletingRebalance");
    let waiter = world.sync(sync("a", 1, [("a".to_owned(), share("a"))].into()));
    assert_eq!(world.share(waiter), share("a"));
    assert_eq!((world.state(), world.beat("a", 1)), ("Stable", Ok(())));
}

#[test]
fn a_dynamic_member_is_counted_when_it_comes_back_with_the_id_it_was_told() {
    let mut world = plain();
    let modest = |member: &str, fresh: &str| Join { manners: Manners::TakesId, ..join(member, fresh) };
    let waiter = world.join(modest("", "a"));
    assert_eq!(world.refused(waiter), (ResponseError::MemberIdRequired, "a".to_owned()));
    assert_eq!(world.state(), "Empty");
    let waiter = world.join(modest("a", "unused"));
    assert_eq!(world.joined(waiter).member, "a");
    let waiter = world.join(modest("b", "unused"));
    assert_eq!(world.refused(waiter).0, ResponseError::UnknownMemberId, "told by nobody");
}

#[test]
fn an_id_that_nobody_comes_back_with_is_forgotten_and_its_group_too() {
    let mut world = plain();
    world.join(Join { manners: Manners::TakesId, ..join("", "a") });
    world.pass(SESSION_MS);
    world.tick();
    assert_eq!(world.state(), "Dead");
    let waiter = world.join(Join { manners: Manners::TakesId, ..join("a", "unused") });
    assert_eq!(world.refused(waiter).0, ResponseError::UnknownMemberId);
}

#[test]
fn a_new_member_has_the_others_join_again_and_nobody_works_until_all_have() {
    let mut world = plain();
    let generation = world.at_work(&["a"]);
    let b = world.join(join("", "b"));
    assert_eq!(world.answer(b), None);
    assert_eq!(world.beat("a", generation), Err(ResponseError::RebalanceInProgress));
    let a = world.join(join("a", "unused"));
    let (a, b) = (world.joined(a), world.joined(b));
    assert_eq!((a.generation, b.generation), (generation + 1, generation + 1));
    assert_eq!((a.members.len(), b.members.len()), (2, 0), "only the leader is told who is in");
    assert_eq!(world.beat("a", generation), Err(ResponseError::IllegalGeneration));
}

#[test]
fn who_does_not_join_again_in_time_is_out() {
    let mut world = plain();
    let generation = world.at_work(&["a", "b"]);
    let c = world.join(join("", "c"));
    let b = world.join(join("b", "unused"));
    for _ in 0..5 {
        world.pass(REBALANCE_MS / 5);
        assert_eq!(world.beat("a", generation), Err(ResponseError::RebalanceInProgress));
        assert_eq!(world.answer(c), None);
        world.tick();
    }
    assert_eq!((world.joined(b).generation, world.joined(c).generation), (generation + 1, generation + 1));
    assert_eq!(world.joined(b).leader, "b", "the leader was among those who came");
    assert_eq!(world.beat("a", generation), Err(ResponseError::UnknownMemberId));
}

#[test]
fn a_group_that_begins_waits_for_more_members_and_again_while_more_come() {
    let mut world = world(Settings { initial_delay_ms: 3000, ..settings() });
    let a = world.join(join("", "a"));
    world.pass(2000);
    let b = world.join(join("", "b"));
    world.pass(1000);
    world.tick();
    assert_eq!(world.answer(a), None, "somebody came while it waited");
    world.pass(3000);
    world.tick();
    assert_eq!((world.joined(a).generation, world.joined(b).generation), (1, 1));
    assert_eq!(world.joined(a).members.len(), 2);
}

#[test]
fn a_group_that_begins_does_not_wait_longer_than_a_rebalance_may_take() {
    let mut world = world(Settings { initial_delay_ms: 20_000, ..settings() });
    let a = world.join(join("", "a"));
    for fresh in ["b", "c", "d"] {
        world.join(join("", fresh));
        world.pass(10_000);
        world.tick();
    }
    assert_eq!(world.joined(a).generation, 1);
}

#[test]
fn a_member_that_is_silent_for_a_session_is_out_and_one_that_speaks_is_not() {
    let mut world = plain();
    let generation = world.at_work(&["a", "b"]);
    world.pass(SESSION_MS - 1);
    assert_eq!(world.beat("a", generation), Ok(()));
    world.pass(1);
    world.tick();
    assert_eq!(world.beat("b", generation), Err(ResponseError::UnknownMemberId));
    assert_eq!(world.beat("a", generation), Err(ResponseError::RebalanceInProgress));
}

#[test]
fn a_member_that_waits_for_the_others_is_not_silent() {
    let mut world = plain();
    world.at_work(&["a", "b"]);
    let a =
        world.join(Join { offer: Offer { rebalance_timeout_ms: 60_000, ..join("", "").offer }, ..join("a", "unused") });
    for _ in 0..3 {
        world.pass(SESSION_MS - 1);
        world.beat("b", 2).unwrap_err();
        world.tick();
    }
    assert_eq!((world.answer(a), world.state()), (None, "PreparingRebalance"));
}

#[test]
fn a_member_that_leaves_has_the_others_share_its_work() {
    let mut world = plain();
    let generation = world.at_work(&["a", "b"]);
    assert_eq!(world.leave(&leaver("b")), Ok(()));
    assert_eq!(world.leave(&leaver("b")), Err(ResponseError::UnknownMemberId));
    let a = world.join(join("a", "unused"));
    assert_eq!((world.joined(a).generation, world.joined(a).members.len()), (generation + 1, 1));
    assert_eq!(world.leave(&leaver("a")), Ok(()));
    assert_eq!(world.state(), "Empty");
}

#[test]
fn a_joiner_that_shares_no_protocol_with_the_members_is_refused() {
    let mut world = plain();
    world.at_work(&["a"]);
    let mut other = join("", "b");
    other.offer.protocols[0].name = "sticky".to_owned();
    let waiter = world.join(other);
    assert_eq!(world.refused(waiter).0, ResponseError::InconsistentGroupProtocol);
    let waiter = world.join(Join { protocol_type: "connect".to_owned(), ..join("", "b") });
    assert_eq!(world.refused(waiter).0, ResponseError::InconsistentGroupProtocol);
    assert_eq!(world.state(), "Stable", "nobody else noticed");
}

#[test]
fn sessions_out_of_bounds_and_unknown_ids_are_refused_and_make_no_group() {
    let mut world = plain();
    let mut hasty = join("", "a");
    hasty.offer.session_timeout_ms = 5999;
    let (hasty, ghost) = (world.join(hasty), world.join(join("a", "unused")));
    assert_eq!(world.refused(hasty).0, ResponseError::InvalidSessionTimeout);
    assert_eq!(world.refused(ghost).0, ResponseError::UnknownMemberId);
    assert_eq!(world.state(), "Dead");
}

#[test]
fn a_full_group_takes_nobody_and_keeps_whom_it_has() {
    let mut world = world(Settings { members_max: 2, ..settings() });
    let generation = world.at_work(&["a", "b"]);
    let waiter = world.join(join("", "c"));
    assert_eq!(world.refused(waiter).0, ResponseError::GroupMaxSizeReached);
    assert_eq!((world.beat("a", generation), world.beat("b", generation)), (Ok(()), Ok(())));
}

#[test]
fn ids_nobody_comes_back_with_are_given_out_only_so_often() {
    let mut world = world(Settings { members_max: usize::MAX, ..settings() });
    let modest = |fresh: String| Join { manners: Manners::TakesId, ..join("", &fresh) };
    let mut last = world.join(modest("first".to_owned()));
    for number in 0..10_000 {
        last = world.join(modest(number.to_string()));
    }
    assert_eq!(world.refused(last).0, ResponseError::GroupMaxSizeReached);
    world.pass(SESSION_MS);
    world.tick();
    last = world.join(modest("later".to_owned()));
    assert_eq!(world.refused(last).0, ResponseError::MemberIdRequired);
}

#[test]
fn a_member_that_lost_its_answer_and_joins_again_is_told_the_same_generation() {
    let mut world = plain();
    let generation = world.at_work(&["a", "b"]);
    let again = world.join(join("b", "unused"));
    assert_eq!(world.joined(again).generation, generation);
    assert_eq!(world.state(), "Stable");
    let leader = world.join(join("a", "unused"));
    assert_eq!((world.answer(leader), world.state()), (None, "PreparingRebalance"), "a leader means it");
}

#[test]
fn a_leader_that_never_says_who_does_what_is_out() {
    let mut world = plain();
    let a = world.join(join("", "a"));
    assert_eq!(world.joined(a).generation, 1);
    for _ in 0..4 {
        world.pass(REBALANCE_MS / 4);
        let _still_there = world.beat("a", 1);
        world.tick();
    }
    assert_eq!(world.state(), "Empty");
}

#[test]
fn syncs_of_another_generation_or_protocol_are_refused() {
    let mut world = plain();
    let generation = world.at_work(&["a"]);
    let old = world.sync(sync("a", generation - 1, BTreeMap::new()));
    let other = world.sync(Sync { protocol: Some("sticky".into()), ..sync("a", generation, BTreeMap::new()) });
    let nobody = world.sync(sync("x", generation, BTreeMap::new()));
    assert_eq!(world.refused(old).0, ResponseError::IllegalGeneration);
    assert_eq!(world.refused(other).0, ResponseError::InconsistentGroupProtocol);
    assert_eq!(world.refused(nobody).0, ResponseError::UnknownMemberId);
}

#[test]
fn an_assignment_that_cannot_be_logged_is_told_to_nobody_and_made_again() {
    let mut world = plain();
    let first = world.join(join("", "a"));
    world.joined(first);
    let waiter = world.waiter();
    let shares = sync("a", 1, [("a".to_owned(), share("a"))].into());
    world.act_in_vain(ResponseError::CoordinatorNotAvailable, |groups, now, out| {
        groups.sync(G, shares, (waiter, now), out);
    });
    assert_eq!(world.refused(waiter).0, ResponseError::CoordinatorNotAvailable);
    assert_eq!(world.state(), "PreparingRebalance");
    let again = world.join(join("a", "unused"));
    assert_eq!(world.joined(again).generation, 2);
}

#[test]
fn every_member_gets_its_own_share_unless_the_coordinator_is_broken() {
    let shares = |mut world: World| {
        let generation = world.at_work(&["a", "b"]);
        let (a, b) = (sync("a", generation, BTreeMap::new()), sync("b", generation, BTreeMap::new()));
        let (a, b) = (world.sync(a), world.sync(b));
        (world.share(a), world.share(b))
    };
    assert_eq!(shares(plain()), (share("a"), share("b")));
    assert_eq!(shares(broken(Bug::TwoOwners)), (share("a"), share("a")), "two owners");
}

#[test]
fn a_new_coordinator_knows_members_generation_and_shares_and_gives_each_a_new_session() {
    let mut before = plain();
    let generation = before.at_work(&["a", "b"]);
    before.pass(SESSION_MS - 1);
    let mut world = before.moved();
    world.pass(SESSION_MS - 1);
    assert_eq!((world.beat("a", generation), world.beat("b", generation)), (Ok(()), Ok(())));
    let waiter = world.sync(sync("b", generation, BTreeMap::new()));
    assert_eq!(world.share(waiter), share("b"));
    world.pass(SESSION_MS);
    world.tick();
    assert_eq!(world.state(), "Empty");
    assert_eq!(world.moved().state(), "Empty");
}
