//! What is live at one event, moved forward and back along the plan.
//!
//! The search goes down and comes back up; moving one event costs as much as the search spent on it, so no event's live
//! operations need to be stored.

use super::model::Model;
use super::plan::Plan;

/// The live operations and the available optional classes at an event.
pub(super) struct Window {
    event: u32,
    /// Ranks, falling: the earliest return is last.
    live: Vec<u32>,
    /// Positions in [`Plan::optional`], rising.
    available: Vec<u32>,
    /// (event, position in [`Plan::optional`]), rising, and how many are past.
    openings: (Vec<(u32, u32)>, usize),
    closings: (Vec<(u32, u32)>, usize),
}

impl Window {
    /// At event 0, which must exist.
    pub(super) fn new<M: Model>(plan: &Plan<'_, M>) -> Window {
        let spans = (0u32..).zip(&plan.optional).filter(|(_, o)| o.from < o.until);
        let (mut openings, mut closings): (Vec<_>, Vec<_>) = spans.map(|(at, o)| ((o.from, at), (o.until, at))).unzip();
        openings.sort_unstable();
        closings.sort_unstable();
        let (openings, closings) = ((openings, 0), (closings, 0));
        let mut window = Window { event: 0, live: Vec::new(), available: Vec::new(), openings, closings };
        window.arrive(plan);
        window
    }

    /// The live ranks, the earliest return first.
    pub(super) fn live(&self) -> impl Iterator<Item = u32> + '_ {
        self.live.iter().rev().copied()
    }

    /// The `i`th of them.
    pub(super) fn nth_live(&self, i: usize) -> Option<u32> {
        self.live.iter().rev().nth(i).copied()
    }

    pub(super) fn live_len(&self) -> usize {
        self.live.len()
    }

    pub(super) fn available(&self, i: usize) -> Option<u32> {
        self.available.get(i).copied()
    }

    pub(super) fn seek<M: Model>(&mut self, plan: &Plan<'_, M>, event: u32) {
        while self.event < event {
            self.advance(plan);
        }
        while self.event > event {
            self.retreat(plan);
        }
    }

    /// Past the present event's return to the next event, which must exist.
    pub(super) fn advance<M: Model>(&mut self, plan: &Plan<'_, M>) {
        self.live.pop();
        self.event += 1;
        self.arrive(plan);
    }

    fn arrive<M: Model>(&mut self, plan: &Plan<'_, M>) {
        for &rank in plan.arrivals(self.event) {
            self.live.insert(self.live.partition_point(|r| *r > rank), rank);
        }
        while let Some((_, at)) = self.openings.0.get(self.openings.1).filter(|(event, _)| *event <= self.event) {
            self.available.insert(self.available.partition_point(|a| a < at), *at);
            self.openings.1 += 1;
        }
        while let Some((_, at)) = self.closings.0.get(self.closings.1).filter(|(event, _)| *event <= self.event) {
            self.available.remove(self.available.partition_point(|a| a < at));
            self.closings.1 += 1;
        }
    }

    fn retreat<M: Model>(&mut self, plan: &Plan<'_, M>) {
        let past = |list: &[(u32, u32)], passed: usize| passed.checked_sub(1).and_then(|i| list.get(i)).copied();
        while let Some((_, at)) = past(&self.closings.0, self.closings.1).filter(|(event, _)| *event >= self.event) {
            self.available.insert(self.available.partition_point(|a| *a < at), at);
            self.closings.1 -= 1;
        }
        while let Some((_, at)) = past(&self.openings.0, self.openings.1).filter(|(event, _)| *event >= self.event) {
            self.available.remove(self.available.partition_point(|a| *a < at));
            self.openings.1 -= 1;
        }
        for rank in plan.arrivals(self.event) {
            self.live.remove(self.live.partition_point(|r| r > rank));
        }
        self.event -= 1;
        self.live.push(self.event);
    }

    pub(super) fn bytes(&self) -> usize {
        (self.live.capacity() + self.available.capacity()) * 4
            + (self.openings.0.capacity() + self.closings.0.capacity()) * 8
    }
}
