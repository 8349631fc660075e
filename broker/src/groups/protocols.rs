//! Which way of sharing out work a group takes: one that every member can do, by vote.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Buf;

use super::member::{Member, Protocol};

/// The protocol type of consumers; the only one whose metadata is looked into, for topic names.
pub const CONSUMER: &str = "consumer";

/// Whether a joiner with these can work with all of those.
pub fn common(joiner: &[Protocol], members: &BTreeMap<String, Member>) -> bool {
    joiner.iter().any(|offered| members.values().all(|member| member.can(&offered.name)))
}

/// The protocol most members like best among those that all can do; the first by name where votes are equal.
pub fn elect(members: &BTreeMap<String, Member>) -> Option<String> {
    let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
    for member in members.values() {
        let mut able = member.offer.protocols.iter().map(|offered| offered.name.as_str());
        let best = able.find(|name| members.values().all(|other| other.can(name)));
        *votes.entry(best?).or_default() += 1;
    }
    let most = votes.values().copied().max()?;
    votes.into_iter().find(|(_, count)| *count == most).map(|(name, _)| name.to_owned())
}

/// The topics a group of consumers subscribes to; none if that cannot be told.
pub fn subscribed(members: &BTreeMap<String, Member>, protocol: &str) -> Option<BTreeSet<String>> {
    let mut topics = BTreeSet::new();
    for member in members.values() {
        topics.append(&mut topics_of(&member.metadata(protocol))?);
    }
    Some(topics)
}

/// The topic names at the front of a consumer's subscription: version i16, then an array of strings.
fn topics_of(mut metadata: &[u8]) -> Option<BTreeSet<String>> {
    metadata.try_get_i16().ok().filter(|version| *version >= 0)?;
    let count = metadata.try_get_i32().ok().filter(|count| *count >= 0)?;
    let mut topics = BTreeSet::new();
    for _ in 0..count {
        let length = usize::try_from(metadata.try_get_i16().ok()?).ok()?;
        let name = metadata.split_off(..length)?;
        topics.insert(std::str::from_utf8(name).ok()?.to_owned());
    }
    Some(topics)
}

#[cfg(test)]
mod tests {
    use super::super::Waiter;
    use super::super::member::{Identity, Offer};
    use super::super::settings::Now;
    use super::*;
    use bytes::Bytes;

    fn group(offers: &[&[&str]]) -> BTreeMap<String, Member> {
        let members = offers.iter().enumerate().map(|(number, names)| {
            let id = number.to_string();
            let who = Identity { id: id.clone(), instance: None, client: String::new(), host: String::new() };
            let offer = Offer { rebalance_timeout_ms: 1, session_timeout_ms: 1, protocols: protocols(names) };
            (id, Member::new(who, offer, Waiter(0), Now { mono_ms: 0, wall_ms: 0 }))
        });
        members.collect()
    }

    fn protocols(names: &[&str]) -> Vec<Protocol> {
        names.iter().map(|name| Protocol { name: (*name).to_owned(), metadata: Bytes::new() }).collect()
    }

    #[test]
    fn the_best_liked_of_what_all_can_do_wins_even_if_some_like_another_more() {
        let members = group(&[&["sticky", "range"], &["range"], &["sticky", "range"]]);
        assert_eq!(elect(&members).as_deref(), Some("range"));
        let members = group(&[&["sticky", "range"], &["range", "sticky"], &["sticky", "range"]]);
        assert_eq!(elect(&members).as_deref(), Some("sticky"));
    }

    #[test]
    fn a_joiner_must_share_one_protocol_with_all_and_not_a_different_one_with_each() {
        let members = group(&[&["a", "b"], &["b", "c"]]);
        assert!(common(&protocols(&["x", "b"]), &members));
        assert!(!common(&protocols(&["a", "c"]), &members));
    }

    #[test]
    fn topics_are_read_from_a_subscription_and_a_length_without_bytes_is_no_subscription() {
        let whole = b"\0\x01\0\0\0\x02\0\x01a\0\x02bc\xff\xff\xff\xff";
        assert_eq!(topics_of(whole), Some(BTreeSet::from(["a".to_owned(), "bc".to_owned()])));
        assert_eq!(topics_of(b"\0\x01\x7f\xff\xff\xff\0\x01a"), None);
        assert_eq!(topics_of(b""), None);
    }
}
