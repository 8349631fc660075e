//! Single requests of clients, or their answers, dropped, delayed or sent twice, by kind (the catalogue's P09, P10, T05, T06).
//!
//! What no network does to a stream, but a broker that stumbles does to requests: one of two requests under way is lost
//! and the other is not; a request is carried out and its answer never comes; an old request arrives after the client has
//! given it up. What clients send only when they start is met by killing one of them and starting it anew.

use crate::actor::Actor;
use crate::aim::{Aim, Api};
use crate::episode::{Episode, Evidence};
use crate::fault::{Asked, Family, Fault, Need};
use crate::ground::Timing;
use crate::network::{FrameRule, Network, Tampering};
use crate::scene::{Scene, Skip};
use crate::step::{Script, Step};
use std::ops::RangeInclusive;

/// Most requests of one episode.
const TIMES_MAX: u32 = 8;

/// The harm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Frame {
    /// The request never arrives.
    DropRequest,
    /// It is carried out, its answer does not arrive.
    DropResponse,
    /// It arrives later, by as long as the harm lasts.
    DelayRequest,
    /// Its answer arrives later.
    DelayResponse,
    /// It arrives twice.
    DuplicateRequest,
}

impl Frame {
    fn tampering(self, ms: u64) -> Tampering {
        match self {
            Frame::DropRequest => Tampering::DropRequest,
            Frame::DropResponse => Tampering::DropResponse,
            Frame::DelayRequest => Tampering::DelayRequest { ms },
            Frame::DelayResponse => Tampering::DelayResponse { ms },
            Frame::DuplicateRequest => Tampering::DuplicateRequest,
        }
    }
}

impl Fault for Frame {
    fn pattern(&self) -> &'static str {
        match self {
            Frame::DropRequest => "drop-request-{}",
            Frame::DropResponse => "drop-response-{}",
            Frame::DelayRequest => "delay-request-{}",
            Frame::DelayResponse => "delay-response-{}",
            Frame::DuplicateRequest => "duplicate-request-{}",
        }
    }

    fn about(&self) -> &'static str {
        match self {
            Frame::DropRequest => "drop a few {} requests of clients",
            Frame::DropResponse => "let a few {} requests of clients be carried out and drop the answers",
            Frame::DelayRequest => {
                "let a few {} requests arrive as much later as the hold, even if the client has gone"
            }
            Frame::DelayResponse => "let the answers to a few {} requests arrive as much later as the hold",
            Frame::DuplicateRequest => "let a few {} requests arrive twice",
        }
    }

    fn evidence(&self) -> &'static str {
        "the proxy counted a request of that kind that it tampered with"
    }

    fn family(&self) -> Family {
        Family::Network
    }

    fn need(&self) -> Need {
        Need::Proxy
    }

    fn aims(&self) -> &'static [Aim] {
        &[
            Aim::Requests(Api::Produce),
            Aim::Requests(Api::Fetch),
            Aim::Requests(Api::Metadata),
            Aim::Requests(Api::OffsetCommit),
            Aim::Requests(Api::FindCoordinator),
            Aim::Requests(Api::JoinGroup),
            Aim::Requests(Api::Heartbeat),
            Aim::Requests(Api::InitProducerId),
            Aim::Requests(Api::AddPartitionsToTxn),
            Aim::Requests(Api::EndTxn),
        ]
    }

    /// Members of a group are heard of every 3 s (the default of `heartbeat.interval.ms`), everybody else all the time.
    fn hold_ms(&self, aim: Aim, _: &Timing) -> RangeInclusive<u64> {
        if aim == Aim::Requests(Api::Heartbeat) { 3500..=5500 } else { 1000..=4000 }
    }

    fn duration_ms(&self, _: &Timing, hold_ms: u64) -> u64 {
        hold_ms
    }

    fn script(&self, scene: &Scene, asked: Asked, _: &Timing) -> Result<Script, Skip> {
        let Aim::Requests(api) = asked.aim else { return Err(Skip::TooFewBrokers) };
        let targets = asked.aim.resolve(scene, asked.log, asked.pick)?;
        let rule = FrameRule {
            from: scene.client_actors().into_iter().collect(),
            to: targets.iter().copied().collect::<std::collections::BTreeSet<Actor>>(),
            api_key: api.key(),
            tampering: self.tampering(asked.hold_ms),
            every: 1,
            times: 1 + asked.pick % TIMES_MAX,
        };
        let starting = starting(scene, api, asked);
        let network = Network { frames: vec![rule], ..Network::default() };
        let mut hurt = vec![Step::Network(Box::new(network))];
        hurt.extend(starting.iter().flat_map(|client| [Step::Kill(*client), Step::Start(*client)]));
        hurt.extend([Step::Hold(asked.hold_ms), Step::Traffic]);
        Ok(Script { targets, accomplices: starting, hurt, heal: Vec::new() })
    }

    fn effective(&self, episode: &Episode) -> bool {
        episode.evidence.iter().any(|e| matches!(e, Evidence::Frames { frames, .. } if *frames > 0))
    }
}

/// Who is started anew to have the request sent, if it is one that clients send when they start and hardly ever after.
fn starting(scene: &Scene, api: Api, asked: Asked) -> Vec<Actor> {
    let sender = match api {
        Api::FindCoordinator | Api::JoinGroup => Aim::Consumer,
        Api::InitProducerId => Aim::Producer,
        _ => return Vec::new(),
    };
    sender.resolve(scene, asked.log, asked.pick).unwrap_or_default()
}
