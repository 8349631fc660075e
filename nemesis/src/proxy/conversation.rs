//! What is said on one connection in the Kafka protocol: requests, their answers, and what is to become of them.
//!
//! Only as much is understood as is needed: the first bytes of a request (API key, version, correlation id) and of an
//! answer (correlation id), and the bodies of the few answers that hand out addresses.

use super::frames::{Cut, Frames};
use super::pipe::Wire;
use super::rewrite;
use super::spec::Speech;
use super::switch::{Switch, tally};
use crate::network::{Network, Tampering};
use bytes::{Buf, Bytes};
use std::collections::HashMap;

/// Requests without an answer that are remembered.
const ASKED_MAX: usize = 4096;

/// Something to be written, perhaps later.
pub(super) struct Piece {
    pub(super) after_ms: u64,
    pub(super) bytes: Bytes,
}

impl Piece {
    pub(super) fn now(bytes: Bytes) -> Piece {
        Piece { after_ms: 0, bytes }
    }
}

/// A connection's conversation.
pub(super) struct Conversation {
    speech: Speech,
    up: Frames,
    down: Frames,
    asked: HashMap<i32, Asked>,
}

/// A request whose answer has not been seen.
#[derive(Clone, Copy)]
struct Asked {
    api_key: i16,
    version: i16,
    tampering: Option<Tampering>,
}

impl Conversation {
    pub(super) fn new(speech: Speech) -> Conversation {
        Conversation { speech, up: Frames::default(), down: Frames::default(), asked: HashMap::new() }
    }

    /// What is to be written instead of `bytes`.
    pub(super) fn sift(&mut self, bytes: Bytes, (wire, switch, network): (&Wire, &Switch, &Network)) -> Vec<Piece> {
        let upward = wire.from == wire.opener;
        let whole = self.speech == Speech::KafkaRewritten || !network.frames.is_empty() || !self.asked.is_empty();
        let frames = if upward { &mut self.up } else { &mut self.down };
        let cuts = frames.cut(bytes, whole);
        let each = |cut| match cut {
            Cut::Part(bytes) => vec![Piece::now(bytes)],
            Cut::Frame(frame) if upward => self.request(frame, wire, switch),
            Cut::Frame(frame) => self.answer(frame, wire, switch),
        };
        cuts.into_iter().flat_map(each).collect()
    }

    fn request(&mut self, frame: Bytes, wire: &Wire, switch: &Switch) -> Vec<Piece> {
        let Some((api_key, version, correlation)) = head_of(&frame) else { return vec![Piece::now(frame)] };
        let tampering = switch.tamper(wire.from, wire.to, api_key);
        if self.asked.len() < ASKED_MAX && tampering != Some(Tampering::DropRequest) {
            self.asked.insert(correlation, Asked { api_key, version, tampering });
        }
        match tampering {
            Some(Tampering::DropRequest) => Vec::new(),
            Some(Tampering::DelayRequest { ms }) => vec![Piece { after_ms: ms, bytes: frame }],
            Some(Tampering::DuplicateRequest) => vec![Piece::now(frame.clone()), Piece::now(frame)],
            Some(Tampering::DropResponse | Tampering::DelayResponse { .. }) | None => vec![Piece::now(frame)],
        }
    }

    fn answer(&mut self, frame: Bytes, wire: &Wire, switch: &Switch) -> Vec<Piece> {
        let correlation = frame.get(4..8).map(|mut four| four.get_i32());
        let Some(asked) = correlation.and_then(|id| self.asked.remove(&id)) else { return vec![Piece::now(frame)] };
        match asked.tampering {
            Some(Tampering::DropResponse) => return Vec::new(),
            Some(Tampering::DelayResponse { ms }) => return vec![Piece { after_ms: ms, bytes: frame }],
            Some(Tampering::DuplicateRequest) => {
                // The second answer has the same number; it goes nowhere.
                let second = Asked { tampering: Some(Tampering::DropResponse), ..asked };
                self.asked.extend(correlation.map(|id| (id, second)));
            }
            Some(Tampering::DropRequest | Tampering::DelayRequest { .. }) | None => (),
        }
        if self.speech != Speech::KafkaRewritten {
            return vec![Piece::now(frame)];
        }
        let rewritten = rewrite::addresses(&frame, (asked.api_key, asked.version), &switch.spec);
        if rewritten.is_some() {
            tally(&switch.counter(wire.from, wire.to), |counts| counts.rewritten += 1);
        }
        vec![Piece::now(rewritten.unwrap_or(frame))]
    }
}

/// API key, version and correlation id of a request.
fn head_of(frame: &Bytes) -> Option<(i16, i16, i32)> {
    let mut head = frame.get(4..12)?;
    Some((head.get_i16(), head.get_i16(), head.get_i32()))
}
