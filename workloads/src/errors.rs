//! One table from a client's error to what is known of the append: `fail` (it did not and will not happen) or `unknown`.
//!
//! **Invariant:** what the table does not list is unknown. A row that says `fail` says why no attempt can have been
//! appended; in doubt it is not a row. librdkafka's own message status (`rd_kafka_message_status`) can only weaken a row,
//! never stand for one: NOT_PERSISTED is also what it says after an attempt answered NOT_LEADER_OR_FOLLOWER, and that
//! answer is given for appended records whose leader lost its office before they were replicated (KAFKA-13574).

use history::Outcome;
use rdkafka::types::RDKafkaErrorCode as Code;

/// Where an error came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// The client's produce call refused the record.
    Refused,
    /// A delivery report, after any number of attempts.
    Reported,
    /// A broker's answer to the only attempt.
    Answered,
}

/// Which codes a row is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Codes {
    /// Every code.
    Any,
    /// These: Kafka's own where positive, librdkafka's where negative.
    These(&'static [Code]),
}

/// A row of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    /// Where the error came from.
    pub stages: &'static [Stage],
    /// Its code.
    pub codes: Codes,
    /// What it tells.
    pub outcome: Outcome,
    /// Why.
    pub why: &'static str,
}

const UNLISTED: Row = Row {
    stages: &[Stage::Refused, Stage::Reported, Stage::Answered],
    codes: Codes::Any,
    outcome: Outcome::Unknown,
    why: "not in the table",
};

/// The table; the first row that fits decides.
pub const TABLE: &[Row] = &[
    Row {
        stages: &[Stage::Refused],
        codes: Codes::Any,
        outcome: Outcome::Fail,
        why: "the produce call refused it: it never entered the queue (rd_kafka_producev)",
    },
    Row {
        stages: &[Stage::Reported, Stage::Answered],
        codes: Codes::These(&[Code::MessageSizeTooLarge, Code::MessageBatchTooLarge, Code::InvalidRecord]),
        outcome: Outcome::Fail,
        why: "the record itself is refused before the append, alike in every attempt",
    },
    Row {
        stages: &[Stage::Reported, Stage::Answered],
        codes: Codes::These(&[
            Code::InvalidRequiredAcks,
            Code::InvalidTimestamp,
            Code::UnsupportedForMessageFormat,
            Code::UnsupportedCompressionType,
            Code::TopicAuthorizationFailed,
            Code::ClusterAuthorizationFailed,
        ]),
        outcome: Outcome::Fail,
        why: "the request is refused before the append, alike in every attempt",
    },
    Row {
        stages: &[Stage::Answered],
        codes: Codes::These(&[Code::NotEnoughReplicas]),
        outcome: Outcome::Fail,
        why: "min.insync.replicas is checked before the append, and there was no other attempt",
    },
    Row {
        stages: &[Stage::Answered],
        codes: Codes::These(&[
            Code::OutOfOrderSequenceNumber,
            Code::InvalidProducerEpoch,
            Code::ProducerFenced,
            Code::UnsupportedVersion,
        ]),
        outcome: Outcome::Fail,
        why: "checked before the append, and there was no other attempt",
    },
    Row {
        stages: &[Stage::Reported, Stage::Answered],
        codes: Codes::These(&[Code::NotLeaderForPartition, Code::UnknownTopicOrPartition, Code::KafkaStorageError]),
        outcome: Outcome::Unknown,
        why: "also answered for a record appended and waiting for its replicas when the partition moved (KAFKA-13574)",
    },
    Row {
        stages: &[Stage::Reported, Stage::Answered],
        codes: Codes::These(&[Code::NotEnoughReplicasAfterAppend, Code::RequestTimedOut]),
        outcome: Outcome::Unknown,
        why: "appended by the leader, fate undecided",
    },
    Row {
        stages: &[Stage::Reported],
        codes: Codes::These(&[Code::NotEnoughReplicas, Code::OutOfOrderSequenceNumber, Code::InvalidProducerEpoch]),
        outcome: Outcome::Unknown,
        why: "the answer to the last attempt only",
    },
    Row {
        stages: &[Stage::Reported],
        codes: Codes::These(&[Code::MessageTimedOut, Code::PurgeQueue, Code::PurgeInflight]),
        outcome: Outcome::Unknown,
        why: "given up by the client; an earlier attempt may have been appended, and no status of librdkafka excludes it",
    },
];

/// The row that decides about an error.
pub fn row(stage: Stage, code: i16) -> &'static Row {
    let fits = |row: &&Row| {
        row.stages.contains(&stage)
            && match row.codes {
                Codes::Any => true,
                Codes::These(codes) => codes.iter().any(|c| *c as i32 == i32::from(code)),
            }
    };
    TABLE.iter().find(fits).unwrap_or(&UNLISTED)
}

/// What librdkafka says became of a record it reports an error for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Persistence {
    /// No attempt was answered by success or by silence.
    Not,
    /// Some attempt may have been appended.
    Possibly,
}

/// What is known of an append that ended in this error.
pub fn outcome(stage: Stage, code: i16, persistence: Persistence) -> Outcome {
    match (row(stage, code).outcome, persistence) {
        (Outcome::Fail, Persistence::Possibly) if stage == Stage::Reported => Outcome::Unknown,
        (known, _) => known,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(stage: Stage, code: Code) -> Outcome {
        outcome(stage, code as i16, Persistence::Not)
    }

    #[test]
    fn a_refusal_is_a_failure_whatever_its_code() {
        for code in [Code::QueueFull, Code::MessageSizeTooLarge, Code::UnknownPartition, Code::Fatal] {
            assert_eq!(told(Stage::Refused, code), Outcome::Fail);
        }
    }

    #[test]
    fn what_may_have_been_appended_is_unknown() {
        for code in [Code::NotLeaderForPartition, Code::RequestTimedOut, Code::NotEnoughReplicasAfterAppend] {
            assert_eq!(told(Stage::Reported, code), Outcome::Unknown);
            assert_eq!(told(Stage::Answered, code), Outcome::Unknown);
        }
        assert_eq!(told(Stage::Reported, Code::MessageTimedOut), Outcome::Unknown);
        assert_eq!(told(Stage::Reported, Code::PurgeQueue), Outcome::Unknown);
    }

    #[test]
    fn too_few_replicas_is_definite_only_where_it_answers_the_only_attempt() {
        assert_eq!(told(Stage::Answered, Code::NotEnoughReplicas), Outcome::Fail);
        assert_eq!(told(Stage::Reported, Code::NotEnoughReplicas), Outcome::Unknown);
    }

    #[test]
    fn a_possibly_persisted_record_never_failed() {
        let code = Code::MessageSizeTooLarge as i16;
        assert_eq!(outcome(Stage::Reported, code, Persistence::Not), Outcome::Fail);
        assert_eq!(outcome(Stage::Reported, code, Persistence::Possibly), Outcome::Unknown);
    }

    #[test]
    fn what_is_not_listed_is_unknown() {
        for code in i16::MIN..=i16::MAX {
            let listed = |stage| row(stage, code) != &UNLISTED;
            assert!(listed(Stage::Reported) || outcome(Stage::Reported, code, Persistence::Not) == Outcome::Unknown);
            assert!(listed(Stage::Answered) || outcome(Stage::Answered, code, Persistence::Not) == Outcome::Unknown);
        }
    }
}
