//! The smallest cycle of each kind in a component.
//!
//! A cycle starts with an edge that its kind must have; the way back is the shortest over (node, what has been met so far).
//! A way that meets a transaction twice is no cycle; then ways are tried one by one. Both searches have a budget of steps.

use super::edges::Dependency;
use super::graph::Component;
use std::collections::VecDeque;

/// A kind of cycle, after Adya 1999 and Elle (Kingsbury & Alvaro, VLDB 2020).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CycleKind {
    /// Writes alone.
    G0,
    /// Writes and reads of them, at least one read.
    G1c,
    /// Exactly one read that missed a write.
    GSingle,
    /// At least two of them.
    G2,
}

/// What a cycle must be made of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CycleShape {
    /// Its kind.
    pub kind: CycleKind,
    /// Real time is part of it.
    pub realtime: bool,
    /// The order of writes is part of it: there is none like it without.
    pub ww: bool,
}

/// An edge of a cycle: the place in [`Component::nodes`] it starts at, and its kind.
pub(super) type Hop = (u32, Dependency);

impl CycleShape {
    /// Every shape, the simplest of each kind first.
    pub(super) fn all() -> impl Iterator<Item = CycleShape> {
        let kinds = [CycleKind::G0, CycleKind::G1c, CycleKind::GSingle, CycleKind::G2];
        let shapes = kinds.into_iter().flat_map(|kind| {
            [(false, false), (false, true), (true, false), (true, true)].map(|(realtime, ww)| CycleShape {
                kind,
                realtime,
                ww,
            })
        });
        shapes.filter(|shape| shape.kind != CycleKind::G0 || shape.ww)
    }

    fn first(self) -> Dependency {
        match self.kind {
            CycleKind::G0 => Dependency::Ww,
            CycleKind::G1c => Dependency::Wr,
            CycleKind::GSingle | CycleKind::G2 => Dependency::Rw,
        }
    }

    /// Whether an edge may follow the first.
    fn allows(self, kind: Dependency) -> bool {
        match kind {
            Dependency::Ww => self.ww,
            Dependency::Wr => self.kind != CycleKind::G0,
            Dependency::Rw => self.kind == CycleKind::G2,
            Dependency::Rt => self.realtime,
        }
    }

    /// What has been met, as bits, that the kind asks for beyond its first edge.
    fn met(kind: Dependency) -> usize {
        usize::from(kind == Dependency::Rw) | usize::from(kind == Dependency::Rt) << 1
    }

    fn needed(self) -> usize {
        usize::from(self.kind == CycleKind::G2) | usize::from(self.realtime) << 1
    }
}

/// How a place was last reached.
#[derive(Clone, Copy)]
struct Reached {
    /// In which round.
    round: u32,
    /// After how many transactions.
    length: u32,
    /// From which place, with what met there.
    from: u32,
    /// By which edge.
    kind: Dependency,
}

/// No place: the start.
const START: u32 = u32::MAX;
/// The part of the budget that trying ways one by one may take for one shape.
const ONE_BY_ONE_SHARE: u64 = 16;

/// Searches in one component.
pub(super) struct CycleSearch<'a> {
    component: &'a Component,
    /// Places from here on are barriers.
    barriers_from: u32,
    /// By place times four and what was met.
    reached: Vec<Reached>,
    round: u32,
    /// Steps left.
    pub(super) budget: u64,
}

impl<'a> CycleSearch<'a> {
    /// `transactions`: nodes from this one on are barriers.
    pub(super) fn new(component: &'a Component, transactions: u32, budget: u64) -> CycleSearch<'a> {
        let barriers_from = component.nodes.partition_point(|node| *node < transactions) as u32;
        let never = Reached { round: 0, length: 0, from: START, kind: Dependency::Rt };
        let reached = vec![never; component.nodes.len() * 4];
        CycleSearch { component, barriers_from, reached, round: 0, budget }
    }

    /// The smallest cycle of a shape found within the budget.
    pub(super) fn smallest(&mut self, shape: CycleShape) -> Option<Vec<Hop>> {
        let mut best: Option<Vec<Hop>> = None;
        let mut crossing = false;
        for (from, to) in self.starts(shape) {
            if best.as_ref().is_some_and(|best| best.len() == 2) || self.budget == 0 {
                break;
            }
            match self.way_back(shape, from, to) {
                Some(cycle) if !is_simple(&cycle) => crossing = true,
                Some(cycle) if best.as_ref().is_none_or(|best| cycle.len() < best.len()) => best = Some(cycle),
                _ => (),
            }
        }
        if best.is_none() && crossing {
            return self.one_by_one(shape);
        }
        best
    }

    fn starts(&self, shape: CycleShape) -> Vec<(u32, u32)> {
        let edges = (0u32..).zip(&self.component.out).flat_map(|(from, out)| out.iter().map(move |e| (from, e)));
        edges.filter(|(_, (_, kind))| *kind == shape.first()).map(|(from, (to, _))| (from, *to)).collect()
    }

    fn is_barrier(&self, place: u32) -> bool {
        place >= self.barriers_from
    }

    /// The shortest way from `to` back to `from`, as a cycle; barriers count for nothing.
    fn way_back(&mut self, shape: CycleShape, from: u32, to: u32) -> Option<Vec<Hop>> {
        self.round += 1;
        let goal = from as usize * 4 + shape.needed();
        let start = to as usize * 4;
        self.reached[start] = Reached { round: self.round, length: 0, from: START, kind: shape.first() };
        let mut queue = VecDeque::from([(start, 0)]);
        while let Some((at, length)) = queue.pop_front() {
            if at == goal {
                return Some(self.cycle(shape, from, goal));
            }
            let (place, met) = (at as u32 / 4, at % 4);
            let (component, weight) = (self.component, u32::from(!self.is_barrier(place)));
            for &(next, kind) in component.out[place as usize].iter().filter(|(_, kind)| shape.allows(*kind)) {
                self.budget = self.budget.checked_sub(1)?;
                let state = next as usize * 4 + ((met | CycleShape::met(kind)) & shape.needed());
                let known = &mut self.reached[state];
                let length = length + weight;
                if known.round == self.round && known.length <= length {
                    continue;
                }
                *known = Reached { round: self.round, length, from: at as u32, kind };
                match weight {
                    0 => queue.push_front((state, length)),
                    _ => queue.push_back((state, length)),
                }
            }
        }
        None
    }

    /// The cycle that ends at `goal`, barriers left out.
    fn cycle(&self, shape: CycleShape, from: u32, goal: usize) -> Vec<Hop> {
        let (mut hops, mut at) = (Vec::new(), goal);
        while self.reached[at].from != START {
            let kind = self.reached[at].kind;
            at = self.reached[at].from as usize;
            if !self.is_barrier(at as u32 / 4) {
                hops.push((at as u32 / 4, kind));
            }
        }
        hops.push((from, shape.first()));
        hops.reverse();
        hops
    }

    /// Tries ways one by one until one is a cycle.
    fn one_by_one(&mut self, shape: CycleShape) -> Option<Vec<Hop>> {
        let mut steps = self.budget / ONE_BY_ONE_SHARE;
        let mut on_way = vec![false; self.component.out.len()];
        for (from, to) in self.starts(shape) {
            let mut way = vec![Step { place: to, met: 0, kind: shape.first(), next: 0 }];
            on_way[to as usize] = true;
            while let Some(step) = way.last_mut() {
                steps = steps.checked_sub(1)?;
                self.budget = self.budget.saturating_sub(1);
                let Some(&(to, kind)) = self.component.out[step.place as usize].get(step.next) else {
                    on_way[step.place as usize] = false;
                    way.pop();
                    continue;
                };
                step.next += 1;
                let met = (step.met | CycleShape::met(kind)) & shape.needed();
                if !shape.allows(kind) || on_way[to as usize] && !self.is_barrier(to) {
                    continue;
                }
                if to != from {
                    on_way[to as usize] = true;
                    way.push(Step { place: to, met, kind, next: 0 });
                } else if met == shape.needed() {
                    return Some(self.hops(from, &way, kind));
                }
            }
        }
        None
    }

    fn hops(&self, from: u32, way: &[Step], last: Dependency) -> Vec<Hop> {
        let places = std::iter::once(from).chain(way.iter().map(|w| w.place));
        let kinds = way.iter().map(|w| w.kind).chain([last]);
        places.zip(kinds).filter(|(place, _)| !self.is_barrier(*place)).collect()
    }
}

/// One place on a way that is being tried.
struct Step {
    place: u32,
    met: usize,
    /// The edge it was reached by.
    kind: Dependency,
    /// The edge to try next.
    next: usize,
}

fn is_simple(cycle: &[Hop]) -> bool {
    let mut places: Vec<u32> = cycle.iter().map(|hop| hop.0).collect();
    places.sort_unstable();
    places.windows(2).all(|pair| pair[0] != pair[1])
}
