//! Brokers come, live, fall silent and go.
//!
//! - A new incarnation takes its id over at once: it gets a new epoch and starts out fenced; the old one is dead, whatever it thinks, and
//!   every request with its epoch is refused. (Kafka makes it wait for the old session to end: DUPLICATE_BROKER_REGISTRATION.)
//! - Unless it proves a clean stop by the epoch it had, its log may lack a tail: with ELR on it leaves ISR and ELR (KIP-966).
//! - A fenced broker leads nothing and leaves every ISR of which it is not the last member.
//! - It is unfenced once it has applied what took its leaderships from it ([`must_apply`](crate::metadata::BrokerImage::must_apply)), and
//!   then stands for election where nobody leads.

use super::View;
use crate::metadata::{
    error::ControllerError,
    ids::{BrokerEpoch, BrokerId},
    record::{FenceReason, MetadataRecord, Registration},
    rpc::{Heartbeat, HeartbeatAnswer, RegisterBroker, Registered, Wish},
};

/// Most brokers a cluster can have.
pub const BROKERS_MAX: usize = 1000;

/// A broker introduces itself; asking again with the same incarnation changes nothing.
///
/// # Errors
/// [`ControllerError::InvalidRequest`], [`ControllerError::PolicyViolation`].
pub fn register(view: View<'_>, ask: &RegisterBroker) -> Result<(Vec<MetadataRecord>, Registered), ControllerError> {
    let known = view.image.brokers.get(&ask.broker);
    if let Some(known) = known.filter(|known| known.incarnation == ask.incarnation) {
        return Ok((Vec::new(), Registered { epoch: known.epoch }));
    }
    if ask.broker.0 < 0 || ask.host.is_empty() {
        return Err(ControllerError::InvalidRequest("a broker needs an id of 0 or more and a host".into()));
    }
    if known.is_none() && view.image.brokers.len() >= BROKERS_MAX {
        return Err(ControllerError::PolicyViolation(format!("{BROKERS_MAX} brokers are registered")));
    }
    let epoch = BrokerEpoch(view.image.last_broker_epoch.0.saturating_add(1));
    let registration = Registration {
        broker: ask.broker,
        epoch,
        incarnation: ask.incarnation,
        host: ask.host.clone(),
        port: ask.port,
        rack: ask.rack.clone(),
    };
    let clean = known.is_none_or(|known| ask.previous_epoch == Some(known.epoch));
    let mut records = vec![MetadataRecord::RegisterBroker(registration)];
    records.extend(without(view, ask.broker, !clean && view.elr()));
    Ok((records, Registered { epoch }))
}

/// A broker says that it lives, and what it wants.
///
/// # Errors
/// [`ControllerError::BrokerNotRegistered`], [`ControllerError::StaleBrokerEpoch`].
pub fn heartbeat(view: View<'_>, beat: &Heartbeat) -> Result<(Vec<MetadataRecord>, HeartbeatAnswer), ControllerError> {
    let known = view.incarnation(beat.broker, beat.epoch)?;
    let caught_up = beat.applied >= known.must_apply;
    let (records, fenced) = match beat.wish {
        Wish::Stop if !known.fenced => (fence(view, beat.broker, FenceReason::Shutdown), true),
        Wish::Run if known.fenced && caught_up => (unfence(view, beat.broker), false),
        Wish::Run | Wish::Stop => (Vec::new(), known.fenced),
    };
    Ok((records, HeartbeatAnswer { fenced, caught_up, version: view.image.version }))
}

/// A broker leads nothing from here on; nothing happens to one that is fenced or unknown.
pub fn fence(view: View<'_>, broker: BrokerId, reason: FenceReason) -> Vec<MetadataRecord> {
    let known = view.image.brokers.get(&broker).filter(|known| !known.fenced);
    let Some(known) = known else { return Vec::new() };
    let mut records = vec![MetadataRecord::FenceBroker { broker, epoch: known.epoch, reason }];
    records.extend(without(view, broker, false));
    records
}

/// A broker may lead.
fn unfence(view: View<'_>, broker: BrokerId) -> Vec<MetadataRecord> {
    let known = view.image.brokers.get(&broker).filter(|known| known.fenced);
    let Some(known) = known else { return Vec::new() };
    let elections = view.change_partitions(
        |_, partition| partition.leader.is_none() && partition.replicas.contains(&broker),
        |draft| draft,
        |candidate| candidate == broker || view.image.is_alive(candidate),
    );
    let mut records = vec![MetadataRecord::UnfenceBroker { broker, epoch: known.epoch }];
    records.extend(elections);
    records
}

fn without(view: View<'_>, broker: BrokerId, distrusted: bool) -> Vec<MetadataRecord> {
    view.change_partitions(
        |_, partition| partition.replicas.contains(&broker),
        |draft| if distrusted { draft.distrusting(broker) } else { draft.without(broker) },
        |candidate| candidate != broker && view.image.is_alive(candidate),
    )
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        controller::decide::cluster,
        metadata::ids::{Incarnation, Version},
    };

    fn newcomer(broker: i32, previous_epoch: Option<i64>) -> RegisterBroker {
        RegisterBroker {
            broker: BrokerId(broker),
            incarnation: Incarnation(Uuid::from_u128(99)),
            host: "127.0.0.1".into(),
            port: 9093,
            rack: None,
            previous_epoch: previous_epoch.map(BrokerEpoch),
        }
    }

    fn partition_after(brokers: &str, topic: &str, decide: impl Fn(View<'_>) -> Vec<MetadataRecord>) -> String {
        let image = cluster::of(brokers, topic);
        let records = decide(cluster::view(&image));
        cluster::text(cluster::after(&image, &records).partition("t", 0).unwrap())
    }

    fn registered(topic: &str, previous_epoch: Option<i64>) -> String {
        partition_after("1 2 3", topic, |view| register(view, &newcomer(2, previous_epoch)).unwrap().0)
    }

    #[test]
    fn a_new_incarnation_gets_a_new_epoch_and_the_old_one_is_refused() {
        let image = cluster::of("1 2 3", "");
        let (records, answer) = register(cluster::view(&image), &newcomer(2, None)).unwrap();
        assert_eq!(answer.epoch, BrokerEpoch(31));
        let image = cluster::after(&image, &records);
        assert!(!image.is_alive(BrokerId(2)));
        let view = cluster::view(&image);
        assert_eq!(view.incarnation(BrokerId(2), BrokerEpoch(20)).err(), Some(ControllerError::StaleBrokerEpoch));
        assert!(view.incarnation(BrokerId(2), BrokerEpoch(31)).is_ok());
        assert_eq!(view.incarnation(BrokerId(7), BrokerEpoch(31)).err(), Some(ControllerError::BrokerNotRegistered));
    }

    #[test]
    fn the_same_incarnation_asking_again_keeps_its_epoch() {
        let image = cluster::of("1 2 3", "t 2,1 isr=1,2 leader=2");
        let mut again = newcomer(2, None);
        again.incarnation = image.brokers[&BrokerId(2)].incarnation;
        let (records, answer) = register(cluster::view(&image), &again).unwrap();
        assert_eq!((records, answer.epoch), (Vec::new(), BrokerEpoch(20)));
    }

    #[test]
    fn a_leader_that_restarts_loses_its_partitions_even_before_its_session_ended() {
        assert_eq!(registered("t 2,1,3 isr=1,2,3 leader=2", None), "2,1,3 isr=1,3 leader=1 e=1 p=1");
    }

    #[test]
    fn the_last_of_the_isr_keeps_its_place_after_a_clean_stop_and_loses_it_after_an_unclean_one() {
        let topic = "t 2,4 isr=2 last=2";
        assert_eq!(registered(topic, Some(20)), "2,4 isr=2 last=2 e=0 p=0");
        assert_eq!(registered(topic, None), "2,4 isr= last=2 e=0 p=1");
        assert_eq!(registered(topic, Some(19)), "2,4 isr= last=2 e=0 p=1");
    }

    fn fenced(brokers: &str, topic: &str, broker: i32) -> String {
        partition_after(brokers, topic, |view| fence(view, BrokerId(broker), FenceReason::SessionExpired))
    }

    #[test]
    fn a_fenced_leader_hands_over_in_replica_order_and_leaves_the_isr() {
        let table = [
            ("1 2 3", "t 1,2,3 isr=1,2,3 leader=1", 1, "1,2,3 isr=2,3 leader=2 e=1 p=1"),
            ("1 2- 3", "t 1,2,3 isr=1,3 leader=1", 1, "1,2,3 isr=3 leader=3 e=1 p=1"),
            ("1 2 3", "t 1,2,3 isr=1,2,3 leader=1", 3, "1,2,3 isr=1,2 leader=1 e=0 p=1"),
            ("1 2 3", "t 1,2,3 isr=1 leader=1", 1, "1,2,3 isr=1 last=1 e=1 p=1"),
            ("1 2 3", "t 1,2,3 isr=1,2 leader=1", 3, "1,2,3 isr=1,2 leader=1 e=0 p=0"),
        ];
        for (brokers, topic, broker, expected) in table {
            assert_eq!(fenced(brokers, topic, broker), expected, "{brokers} | {topic} | {broker}");
        }
    }

    #[test]
    fn fencing_a_fenced_broker_decides_nothing() {
        let image = cluster::of("1- 2", "t 1,2 isr=1 last=1");
        assert_eq!(fence(cluster::view(&image), BrokerId(1), FenceReason::SessionExpired), Vec::new());
    }

    fn beat(applied: u64, wish: Wish) -> Heartbeat {
        Heartbeat { broker: BrokerId(1), epoch: BrokerEpoch(10), applied: Version(applied), wish }
    }

    #[test]
    fn a_fenced_broker_is_unfenced_once_it_knows_that_it_was_fenced_and_not_before() {
        let image = cluster::of("1- 2-", "t 1,2 isr=1 last=1");
        let answer = |applied| heartbeat(cluster::view(&image), &beat(applied, Wish::Run)).unwrap();
        let (records, late) = answer(4);
        assert_eq!((records, late.fenced, late.caught_up), (Vec::new(), true, false));
        let (records, ready) = answer(5);
        assert_eq!((ready.fenced, ready.caught_up), (false, true));
        let image = cluster::after(&image, &records);
        assert_eq!(cluster::text(image.partition("t", 0).unwrap()), "1,2 isr=1 leader=1 e=1 p=1");
    }

    #[test]
    fn a_broker_that_wants_to_stop_is_fenced_and_stays_so() {
        let image = cluster::of("1 2", "t 1,2 isr=1,2 leader=1");
        let (records, answer) = heartbeat(cluster::view(&image), &beat(9, Wish::Stop)).unwrap();
        assert!(answer.fenced);
        let image = cluster::after(&image, &records);
        assert_eq!(cluster::text(image.partition("t", 0).unwrap()), "1,2 isr=2 leader=2 e=1 p=1");
        let (records, answer) = heartbeat(cluster::view(&image), &beat(9, Wish::Stop)).unwrap();
        assert_eq!((records, answer.fenced), (Vec::new(), true));
    }

    #[test]
    fn a_registration_that_makes_no_sense_is_refused() {
        let image = cluster::of("1", "");
        assert!(register(cluster::view(&image), &newcomer(-1, None)).is_err());
        assert!(register(cluster::view(&image), &RegisterBroker { host: String::new(), ..newcomer(1, None) }).is_err());
    }
}
