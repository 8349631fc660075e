//! The lines of a Kafka server log that tell of a partition's life: `[2026-11-25 21:28:35,501] INFO MESSAGE (LOGGER)`.
//!
//! Times are taken for UTC. Pure: a line in, an event or nothing out.

use super::event::What;
use crate::wall::Wall;
use history::{LeaderEpoch, Offset};

/// A line that matters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line<'a> {
    /// When.
    pub wall: Wall,
    /// `TOPIC-PARTITION`, if one is concerned.
    pub partition: Option<&'a str>,
    /// What.
    pub what: What,
}

/// What a line says, if it matters.
pub fn parse(line: &str) -> Option<Line<'_>> {
    let (time, rest) = line.strip_prefix('[')?.split_once("] ")?;
    let wall = time_of(time)?;
    let (_, message) = rest.split_once(' ')?;
    let message = message.rsplit_once(" (").map_or(message, |(message, _)| message);
    let (partition, what) =
        role(message).or_else(|| truncation(message)).or_else(|| recovery(message)).or_else(|| start_moved(message))?;
    Some(Line { wall, partition, what })
}

/// When a line was written, if it begins with that: lines without a time belong to the last one with one.
pub fn time(line: &str) -> Option<Wall> {
    time_of(line.strip_prefix('[')?.split_once(']')?.0)
}

/// What a line that belongs to one before it says, if it matters: partition and event.
///
/// `\tLog cleaner thread 0 cleaned log q-3 (dirty section = [2134, 2682])`
pub fn continued(line: &str) -> Option<(&str, What)> {
    let rest = line.strip_prefix("\tLog cleaner thread ")?.split_once(" cleaned log ")?.1;
    let (partition, section) = rest.split_once(" (dirty section = [")?;
    let until = section.split_once(", ")?.1.split_once(']')?.0.parse().ok().map(Offset);
    Some((partition, What::Compacted { until, told: line.trim().to_owned() }))
}

type Found<'a> = (Option<&'a str>, What);

/// `[Broker id=1] Follower q-1 starts at leader epoch 1 from offset 192 with partition epoch 1 and high watermark 109. …`
fn role(message: &str) -> Option<Found<'_>> {
    let message = message.strip_prefix("[Broker id=")?.split_once("] ")?.1;
    let leads = message.starts_with("Leader ");
    let message = message.strip_prefix("Leader ").or_else(|| message.strip_prefix("Follower "))?;
    let partition = message.split(' ').next()?;
    let what = What::Role {
        leads,
        epoch: LeaderEpoch(number(message, "starts at leader epoch ")? as i32),
        end: Offset(number(message, "from offset ")?),
        high_watermark: Offset(number(message, "high watermark ")?),
    };
    Some((Some(partition), what))
}

/// `… Truncating partition q-1 with TruncationState(offset=192, completed=true) due to leader epoch and offset EpochEndOffset(…)`
/// `[UnifiedLog partition=q-1, dir=…] Truncating to offset 192`
fn truncation(message: &str) -> Option<Found<'_>> {
    if let Some((_, rest)) = message.split_once("Truncating partition ") {
        let why = rest.split_once(" due to ").map_or(rest, |(_, why)| why).to_owned();
        let to = Offset(number(rest, "TruncationState(offset=")?);
        return Some((rest.split(' ').next(), What::Truncated { from: None, to, why }));
    }
    let (head, to) = message.split_once("] Truncating to offset ")?;
    let to = Offset(to.trim().parse().ok()?);
    let partition = head.split_once("partition=")?.1.split(',').next()?;
    Some((Some(partition), What::Truncated { from: None, to, why: "the log was cut".into() }))
}

/// `Recovering 7 logs from DIR since no clean shutdown file was found`
/// `… Recovering unflushed segment 0. 0 recovered for q-3.`
fn recovery(message: &str) -> Option<Found<'_>> {
    if let Some((_, told)) = message.split_once("Recovering unflushed segment ") {
        let partition = told.split_once("recovered for ")?.1.trim_end_matches('.');
        return Some((Some(partition), What::Recovered { told: format!("Recovering unflushed segment {told}") }));
    }
    let unclean = message.starts_with("Recovering ") && message.contains("no clean shutdown file was found");
    unclean.then(|| (None, What::Recovered { told: message.to_owned() }))
}

/// `[UnifiedLog partition=q-1, dir=…] Incremented log start offset to 50 due to client delete records request`
fn start_moved(message: &str) -> Option<Found<'_>> {
    let (head, rest) = message.split_once("] Incremented log start offset to ")?;
    let partition = head.split_once("partition=")?.1.split(',').next()?;
    let (to, why) = rest.split_once(" due to ")?;
    Some((Some(partition), What::StartMoved { to: Offset(to.parse().ok()?), why: why.to_owned() }))
}

fn number(text: &str, after: &str) -> Option<i64> {
    let rest = text.split_once(after)?.1;
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(rest.len());
    rest[..end].parse().ok()
}

/// `2026-11-25 21:28:35,501`.
fn time_of(text: &str) -> Option<Wall> {
    let (date, time) = text.split_once(' ')?;
    let mut date = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (time, ms) = time.split_once([',', '.'])?;
    let mut time = time.splitn(3, ':').map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    let plausible = (1970..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !plausible || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    Some(Wall((seconds * 1000 + ms.parse::<u64>().ok().filter(|ms| *ms < 1000)?) * 1_000_000))
}

/// Days since 1970 of a date of the Gregorian calendar, years beginning in March.
fn days(year: i64, month: i64, day: i64) -> u64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_era = year.rem_euclid(400) * 365 + year.rem_euclid(400) / 4 - year.rem_euclid(400) / 100;
    let of_year = (153 * month + 2) / 5 + day - 1;
    (year.div_euclid(400) * 146_097 + of_era + of_year - 719_468).max(0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_tells_where_the_log_ended() {
        let line = "[2026-11-25 21:28:22,921] INFO [Broker id=3] Leader stormglass-1 with topic id Some(0pNB7lO2SJuo0di1Q4y7NA) \
                    starts at leader epoch 1 from offset 192 with partition epoch 1, high watermark 109, ISR [3,1], adding \
                    replicas [] and removing replicas [] . Previous leader Some(2) and previous leader epoch was 0. \
                    (state.change.logger)";
        let told = parse(line).unwrap();
        assert_eq!(
            (told.wall.to_string().as_str(), told.partition),
            ("2026-11-25T21:28:22.921Z", Some("stormglass-1"))
        );
        let (leads, epoch, end, high_watermark) = (true, LeaderEpoch(1), Offset(192), Offset(109));
        assert_eq!(told.what, What::Role { leads, epoch, end, high_watermark });
    }

    #[test]
    fn a_truncation_tells_where_to_and_why() {
        let line = "[2026-11-25 21:28:35,501] INFO [ReplicaFetcher replicaId=2, leaderId=3, fetcherId=0] Truncating partition \
                    stormglass-1 with TruncationState(offset=192, completed=true) due to leader epoch and offset \
                    EpochEndOffset(errorCode=0, partition=1, leaderEpoch=0, endOffset=192) (kafka.server.ReplicaFetcherThread)";
        let told = parse(line).unwrap();
        assert_eq!(told.partition, Some("stormglass-1"));
        assert!(matches!(told.what, What::Truncated { to: Offset(192), ref why, .. } if why.contains("leaderEpoch=0")));
    }

    #[test]
    fn lines_that_do_not_matter_and_lines_that_are_none_tell_nothing() {
        let lines = [
            "[2026-11-25 21:28:15,607] INFO [UnifiedLog partition=q-2, dir=/d] Truncating to 0 has no effect as the largest \
             offset in the log is -1 (x)",
            "[2026-13-25 21:28:15,607] INFO [UnifiedLog partition=q-2, dir=/d] Truncating to offset 5 (x)",
            "\tat java.base/java.lang.Thread.run(Thread.java:840)",
            "",
        ];
        assert!(lines.iter().all(|line| parse(line).is_none()));
    }

    #[test]
    fn recovery_and_a_moved_start_are_heard() {
        let recovered = "[2026-11-25 21:28:34,394] INFO [LogLoader partition=q-1, dir=/d] Recovering unflushed segment 0. 0 \
                         recovered for q-1. (x)";
        assert_eq!(parse(recovered).unwrap().partition, Some("q-1"));
        let moved = "[2026-11-25 21:28:34,394] INFO [UnifiedLog partition=q-1, dir=/d] Incremented log start offset to 50 due \
                     to client delete records request (x)";
        assert!(matches!(parse(moved).unwrap().what, What::StartMoved { to: Offset(50), .. }));
    }

    #[test]
    fn what_the_cleaner_did_is_told_on_a_line_of_its_own() {
        let (partition, what) =
            continued("\tLog cleaner thread 0 cleaned log q-3 (dirty section = [2134, 2682])").unwrap();
        assert!(partition == "q-3" && matches!(what, What::Compacted { until: Some(Offset(2682)), .. }));
        assert!(continued("\t0.1 MB of log processed in 0.0 seconds (2.4 MB/sec).").is_none());
        let head = "[2026-11-26 01:23:10,382] INFO [kafka-log-cleaner-thread-0]: ";
        assert_eq!(time(head).map(|wall| wall.to_string()).as_deref(), Some("2026-11-26T01:23:10.382Z"));
        assert!(time("[x] INFO").is_none() && time("\tat java.base").is_none());
    }

    proptest::proptest! {
        #[test]
        fn any_line_is_an_event_or_none(text in "\\PC{0,200}", at in 0usize..8) {
            let heads = ["", "[2026-11-25 21:28:34,394] INFO ", "[2026-11-25 21:28:34,394] INFO [Broker id=1] Leader "];
            let _ = parse(&format!("{}{text}", heads[at % 3]));
            let _ = continued(&format!("\tLog cleaner thread {text} cleaned log {text} (dirty section = [{text}, {text}])"));
            let _ = parse(&format!("[{text}] INFO Truncating partition {text} with TruncationState(offset={text}"));
        }
    }
}
