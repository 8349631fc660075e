//! Controllers are killed, restarted and stopped at random while brokers ask; in the end all logs tell the same story.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::{sync::mpsc, task::JoinSet, time::timeout};

use super::{PATIENCE, Quorum, three_brokers};
use crate::{
    controller::LOG_FOLDER,
    metadata::{ControllerClient, history, ids::ControllerId, record::CommittedBatch},
};

const ROUNDS: u64 = 12;
const BLOCKS_A_ROUND: usize = 30;

/// Takes blocks of producer ids until nobody wants to know them.
async fn take_blocks(client: ControllerClient, given: mpsc::Sender<i64>) {
    while !given.is_closed() {
        if let Ok(block) = client.allocate_producer_ids().await {
            let _enough = given.send(block.first).await;
        }
    }
}

/// One fault, and its end, at a time: with three voters a majority is always left.
async fn hit(quorum: &mut Quorum, round: u64) {
    let leader = quorum.leader().await;
    let other = ControllerId(100 + i32::try_from(round * 7 % 3).unwrap());
    match round % 4 {
        0 => {
            quorum.kill(leader);
            quorum.leader().await;
            quorum.restart(leader);
        }
        1 => {
            quorum.stop(leader);
            quorum.leader().await;
            quorum.resume(leader);
        }
        2 => {
            quorum.kill(other);
            quorum.leader().await;
            quorum.restart(other);
        }
        _ => {
            let all: Vec<_> = quorum.voters.keys().copied().collect();
            all.iter().for_each(|id| quorum.kill(*id));
            all.iter().for_each(|id| quorum.restart(*id));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_to_controllers_nothing_acknowledged_is_lost_or_given_twice() {
    let mut quorum = Quorum::tuned(3, |config| config.snapshot_entries = 64);
    let clients = three_brokers(&quorum).await;
    let (give, mut given) = mpsc::channel(1);
    let takers: JoinSet<()> = clients.iter().map(|client| take_blocks(client.clone(), give.clone())).collect();
    let mut distinct = BTreeSet::new();
    for round in 0..ROUNDS {
        hit(&mut quorum, round).await;
        for _ in 0..BLOCKS_A_ROUND {
            let block = timeout(PATIENCE, given.recv()).await.expect("nobody gets blocks").unwrap();
            assert!(distinct.insert(block), "block {block} was given twice");
        }
    }
    drop((given, takers));
    let last = clients[0].allocate_producer_ids().await.unwrap().first;
    assert!(distinct.iter().all(|block| *block < last));
    wait_until_equal(&quorum).await;
    all_logs_agree(quorum);
}

async fn wait_until_equal(quorum: &Quorum) {
    let equal = async {
        loop {
            let images: Vec<_> = quorum.voters.keys().map(|id| quorum.image(*id)).collect();
            if images.windows(2).all(|pair| pair[0] == pair[1]) {
                return;
            }
            let mut committed = quorum.running[&ControllerId(100)].controller.committed();
            let _looks_again = timeout(Duration::from_millis(20), committed.changed()).await;
        }
    };
    timeout(PATIENCE, equal).await.expect("the images differ");
}

fn all_logs_agree(mut quorum: Quorum) {
    let ids: Vec<_> = quorum.voters.keys().copied().collect();
    ids.iter().for_each(|id| quorum.kill(*id));
    let mut agreed: BTreeMap<u64, CommittedBatch> = BTreeMap::new();
    for id in ids {
        for batch in history::read(&quorum.folder_of(id).join(LOG_FOLDER)).unwrap() {
            let known = agreed.entry(batch.version.0).or_insert_with(|| batch.clone());
            assert_eq!(*known, batch, "controller {id} tells another story");
        }
    }
    let versions: Vec<_> = agreed.values().map(|batch| batch.version).collect();
    let bases: Vec<_> = agreed.values().map(|batch| batch.base).collect();
    assert_eq!(versions[..versions.len() - 1], bases[1..], "a batch is missing");
}
