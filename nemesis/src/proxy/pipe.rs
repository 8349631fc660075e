//! One direction of a connection: read, hold or shape as the network says, write.
//!
//! **Invariants:** before a byte is written the network is looked at as it is now. At most [`HELD_BYTES_MAX`] are held;
//! whoever sends more is not read. What was read is written in that order, whatever the weather was meanwhile; the end of
//! the stream is part of it.

use super::connection::break_off;
use super::conversation::{Conversation, Piece};
use super::switch::{Switch, tally};
use crate::actor::Actor;
use crate::network::{Counts, Network, Weather};
use bytes::{Buf, Bytes, BytesMut};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Bytes held for one direction of one connection.
const HELD_BYTES_MAX: usize = 4 << 20;
const READ_BYTES: usize = 64 << 10;
/// Largest piece on a narrow link, so that its rate is even.
const NARROW_PIECE_BYTES: usize = 2 << 10;

/// The two ends of a direction.
pub(super) struct Wire {
    pub(super) from: Actor,
    pub(super) to: Actor,
    /// Who opened the connection.
    pub(super) opener: Actor,
    pub(super) reader: OwnedReadHalf,
    pub(super) writer: OwnedWriteHalf,
}

/// One direction of one connection.
pub(super) struct Pipe {
    wire: Wire,
    switch: Rc<Switch>,
    network: watch::Receiver<Arc<Network>>,
    counts: Rc<Cell<Counts>>,
    talk: Option<Rc<RefCell<Conversation>>>,
    sky: Sky,
    queue: VecDeque<(Instant, Bytes)>,
    queued_bytes: usize,
    latest_due: Instant,
    ended: bool,
    /// How late the frames are that were delayed by themselves.
    lag: Duration,
    /// The end of the stream is as late as the frames before it: not before this.
    end_due: Instant,
}

/// The weather of one direction, summed up.
#[derive(Clone, Copy, Default)]
struct Sky {
    holds: bool,
    stalled: bool,
    resets: bool,
    latency_us: u64,
    jitter_us: u64,
    bytes_per_s: Option<u64>,
}

impl Sky {
    /// `stands`: the connection was there before the network changed; `stalled`: it has fallen silent already.
    fn of(network: &Network, wire: &Wire, stands: bool, stalled: bool) -> Sky {
        let mut sky = Sky::default();
        for weather in network.on(wire.from, wire.to) {
            match weather {
                Weather::Cut => sky.holds = true,
                Weather::Stalled => sky.stalled = stands || stalled,
                Weather::Reset => sky.resets = true,
                Weather::Slow { latency_us, jitter_us } => (sky.latency_us, sky.jitter_us) = (latency_us, jitter_us),
                Weather::Narrow { bytes_per_s } => sky.bytes_per_s = Some(bytes_per_s.max(1)),
            }
        }
        sky.resets |= network.doors.iter().any(|(node, _)| {
            [wire.from, wire.to].contains(&Actor::Node(*node)) && wire.opener != Actor::Node(*node) && stands
        });
        sky.holds |= sky.stalled;
        sky
    }

    fn delays(&self) -> bool {
        self.latency_us + self.jitter_us > 0 || self.bytes_per_s.is_some()
    }
}

impl Pipe {
    pub(super) fn new(wire: Wire, talk: Option<Rc<RefCell<Conversation>>>, switch: &Rc<Switch>) -> Pipe {
        let mut network = switch.watch();
        let sky = Sky::of(&network.borrow_and_update(), &wire, false, false);
        let (counts, latest_due) = (switch.counter(wire.from, wire.to), Instant::now());
        let (queue, switch) = (VecDeque::new(), switch.clone());
        let (queued_bytes, ended, lag, end_due) = (0, false, Duration::ZERO, latest_due);
        Pipe { wire, switch, network, counts, talk, sky, queue, queued_bytes, latest_due, ended, lag, end_due }
    }

    /// Carries until the end of the stream was written, or either side is gone.
    pub(super) async fn run(mut self) {
        match self.carry().await {
            Ok(()) => _ = self.wire.writer.shutdown().await,
            // Who is gone needs no end of stream, and who is reset must not get one first.
            Err(_) => self.wire.writer.forget(),
        }
    }

    async fn carry(&mut self) -> io::Result<()> {
        let mut buffer = BytesMut::with_capacity(READ_BYTES);
        loop {
            self.look()?;
            // The end of the stream is held as the bytes before it are.
            let ends = self.ended && self.queue.is_empty() && !self.sky.holds;
            let end_due = self.end_due;
            if ends && end_due <= Instant::now() {
                return Ok(());
            }
            let may_write = !self.sky.holds && !self.queue.is_empty();
            let may_read = !self.ended && self.queued_bytes < HELD_BYTES_MAX;
            let (due, front) = self.queue.front().map_or((self.latest_due, &[][..]), |(due, bytes)| (*due, &bytes[..]));
            tokio::select! {
                biased;
                changed = self.network.changed() => {
                    changed.map_err(io::Error::other)?;
                    self.network.mark_changed();
                }
                written = write_when(due, &mut self.wire.writer, front), if may_write => self.wrote(written?),
                () = sleep_until(end_due), if ends => (),
                read = self.wire.reader.read_buf(&mut buffer), if may_read => {
                    self.look()?;
                    match read {
                        Ok(0) | Err(_) => self.end(),
                        Ok(_) => self.take(buffer.split().freeze()),
                    }
                    buffer.reserve(READ_BYTES);
                }
            }
        }
    }

    /// Sees to it that `sky` is that of the network as it is now.
    fn look(&mut self) -> io::Result<()> {
        if !self.network.has_changed().unwrap_or(false) {
            return Ok(());
        }
        self.sky = Sky::of(&self.network.borrow_and_update(), &self.wire, true, self.sky.stalled);
        if self.sky.resets {
            if self.wire.from == self.wire.opener {
                tally(&self.counts, |counts| counts.resets += 1);
            }
            break_off(self.wire.reader.as_ref())?;
            break_off(self.wire.writer.as_ref())?;
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if !self.sky.delays() {
            let now = Instant::now();
            self.latest_due = now;
            if self.talk.is_none() {
                self.queue.iter_mut().for_each(|(due, _)| *due = now);
            }
        }
        Ok(())
    }

    /// The sender has ended the stream.
    fn end(&mut self) {
        let lag = if self.queue.is_empty() { Duration::ZERO } else { self.lag };
        (self.ended, self.end_due) = (true, Instant::now() + lag);
    }

    /// What was read goes out at once if nothing is in its way, and is queued otherwise.
    fn take(&mut self, bytes: Bytes) {
        let pieces = match &self.talk {
            None => vec![Piece::now(bytes)],
            Some(talk) => talk.borrow_mut().sift(bytes, (&self.wire, &self.switch, &self.network.borrow())),
        };
        for Piece { after_ms, bytes } in pieces {
            let length = bytes.len() as u64;
            match (self.sky.holds, self.sky.delays() || after_ms > 0) {
                (true, _) => tally(&self.counts, |counts| counts.held += length),
                (false, true) => tally(&self.counts, |counts| counts.delayed += length),
                (false, false) => (),
            }
            if after_ms > 0 {
                self.lag = Duration::from_millis(after_ms);
            }
            self.enqueue(bytes, after_ms);
        }
        if !self.sky.holds && !self.sky.delays() {
            self.write_what_goes();
        }
    }

    fn enqueue(&mut self, mut bytes: Bytes, after_ms: u64) {
        self.queued_bytes += bytes.len();
        while !bytes.is_empty() {
            let most = if self.sky.bytes_per_s.is_some() { NARROW_PIECE_BYTES } else { bytes.len() };
            let piece = bytes.split_to(most.min(bytes.len()));
            let due = self.due(piece.len() as u64) + Duration::from_millis(after_ms);
            self.latest_due = due.max(self.latest_due);
            self.queue.push_back((self.latest_due, piece));
        }
    }

    fn due(&self, length: u64) -> Instant {
        let now = Instant::now();
        let jitter_us = if self.sky.jitter_us == 0 { 0 } else { rand::random_range(0..=self.sky.jitter_us) };
        let late = now + Duration::from_micros(self.sky.latency_us + jitter_us);
        match self.sky.bytes_per_s {
            None => late,
            Some(rate) => late.max(self.latest_due.max(now) + Duration::from_micros(length * 1_000_000 / rate)),
        }
    }

    /// Writes without waiting, so far as the socket takes it.
    fn write_what_goes(&mut self) {
        let now = Instant::now();
        while let Some((due, bytes)) = self.queue.front() {
            if *due > now {
                return;
            }
            match self.wire.writer.try_write(bytes) {
                Ok(written) => self.wrote(written),
                // Whatever is the matter, the waiting write finds out.
                Err(_) => return,
            }
        }
    }

    fn wrote(&mut self, written: usize) {
        tally(&self.counts, |counts| counts.passed += written as u64);
        self.queued_bytes -= written;
        if let Some((_, front)) = self.queue.front_mut() {
            front.advance(written);
            if front.is_empty() {
                self.queue.pop_front();
            }
        }
    }
}

/// Nothing was written if this is given up before it is over.
async fn write_when(due: Instant, writer: &mut OwnedWriteHalf, bytes: &[u8]) -> io::Result<usize> {
    if due > Instant::now() {
        sleep_until(due).await;
    }
    writer.write(bytes).await
}
