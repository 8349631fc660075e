//! One key's operations made ready: ranked by return, grouped into classes, given slots.
//!
//! *Required* operations have a reply; rank `e` is the position of a return in time, and event `e` is that return. An
//! operation is *live* at the events from its arrival (the first return not before its call) to its own. *Optional* ones
//! have no reply; pure ones among them say nothing and are left out.

use super::model::{Model, Operation};
use crate::hash::Map;

/// No room is made for more classes before they are met.
const CLASSES_EXPECTED_MAX: usize = 256;

/// No class, label or rank.
pub(super) const NONE: u32 = u32::MAX;

/// A required operation. Its rank is its position.
pub(super) struct Required {
    /// Place in the input.
    pub(super) op: u32,
    pub(super) class: u32,
    /// Bit in a configuration's mask, its own while it is live.
    pub(super) slot: u32,
    pub(super) ret: u64,
}

/// Operations that ask and were answered the same.
pub(super) struct Class<'a, M: Model> {
    pub(super) input: &'a M::Input,
    pub(super) output: Option<&'a M::Output>,
    pub(super) pure: bool,
    /// Number of the label wanted, [`NONE`] if none.
    pub(super) wants: u32,
    /// Number of the label renewed.
    pub(super) renews: u32,
}

/// Equal optional operations.
pub(super) struct Optional {
    pub(super) class: u32,
    /// (call, place in the input), rising.
    pub(super) copies: Vec<(u64, u32)>,
    /// First event at which there is one.
    pub(super) from: u32,
    /// First event from which on nobody can want one.
    pub(super) until: u32,
}

/// The operations a label joins.
#[derive(Default)]
pub(super) struct Label {
    /// Its number.
    pub(super) number: u32,
    /// Required ones that renew it, as (call, rank), rising.
    pub(super) renewers: Vec<(u64, u32)>,
    /// Optional ones that renew it: positions in [`Plan::optional`].
    pub(super) optional_renewers: Vec<u32>,
    /// Required ones that want it, as (call, rank), rising.
    pub(super) wanted: Vec<(u64, u32)>,
    /// First event from which on no required operation wants it; [`NONE`] if an optional one does.
    pub(super) wanted_until: u32,
}

/// One key's operations made ready.
pub(super) struct Plan<'a, M: Model> {
    pub(super) model: &'a M,
    pub(super) key: u64,
    pub(super) classes: Vec<Class<'a, M>>,
    pub(super) required: Vec<Required>,
    pub(super) optional: Vec<Optional>,
    pub(super) labels: Vec<Label>,
    /// Ranks by arrival; those of event `e` are `arrivals_end[e - 1]..arrivals_end[e]`.
    arrivals: Vec<u32>,
    arrivals_end: Vec<u32>,
    /// Most operations live at one event.
    pub(super) concurrency: usize,
    /// States are their labels, and nobody minds others: a state whose label nobody wants is any other such state.
    pub(super) forgets: bool,
    /// By rank: when the first operation surely after it that changes the state has surely happened, the latest possible.
    /// What is called later cannot see what it left.
    pub(super) horizons: Vec<u64>,
}

impl<'a, M: Model> Plan<'a, M> {
    /// Makes the operations at `members` ready, which all have one key.
    pub(super) fn new(model: &'a M, ops: &'a [Operation<M::Input, M::Output>], members: &[(u64, u32)]) -> Plan<'a, M> {
        let mut plan = Plan {
            model,
            key: members.first().map_or(0, |member| member.0),
            classes: Vec::new(),
            required: Vec::new(),
            optional: Vec::new(),
            labels: Vec::new(),
            arrivals: Vec::new(),
            arrivals_end: Vec::new(),
            concurrency: 0,
            forgets: false,
            horizons: Vec::new(),
        };
        let mut calls = plan.classify(ops, members);
        plan.rank(&mut calls);
        plan.give_slots();
        plan.join_by_labels(&calls);
        plan.set_spans();
        plan.set_horizons(&calls);
        plan
    }

    /// Fills classes, required (unranked) and optional operations; returns the required ones' calls.
    fn classify(&mut self, ops: &'a [Operation<M::Input, M::Output>], members: &[(u64, u32)]) -> Vec<u64> {
        let room = members.len().min(CLASSES_EXPECTED_MAX);
        let mut numbers = Map::with_capacity_and_hasher(room, Default::default());
        let (mut labels, mut optional_of) = (Map::default(), Map::default());
        let mut calls = Vec::with_capacity(members.len());
        self.required.reserve(members.len());
        for &(_, op) in members {
            let Operation { call, ret, input, output, .. } = &ops[op as usize];
            let class = *numbers.entry((input, output)).or_insert_with(|| {
                let label = |l: Option<u64>, labels: &mut Map<u64, u32>| {
                    let fresh = labels.len() as u32;
                    l.map_or(NONE, |l| *labels.entry(l).or_insert(fresh))
                };
                let output = output.as_ref();
                let wants = label(self.model.wants(input, output), &mut labels);
                let renews = label(self.model.renews(input, output), &mut labels);
                let pure = self.model.is_pure(input, output);
                self.classes.push(Class { input, output, pure, wants, renews });
                self.classes.len() as u32 - 1
            });
            match ret {
                Some(ret) => {
                    calls.push(*call);
                    self.required.push(Required { op, class, slot: 0, ret: (*ret).max(*call) });
                }
                None if self.classes[class as usize].pure => (),
                None => {
                    let at = *optional_of.entry(class).or_insert_with(|| {
                        self.optional.push(Optional { class, copies: Vec::new(), from: 0, until: NONE });
                        self.optional.len() - 1
                    });
                    self.optional[at].copies.push((*call, op));
                }
            }
        }
        self.labels = (0..labels.len() as u32).map(|number| Label { number, ..Label::default() }).collect();
        calls
    }

    /// Sorts the required operations by return and lists their arrivals.
    fn rank(&mut self, calls: &mut Vec<u64>) {
        let mut order: Vec<(Required, u64)> = self.required.drain(..).zip(calls.drain(..)).collect();
        order.sort_unstable_by_key(|(r, call)| (r.ret, *call, r.op));
        (self.required, *calls) = order.into_iter().unzip();
        let mut by_arrival: Vec<(u32, u32)> = (0u32..).zip(calls.iter()).map(|(r, c)| (self.event_at(*c), r)).collect();
        by_arrival.sort_unstable();
        self.arrivals = by_arrival.iter().map(|(_, rank)| *rank).collect();
        self.arrivals_end = vec![0; self.required.len()];
        by_arrival.iter().for_each(|(at, _)| self.arrivals_end[*at as usize] += 1);
        let mut end = 0;
        for arrived in &mut self.arrivals_end {
            end += *arrived;
            *arrived = end;
        }
    }

    /// The first event not before `time`.
    fn event_at(&self, time: u64) -> u32 {
        self.required.partition_point(|r| r.ret < time) as u32
    }

    fn give_slots(&mut self) {
        let (mut free, mut slots) = (Vec::new(), 0);
        for event in 0..self.required.len() {
            for at in self.arrival_range(event) {
                let rank = self.arrivals[at] as usize;
                self.required[rank].slot = free.pop().unwrap_or_else(|| {
                    slots += 1;
                    slots - 1
                });
            }
            free.push(self.required[event].slot);
        }
        self.concurrency = slots as usize;
    }

    fn join_by_labels(&mut self, calls: &[u64]) {
        for ((rank, required), call) in (0u32..).zip(&self.required).zip(calls) {
            let class = &self.classes[required.class as usize];
            if let Some(label) = self.labels.get_mut(class.renews as usize) {
                label.renewers.push((*call, rank));
            }
            if let Some(label) = self.labels.get_mut(class.wants as usize) {
                label.wanted.push((*call, rank));
            }
        }
        for (at, optional) in (0u32..).zip(&mut self.optional) {
            optional.copies.sort_unstable();
            if let Some(label) = self.labels.get_mut(self.classes[optional.class as usize].renews as usize) {
                label.optional_renewers.push(at);
            }
        }
        for label in &mut self.labels {
            label.renewers.sort_unstable();
            label.wanted.sort_unstable();
        }
    }

    /// From when to when each optional class is worth trying.
    fn set_spans(&mut self) {
        let droppable = self.classes.iter().all(|c| !self.model.minds_others(c.input, c.output));
        self.forgets = droppable && self.model.is_its_label();
        for label in &mut self.labels {
            label.wanted_until = label.wanted.iter().map(|(_, rank)| rank + 1).max().unwrap_or(0);
        }
        for optional in &self.optional {
            if let Some(label) = self.labels.get_mut(self.classes[optional.class as usize].wants as usize) {
                label.wanted_until = NONE;
            }
        }
        for at in 0..self.optional.len() {
            self.optional[at].from = self.event_at(self.optional[at].copies[0].0);
            let label = self.classes[self.optional[at].class as usize].renews;
            if let (true, Some(label)) = (droppable, self.labels.get(label as usize)) {
                self.optional[at].until = label.wanted_until;
            }
        }
    }

    fn set_horizons(&mut self, calls: &[u64]) {
        let changing = self.required.iter().zip(calls).filter(|(r, _)| !self.classes[r.class as usize].pure);
        let mut changing: Vec<(u64, u64)> = changing.map(|(required, call)| (*call, required.ret)).collect();
        changing.sort_unstable();
        for at in (1..changing.len()).rev() {
            changing[at - 1].1 = changing[at - 1].1.min(changing[at].1);
        }
        let after = |time: u64| changing.get(changing.partition_point(|(call, _)| *call <= time));
        self.horizons = self.required.iter().map(|r| after(r.ret).map_or(u64::MAX, |(_, ret)| *ret)).collect();
    }

    pub(super) fn class_of(&self, rank: u32) -> &Class<'a, M> {
        &self.classes[self.required[rank as usize].class as usize]
    }

    pub(super) fn arrivals(&self, event: u32) -> &[u32] {
        &self.arrivals[self.arrival_range(event as usize)]
    }

    fn arrival_range(&self, event: usize) -> std::ops::Range<usize> {
        let start = if event == 0 { 0 } else { self.arrivals_end[event - 1] };
        start as usize..self.arrivals_end[event] as usize
    }

    /// How many of an optional class had been called by `time`.
    pub(super) fn copies_by(&self, optional: u32, time: u64) -> usize {
        self.optional[optional as usize].copies.partition_point(|(call, _)| *call <= time)
    }

    /// Memory, bytes.
    pub(super) fn bytes(&self) -> usize {
        self.required.len() * 56 + self.classes.len() * 64 + self.optional.len() * 64 + self.labels.len() * 96
    }
}
