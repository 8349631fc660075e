//! What a piece of work costs: time on the clock and time of processors, which on a busy machine are two figures.

use crate::commands::Failure;
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::time::{ClockId, clock_gettime};
use std::hint::black_box;
use std::time::Instant;

/// Seconds.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// On the clock.
    pub wall: f64,
    /// Of all processors together.
    pub cpu: f64,
}

impl Cost {
    /// Million things a second of processor time.
    pub fn rate(self, things: f64) -> f64 {
        things / self.cpu / 1e6
    }

    /// Both figures.
    pub fn text(self) -> String {
        let ms = self.wall < 1.0;
        let (unit, factor) = if ms { ("ms", 1e3) } else { ("s", 1.0) };
        let digits = if ms && self.wall < 0.1 { 2 } else { usize::from(!ms) * 2 };
        format!("{:.digits$} {unit} of CPU, {:.digits$} {unit} wall", self.cpu * factor, self.wall * factor)
    }
}

/// The cheapest of some rounds, by processor time; each checks its own answer.
pub fn best(rounds: usize, mut piece: impl FnMut() -> bool) -> Result<Cost, Failure> {
    let mut cheapest = Cost { wall: f64::MAX, cpu: f64::MAX };
    for _ in 0..rounds {
        let (began, used) = (Instant::now(), cpu());
        if !black_box(piece()) {
            return Err(Failure::internal("a checker gave a wrong answer"));
        }
        let cost = Cost { wall: began.elapsed().as_secs_f64(), cpu: cpu() - used };
        if cost.cpu < cheapest.cpu {
            cheapest = cost;
        }
    }
    Ok(cheapest)
}

fn cpu() -> f64 {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID);
    time.map_or(0.0, |t| t.tv_sec() as f64 + t.tv_nsec() as f64 / 1e9)
}

/// What a child process cost, its largest memory included: as the system counts, at least what this one had held when it
/// was started, so that children are measured before anything large.
#[derive(Clone, Copy, Debug)]
pub struct Child {
    /// Its time.
    pub cost: Cost,
    /// The most memory any child so far has held, bytes.
    pub peak_bytes: u64,
}

/// Runs a piece that ends a child process.
pub fn of_child(piece: impl FnOnce() -> Result<(), Failure>) -> Result<Child, Failure> {
    let seconds = |usage: &Usage| {
        let of = |t: nix::sys::time::TimeVal| t.tv_sec() as f64 + t.tv_usec() as f64 / 1e6;
        of(usage.user_time()) + of(usage.system_time())
    };
    let children = || getrusage(UsageWho::RUSAGE_CHILDREN).map_err(Failure::internal);
    let (began, before) = (Instant::now(), children()?);
    piece()?;
    let after = children()?;
    let cost = Cost { wall: began.elapsed().as_secs_f64(), cpu: seconds(&after) - seconds(&before) };
    Ok(Child { cost, peak_bytes: after.max_rss().unsigned_abs() * 1024 })
}
