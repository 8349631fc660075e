//! Controllers are killed, stopped, restarted and damaged; what was committed stays.

use std::{fs, io::Write, time::Duration};

use tokio::time::timeout;

use super::{PATIENCE, Quorum, three_brokers, until};
use crate::{
    controller::LOG_FOLDER,
    metadata::{
        BrokerId, ControllerClient, ControllerError,
        event::Happened,
        history,
        ids::ControllerId,
        quorum::Leadership,
        raft::files,
        record::MetadataRecord,
        rpc::{CreateTopics, NewTopic, Placement},
    },
};

/// Creates a topic; asks again as long as nobody can tell whether it was created.
async fn create(client: &ControllerClient, name: &str) {
    let placement = Placement::Automatic { partitions: 3, replication_factor: 3 };
    let topic = NewTopic { name: name.into(), placement, ..NewTopic::default() };
    let ask = CreateTopics { topics: vec![topic], validate_only: false };
    let created = async {
        loop {
            match client.create_topics(ask.clone()).await.as_deref() {
                Ok([Ok(_) | Err(ControllerError::TopicExists(_))]) => return,
                Err(ControllerError::Timeout) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    timeout(PATIENCE, created).await.expect("nobody creates topics");
}

fn fenced(quorum: &Quorum) -> usize {
    quorum.heard.count(|event| matches!(event, Happened::BrokerFenced { .. }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn when_the_active_controller_dies_another_takes_over_and_fences_nobody() {
    let mut quorum = Quorum::patient(3);
    let clients = three_brokers(&quorum).await;
    create(&clients[0], "t").await;
    let first = quorum.leader().await;
    quorum.kill(first);
    let second = quorum.leader().await;
    assert_ne!(first, second);
    create(&clients[1], "u").await;
    until(&clients[2], |image| image.topics.len() == 2).await;
    assert_eq!(fenced(&quorum), 0);
    quorum.restart(first);
    let mut committed = quorum.running[&first].controller.committed();
    let caught_up = committed.wait_for(|committed| committed.image.topics.len() == 2);
    assert!(timeout(PATIENCE, caught_up).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_controller_without_a_majority_neither_decides_nor_says_that_it_leads() {
    let mut quorum = Quorum::patient(3);
    let client = quorum.client(1);
    client.ready(PATIENCE).await.unwrap();
    let leader = quorum.leader().await;
    let others: Vec<_> = quorum.voters.keys().copied().filter(|id| *id != leader).collect();
    others.iter().for_each(|id| quorum.kill(*id));
    let mut leadership = quorum.leadership(leader);
    let gave_up = leadership.wait_for(|leadership| matches!(leadership, Leadership::Elsewhere { .. }));
    assert!(timeout(PATIENCE, gave_up).await.is_ok());
    quorum.restart(others[0]);
    quorum.leader().await;
    assert!(client.allocate_producer_ids().await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stopped_controller_that_wakes_up_follows_and_what_it_left_behind_has_no_effect() {
    let mut quorum = Quorum::patient(3);
    let clients = three_brokers(&quorum).await;
    let first = quorum.leader().await;
    quorum.stop(first);
    quorum.leader().await;
    create(&clients[0], "t").await;
    quorum.resume(first);
    let mut leadership = quorum.leadership(first);
    let deposed = leadership.wait_for(|leadership| matches!(leadership, Leadership::Elsewhere { leader: Some(_), .. }));
    assert!(timeout(PATIENCE, deposed).await.is_ok());
    let mut committed = quorum.running[&first].controller.committed();
    let caught_up = committed.wait_for(|committed| committed.image.topics.contains_key("t"));
    assert!(timeout(PATIENCE, caught_up).await.is_ok());
    assert_eq!(fenced(&quorum), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_a_deposed_controller_is_asked_has_no_effect() {
    let mut quorum = Quorum::patient(3);
    let clients = three_brokers(&quorum).await;
    let first = quorum.leader().await;
    let mut misled = quorum.client_config(9, None);
    misled.voters.retain(|id, _| *id == first);
    misled.attempt_timeout = PATIENCE;
    misled.request_timeout = Duration::from_secs(5);
    let misled = ControllerClient::start(misled);
    misled.ready(PATIENCE).await.unwrap();
    quorum.stop(first);
    let stale = NewTopic { name: "stale".into(), ..NewTopic::default() };
    let asked =
        tokio::spawn(
            async move { misled.create_topics(CreateTopics { topics: vec![stale], validate_only: false }).await },
        );
    quorum.leader().await;
    create(&clients[0], "t").await;
    quorum.resume(first);
    assert_eq!(asked.await.unwrap(), Err(ControllerError::Timeout));
    let image = until(&clients[1], |image| image.topics.contains_key("t")).await;
    assert!(!image.topics.contains_key("stale"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_lone_controller_that_was_stopped_longer_than_a_session_fences_nobody_that_lives() {
    let mut quorum = Quorum::tuned(1, |config| config.session_timeout = Duration::from_secs(2));
    let clients = three_brokers(&quorum).await;
    quorum.stop(ControllerId(100));
    tokio::time::sleep_until(tokio::time::Instant::now() + Duration::from_millis(3500)).await;
    quorum.resume(ControllerId(100));
    create(&clients[0], "t").await;
    assert_eq!(fenced(&quorum), 0);
    drop(clients);
    let client = quorum.client(9);
    until(&client, |image| !image.is_alive(BrokerId(1)) && !image.is_alive(BrokerId(3))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_lone_controller_comes_back_with_everything_committed_even_after_a_torn_write() {
    let mut quorum = Quorum::patient(1);
    let id = ControllerId(100);
    let clients = three_brokers(&quorum).await;
    create(&clients[0], "t").await;
    let before = quorum.image(id);
    quorum.kill(id);
    let segment = files::segments(&quorum.folder_of(id).join(LOG_FOLDER)).unwrap().pop().unwrap();
    let mut file = fs::OpenOptions::new().append(true).open(&segment).unwrap();
    file.write_all(b"000000ff 12345678 {\"Entry\":{\"log_id\"").unwrap();
    quorum.restart(id);
    create(&clients[0], "u").await;
    let after = quorum.image(id);
    assert_eq!(before.topics["t"], after.topics["t"]);
    assert_eq!(fenced(&quorum), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_log_tells_the_history_of_leaders_after_the_controller_is_gone() {
    let mut quorum = Quorum::start(1);
    let id = ControllerId(100);
    let [one, two, three] = three_brokers(&quorum).await;
    create(&one, "t").await;
    drop(one);
    until(&two, |image| !image.is_alive(BrokerId(1))).await;
    let image = quorum.image(id);
    quorum.kill(id);
    let batches = history::read(&quorum.folder_of(id).join(LOG_FOLDER)).unwrap();
    let states = history::partitions(&batches);
    let last = states.iter().rfind(|state| state.at.index == 0).unwrap();
    assert_eq!(Some(&last.state), image.partition("t", 0));
    let leaders: Vec<_> = states.iter().filter(|state| state.at.index == 0).map(|state| state.state.leader).collect();
    assert_eq!(leaders, [Some(BrokerId(1)), Some(BrokerId(2))]);
    let fences = batches.iter().flat_map(|batch| &batch.records);
    assert_eq!(fences.filter(|record| matches!(record, MetadataRecord::FenceBroker { .. })).count(), 1);
    drop((two, three));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_voter_that_was_away_for_more_than_a_snapshot_gets_the_image_and_the_folder_stays_small() {
    let mut quorum = Quorum::tuned(3, |config| config.snapshot_entries = 16);
    let client = quorum.client(1);
    client.ready(PATIENCE).await.unwrap();
    let leader = quorum.leader().await;
    let away = *quorum.voters.keys().find(|id| **id != leader).unwrap();
    quorum.kill(away);
    let mut last = 0;
    for _ in 0..80 {
        last = client.allocate_producer_ids().await.unwrap().first;
    }
    quorum.restart(away);
    let mut committed = quorum.running[&away].controller.committed();
    let caught_up = committed.wait_for(|committed| committed.image.next_producer_id > last);
    assert!(timeout(PATIENCE, caught_up).await.is_ok());
    quorum.kill(away);
    quorum.restart(away);
    assert_eq!(quorum.image(away).next_producer_id, last + 1000);
}
