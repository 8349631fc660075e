//! Three controllers, dedicated or in the brokers: any one of them may die.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use support::batch::{batch, numbered};
use support::{CONTROLLER, Cluster, become_a_node_if_asked, until};

#[test]
fn node_process() {
    become_a_node_if_asked();
}

fn produce(cluster: &Cluster, topic: &str, not: &[i32]) {
    until("an acknowledgement", || {
        let leader = cluster.leader(topic, not);
        (cluster.wire(leader).produce(topic, batch(&numbered("v", 1), None), -1).error_code == 0).then_some(())
    });
}

#[test]
fn each_of_three_controllers_may_die_in_turn_and_leaders_are_still_elected() {
    let mut cluster = Cluster::with_controllers(3, 3, "");
    cluster.topic("t", 3, &[]);
    produce(&cluster, "t", &[]);
    for controller in CONTROLLER..CONTROLLER + 3 {
        cluster.node(controller).kill();
        let leader = cluster.leader("t", &[]);
        cluster.node(leader).kill();
        produce(&cluster, "t", &[leader]);
        cluster.node(controller).start();
        cluster.restart(leader);
        let other = cluster.follower_of(leader);
        until("all in sync", || (cluster.isr(other, "t") == [1, 2, 3]).then_some(()));
    }
    cluster.agree("t", &[1, 2, 3]);
}

#[test]
fn of_three_nodes_that_are_both_any_one_may_die() {
    let mut cluster = Cluster::combined(3, "");
    cluster.topic("t", 3, &[]);
    for id in 1..=3 {
        cluster.node(id).kill();
        produce(&cluster, "t", &[id]);
        let other = cluster.follower_of(id);
        let name = format!("made-without-{id}");
        until("a new topic", || (matches!(cluster.wire(other).create(&name, 1, 2, &[]), 0 | 36)).then_some(()));
        cluster.restart(id);
        until("all in sync", || (cluster.isr(other, "t") == [1, 2, 3]).then_some(()));
    }
    cluster.agree("t", &[1, 2, 3]);
}
