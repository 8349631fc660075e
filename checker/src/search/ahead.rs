//! Looking ahead from a configuration: whether those still to be placed can be, and what nobody will ever see.
//!
//! **Hope.** An operation that is not [`Model::reachable`] needs another, still to be placed before it, that renews what it
//! wants. A configuration in which one has lost that hope is given up.
//!
//! **The unseen.** Where states are their labels and nobody minds others, a state that nobody who wants it can still meet is
//! as good as any other such state ([`FORGOTTEN`]), and an operation that is legal anywhere and leaves such a state can be
//! placed at once where nothing is lost by it: on a state already forgotten, or just before another that is legal anywhere.
//! Nobody meets a state who is called after something else that changes it has surely happened ([`Plan::horizons`]).

use super::model::Model;
use super::plan::{Label, NONE, Plan};
use super::states::{FORGOTTEN, States};
use super::used::UsedSets;
use super::visited::Config;
use super::window::Window;

/// Everything looked at.
pub(super) struct Ahead<'e, 'a, M: Model> {
    pub(super) plan: &'e Plan<'a, M>,
    pub(super) states: &'e States<'a, M>,
    pub(super) used: &'e UsedSets,
    /// At the configuration.
    pub(super) window: &'e Window,
}

impl<'e, M: Model> Ahead<'e, '_, M> {
    /// Takes a state that nobody will see for what it is, and then places what nobody will see either. False if somebody to
    /// come has lost his hope by it.
    pub(super) fn forget<const W: usize>(&self, config: &mut Config<W>, placed: &mut impl FnMut(u32)) -> bool {
        if !self.plan.forgets || config.state != FORGOTTEN && !self.is_over(config) {
            return true;
        }
        let label = self.states.label(std::mem::replace(&mut config.state, FORGOTTEN));
        self.place_unseen(config, placed) && self.first_to_come_has_hope(config, label)
    }

    /// Whether nobody will see the present state: what changes it surely happens before anybody who wants it is called.
    fn is_over<const W: usize>(&self, config: &Config<W>) -> bool {
        let changing = |rank: &u32| !self.plan.class_of(*rank).pure && !config.mask.has(self.slot(*rank));
        let next = self.live().find(changing).map_or(u64::MAX, |rank| self.plan.required[rank as usize].ret);
        let horizon = next.min(self.plan.horizons[config.event as usize]);
        self.is_unwanted(config, self.states.label(config.state), horizon)
    }

    /// Places every live operation that is legal anywhere and leaves what nobody will see. False as for [`Ahead::forget`].
    pub(super) fn place_unseen<const W: usize>(&self, config: &mut Config<W>, placed: &mut impl FnMut(u32)) -> bool {
        let mut hope = true;
        for rank in self.live() {
            if !config.mask.has(self.slot(rank)) && self.is_unseen(config, rank) {
                config.mask.set(self.slot(rank));
                placed(rank);
                hope &= self.first_to_come_has_hope(config, self.plan.class_of(rank).renews);
            }
        }
        hope
    }

    /// Whether an operation is legal anywhere and nobody will see what it leaves, however late it is placed.
    pub(super) fn is_unseen<const W: usize>(&self, config: &Config<W>, rank: u32) -> bool {
        let class = self.plan.class_of(rank);
        class.wants == NONE && !class.pure && self.is_unwanted(config, class.renews, self.plan.horizons[rank as usize])
    }

    /// Whether no operation still to be placed and called by `horizon` wants a label.
    fn is_unwanted<const W: usize>(&self, config: &Config<W>, number: u32, horizon: u64) -> bool {
        let Some(label) = self.plan.labels.get(number as usize) else { return false };
        if label.wanted_until <= config.event {
            return true;
        }
        let now = self.plan.required[config.event as usize].ret;
        let next = label.wanted.get(label.wanted.partition_point(|(call, _)| *call <= now));
        let wants = |rank: u32| self.plan.class_of(rank).wants == number && !config.mask.has(self.slot(rank));
        label.wanted_until != NONE && next.is_none_or(|(call, _)| *call > horizon) && !self.live().any(wants)
    }

    /// Whether every operation that may have lost its hope by the step to `child` still has some: the waiting ones, and of
    /// those to come the first that wants what the step used up or left behind.
    pub(super) fn keeps_hope<const W: usize>(&self, from: u32, child: &Config<W>, renewed: u32) -> bool {
        if from == child.state {
            return true;
        }
        let to_come = [renewed, self.states.label(from)];
        to_come.iter().all(|label| self.first_to_come_has_hope(child, *label))
            && self.waiting_keep_hope(from, child, renewed)
    }

    fn first_to_come_has_hope<const W: usize>(&self, config: &Config<W>, label: u32) -> bool {
        let Some(label) = self.plan.labels.get(label as usize) else { return true };
        let now = self.plan.required[config.event as usize].ret;
        let first = label.wanted.get(label.wanted.partition_point(|(call, _)| *call <= now));
        first.is_none_or(|(_, rank)| self.has_hope(config, *rank))
    }

    fn waiting_keep_hope<const W: usize>(&self, from: u32, child: &Config<W>, renewed: u32) -> bool {
        self.live().all(|rank| {
            let wants = self.plan.class_of(rank).wants;
            wants == NONE
                || child.mask.has(self.plan.required[rank as usize].slot)
                || self.reachable(child.state, rank)
                || !(wants == renewed || self.reachable(from, rank))
                || self.renewable(child, rank)
        })
    }

    pub(super) fn has_hope<const W: usize>(&self, config: &Config<W>, rank: u32) -> bool {
        self.plan.class_of(rank).wants == NONE || self.reachable(config.state, rank) || self.renewable(config, rank)
    }

    fn reachable(&self, state: u32, rank: u32) -> bool {
        let class = self.plan.class_of(rank);
        if state == FORGOTTEN {
            return class.wants == NONE;
        }
        self.plan.model.reachable(self.states.get(state), class.input, class.output)
    }

    /// Whether an operation that renews what `rank` wants can still be placed before it.
    fn renewable<const W: usize>(&self, config: &Config<W>, rank: u32) -> bool {
        let (wants, until) = (self.plan.class_of(rank).wants, self.plan.required[rank as usize].ret);
        let now = self.plan.required[config.event as usize].ret;
        let label = &self.plan.labels[wants as usize];
        let to_come = label.renewers.partition_point(|(call, _)| *call <= now);
        let waiting = |(_, other): &(u64, u32)| {
            *other >= config.event && *other != rank && !config.mask.has(self.plan.required[*other as usize].slot)
        };
        label.renewers.get(to_come).is_some_and(|(call, _)| *call <= until)
            || self.some_waiting(label, to_come, waiting)
            || label
                .optional_renewers
                .iter()
                .any(|at| self.plan.copies_by(*at, until) > self.used.count(config.used, *at))
    }

    /// Whether one of the renewers called by now is `waiting`, looked for where there are fewer: among them or the live.
    fn some_waiting(&self, label: &Label, called: usize, waiting: impl Fn(&(u64, u32)) -> bool) -> bool {
        if called <= self.window.live_len() {
            return label.renewers[..called].iter().rev().any(waiting);
        }
        let wanted = |rank: u32| self.plan.class_of(rank).renews == label.number;
        let live = self.live();
        live.filter(|rank| wanted(*rank)).any(|rank| waiting(&(0, rank)))
    }

    fn live(&self) -> impl Iterator<Item = u32> + 'e {
        self.window.live()
    }

    fn slot(&self, rank: u32) -> u32 {
        self.plan.required[rank as usize].slot
    }
}
