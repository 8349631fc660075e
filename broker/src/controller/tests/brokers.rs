//! Brokers come, lead, fall silent, stop and come back, under one controller.

use super::{PATIENCE, Quorum, three_brokers, until};
use crate::metadata::{
    BrokerId, ControllerClient, ControllerError, PartitionImage, Standing,
    event::Happened,
    rpc::{CreateTopics, IsrProposal, NewTopic, Placement},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

async fn create(client: &ControllerClient, name: &str, partitions: i32, replication_factor: i16) {
    let placement = Placement::Automatic { partitions, replication_factor };
    let topic = NewTopic { name: name.into(), placement, ..NewTopic::default() };
    let created = client.create_topics(CreateTopics { topics: vec![topic], validate_only: false }).await.unwrap();
    assert!(created[0].is_ok(), "{created:?}");
}

fn isr(ids: &[i32]) -> Vec<BrokerId> {
    ids.iter().copied().map(BrokerId).collect()
}

fn proposal(client: &ControllerClient, isr: &[i32]) -> IsrProposal {
    let image = client.image();
    let image = image.borrow();
    let topic = &image.topics["t"];
    let PartitionImage { leader_epoch, partition_epoch, .. } = topic.partitions[0];
    let isr = isr.iter().map(|id| (BrokerId(*id), None)).collect();
    IsrProposal { topic: topic.id, partition: 0, leader_epoch, partition_epoch, isr, recovery: false }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn brokers_become_members_and_see_the_topics_one_of_them_creates() {
    let quorum = Quorum::patient(1);
    let [one, _two, three] = three_brokers(&quorum).await;
    create(&one, "t", 3, 3).await;
    let image = until(&three, |image| image.topics.contains_key("t")).await;
    let leaders: Vec<_> = image.topics["t"].partitions.iter().map(|partition| partition.leader.unwrap().0).collect();
    assert_eq!(leaders, [1, 2, 3]);
    assert_eq!(one.allocate_producer_ids().await.unwrap().first, 0);
    assert_eq!(three.allocate_producer_ids().await.unwrap().first, 1000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_silent_leader_is_fenced_and_the_next_in_sync_replica_leads() {
    let quorum = Quorum::start(1);
    let [one, two, _three] = three_brokers(&quorum).await;
    create(&two, "t", 1, 3).await;
    drop(one);
    let image = until(&two, |image| image.partition("t", 0).is_some_and(|p| p.leader == Some(BrokerId(2)))).await;
    let partition = image.partition("t", 0).unwrap();
    assert_eq!((&partition.isr, partition.leader_epoch.0), (&isr(&[2, 3]), 1));
    assert!(!image.is_alive(BrokerId(1)));
    assert_eq!(quorum.heard.count(|event| matches!(event, Happened::BrokerFenced { .. })), 1);
    assert_eq!(quorum.heard.count(|event| matches!(event, Happened::LeaderElected { .. })), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_replica_that_comes_back_joins_the_isr_when_the_leader_says_so_and_not_while_it_is_fenced() {
    let quorum = Quorum::start(1);
    let [one, two, three] = three_brokers(&quorum).await;
    create(&one, "t", 1, 3).await;
    drop(three);
    until(&one, |image| !image.is_alive(BrokerId(3))).await;
    let refused = one.alter_partition(vec![proposal(&one, &[1, 2, 3])]).await.unwrap();
    assert!(matches!(refused[0], Err(ControllerError::IneligibleReplica(_))), "{refused:?}");
    let three = quorum.client(3);
    three.ready(PATIENCE).await.unwrap();
    until(&one, |image| image.is_alive(BrokerId(3))).await;
    let stale = proposal(&one, &[1]);
    let joined = one.alter_partition(vec![proposal(&one, &[1, 2, 3])]).await.unwrap();
    assert_eq!(joined[0].as_ref().unwrap().isr, isr(&[1, 2, 3]));
    let answers = one.alter_partition(vec![stale]).await.unwrap();
    assert_eq!(answers[0], Err(ControllerError::InvalidUpdateVersion));
    let answers = two.alter_partition(vec![proposal(&two, &[1, 2])]).await.unwrap();
    assert!(matches!(answers[0], Err(ControllerError::InvalidRequest(_) | ControllerError::InvalidUpdateVersion)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_new_process_under_an_old_id_ends_the_old_one() {
    let quorum = Quorum::patient(1);
    let old = quorum.client(1);
    let old_epoch = old.ready(PATIENCE).await.unwrap();
    let new = quorum.client(1);
    let new_epoch = new.ready(PATIENCE).await.unwrap();
    assert!(new_epoch > old_epoch);
    let mut standing = old.standing();
    let ended = timeout(PATIENCE, standing.wait_for(|standing| *standing == Standing::Superseded)).await;
    assert!(ended.is_ok());
    assert_eq!(old.allocate_producer_ids().await, Err(ControllerError::StaleBrokerEpoch));
    assert!(new.allocate_producer_ids().await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_clean_stop_hands_over_before_it_ends_and_keeps_the_last_place_in_the_isr() {
    let quorum = Quorum::patient(1);
    let [one, two, three] = three_brokers(&quorum).await;
    create(&one, "t", 1, 1).await;
    create(&one, "u", 1, 3).await;
    let image = until(&one, |image| image.partition("u", 0).is_some()).await;
    let home = image.partition("t", 0).unwrap().leader.unwrap();
    let stopping = [&one, &two, &three].into_iter().find(|client| client.broker() == home).unwrap();
    let epoch = stopping.stop(PATIENCE).await.unwrap();
    let back = ControllerClient::start(quorum.client_config(home.0, Some(epoch)));
    back.ready(PATIENCE).await.unwrap();
    let image = until(&back, |image| image.partition("t", 0).is_some_and(|p| p.leader == Some(home))).await;
    let partition = image.partition("t", 0).unwrap();
    assert_eq!((&partition.isr, partition.leader_epoch.0, partition.recovery), (&vec![home], 2, false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn bytes_that_make_no_sense_end_their_connection_and_nothing_else() {
    let quorum = Quorum::patient(1);
    let address = quorum.address();
    let call = |body: &str| [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], body.as_bytes()].concat();
    let deep = format!("{{\"id\":1,\"body\":{}", "[".repeat(100_000));
    let garbage = [
        vec![0xff; 64],
        vec![0; 4],
        call("{}"),
        call("{\"id\":-1,\"body\":{\"Broker\":7}}"),
        call("{\"id\":1,\"body\":{\"Raft\":{\"Append\":{}}}}"),
        call(&deep),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
    ];
    for bytes in garbage {
        let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        let mut answer = Vec::new();
        let ended = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap();
        assert!(answer.is_empty(), "{ended:?} {answer:?}");
    }
    let client = quorum.client(1);
    assert!(client.ready(PATIENCE).await.is_ok());
}
