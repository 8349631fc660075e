//! The depth-first search over one key, resumable.

use super::ahead::Ahead;
use super::model::Model;
use super::outcome::{Limit, Progress};
use super::plan::{NONE, Plan};
use super::states::States;
use super::used::UsedSets;
use super::visited::{Config, Mask, Visited};
use super::window::Window;

/// Bit of a `via` that names an optional class instead of a rank.
const OPTIONAL: u32 = 1 << 31;

/// No search takes more, whatever its budget: numbers of nodes and sets are 32 bits wide.
const BYTES_CAP: usize = 8 << 30;

/// No room is made for more configurations before they are met.
const EASY_NODES_MAX: usize = 1024;

/// What a turn came to.
pub(super) enum Turn {
    /// There is an order.
    Found,
    /// There is none.
    Exhausted,
    /// The turn's configurations are used up.
    Paused,
    /// Memory is.
    OutOfMemory,
}

/// A search over one key, whatever its width.
pub(super) trait Search {
    /// Visits up to `nodes` more configurations, holding up to `bytes_max`.
    fn run(&mut self, nodes: u64, bytes_max: usize) -> Turn;
    /// Configurations visited.
    fn nodes(&self) -> u64;
    /// Memory held, bytes.
    fn bytes(&self) -> usize;
    /// The order, once found.
    fn order(&mut self) -> Vec<usize>;
    /// The longest way so far.
    fn progress(&mut self) -> Progress;
}

/// The search for a plan; `Err` if more operations are open at one time than any configuration holds.
pub(super) fn search<'a, M: Model + 'a>(plan: Plan<'a, M>) -> Result<Box<dyn Search + 'a>, Limit> {
    match plan.concurrency {
        0..=64 => Ok(Box::new(Engine::<M, 1>::new(plan))),
        65..=512 => Ok(Box::new(Engine::<M, 8>::new(plan))),
        513..=4096 => Ok(Box::new(Engine::<M, 64>::new(plan))),
        _ => Err(Limit::Concurrency),
    }
}

struct Frame {
    node: u32,
    next: u32,
}

enum Settled {
    Done,
    Hopeless,
    Open,
}

struct Engine<'a, M: Model, const W: usize> {
    plan: Plan<'a, M>,
    states: States<'a, M>,
    used: UsedSets,
    visited: Visited<W>,
    window: Window,
    stack: Vec<Frame>,
    nodes: u64,
    /// The node that placed most returns.
    best: u32,
    /// The last configuration and how it was reached, once an order is found.
    found: Option<(u32, u32)>,
}

impl<'a, M: Model, const W: usize> Engine<'a, M, W> {
    /// A plan without required operations needs no search.
    fn new(plan: Plan<'a, M>) -> Engine<'a, M, W> {
        let states = States::new(plan.model, plan.classes.len());
        let window = Window::new(&plan);
        // An easy search visits fewer configurations than there are operations.
        let visited = Visited::with_room(plan.required.len().min(EASY_NODES_MAX));
        let used = UsedSets::new();
        Engine { plan, states, used, visited, window, stack: Vec::new(), nodes: 0, best: 0, found: None }
    }

    fn root() -> Config<W> {
        Config { event: 0, state: 0, mask: Mask::EMPTY, used: 0 }
    }

    /// Settles a configuration and takes it up unless it is known; true if it completes the order.
    fn enter(&mut self, mut config: Config<W>, parent: u32, via: u32) -> bool {
        self.nodes += 1;
        let settled = self.settle(&mut config, &mut |_| ());
        if matches!(settled, Settled::Done) {
            self.found = Some((parent, via));
            return true;
        }
        let Some(node) = self.visited.add(config, parent, via, &self.used) else { return false };
        let best = &self.visited.get(self.best).config;
        if (config.event, config.mask.len()) > (best.event, best.mask.len()) {
            self.best = node;
        }
        if matches!(settled, Settled::Open) {
            self.stack.push(Frame { node, next: 0 });
        }
        false
    }

    /// Places pure operations and passes returns until a choice is due. The window must stand at the configuration.
    fn settle(&mut self, config: &mut Config<W>, placed: &mut impl FnMut(u32)) -> Settled {
        for i in 0..self.window.live_len() {
            if let Some(rank) = self.window.nth_live(i) {
                self.place_if_pure(config, rank, placed);
            }
        }
        if !self.ahead().forget(config, placed) {
            return Settled::Hopeless;
        }
        while config.mask.has(self.plan.required[config.event as usize].slot) {
            config.mask.clear(self.plan.required[config.event as usize].slot);
            config.event += 1;
            if config.event as usize == self.plan.required.len() {
                return Settled::Done;
            }
            self.window.advance(&self.plan);
            let event = config.event;
            config.used = self.used.without(config.used, |at| self.plan.optional[at as usize].until <= event);
            for i in 0..self.plan.arrivals(event).len() {
                let rank = self.plan.arrivals(event)[i];
                self.place_if_pure(config, rank, placed);
                if !config.mask.has(self.plan.required[rank as usize].slot) && !self.ahead().has_hope(config, rank) {
                    return Settled::Hopeless;
                }
            }
            if !self.ahead().forget(config, placed) {
                return Settled::Hopeless;
            }
        }
        Settled::Open
    }

    fn ahead(&self) -> Ahead<'_, 'a, M> {
        Ahead { plan: &self.plan, states: &self.states, used: &self.used, window: &self.window }
    }

    fn place_if_pure(&mut self, config: &mut Config<W>, rank: u32, placed: &mut impl FnMut(u32)) {
        let required = &self.plan.required[rank as usize];
        let class = &self.plan.classes[required.class as usize];
        if class.pure
            && !config.mask.has(required.slot)
            && self.states.step(config.state, required.class, class).is_some()
        {
            config.mask.set(required.slot);
            placed(rank);
        }
    }

    /// The next child of a frame not yet tried, and what leads to it.
    fn next_child(&mut self, frame: usize) -> Option<(Config<W>, u32)> {
        let config = self.visited.get(self.stack[frame].node).config;
        self.window.seek(&self.plan, config.event);
        loop {
            let i = self.stack[frame].next as usize;
            self.stack[frame].next += 1;
            let child = match self.window.nth_live(i) {
                Some(rank) => self.place(&config, rank),
                None => self.place_optional(&config, self.window.available(i - self.window.live_len())?),
            };
            if child.is_some() {
                return child;
            }
        }
    }

    fn place(&mut self, config: &Config<W>, rank: u32) -> Option<(Config<W>, u32)> {
        let required = &self.plan.required[rank as usize];
        let class = &self.plan.classes[required.class as usize];
        if class.pure || config.mask.has(required.slot) {
            return None;
        }
        let mut child = Config { state: self.states.step(config.state, required.class, class)?, ..*config };
        if self.plan.forgets && class.wants == NONE {
            let mut first = None;
            let hope = self.ahead().place_unseen(&mut child, &mut |unseen| _ = first.get_or_insert(unseen));
            if !hope || first.is_some_and(|first| first != rank && self.ahead().is_unseen(config, rank)) {
                return None;
            }
        }
        child.mask.set(required.slot);
        self.ahead().keeps_hope(config.state, &child, class.renews).then_some((child, rank))
    }

    fn place_optional(&mut self, config: &Config<W>, at: u32) -> Option<(Config<W>, u32)> {
        let number = self.plan.optional[at as usize].class;
        let class = &self.plan.classes[number as usize];
        let now = self.plan.required[config.event as usize].ret;
        if self.plan.copies_by(at, now) <= self.used.count(config.used, at) {
            return None;
        }
        let state = self.states.step(config.state, number, class).filter(|s| *s != config.state)?;
        let child = Config { state, used: self.used.with(config.used, at), ..*config };
        self.ahead().keeps_hope(config.state, &child, class.renews).then_some((child, at | OPTIONAL))
    }

    /// The operations placed on the way to `node` and then by `last`, in order, and the configuration reached.
    fn replay(&mut self, node: u32, last: u32) -> (Vec<usize>, Config<W>) {
        let (mut way, mut at) = (vec![last], node);
        while at != NONE {
            way.push(self.visited.get(at).via);
            at = self.visited.get(at).parent;
        }
        let (mut order, mut config) = (Vec::new(), Self::root());
        let mut used = vec![0; self.plan.optional.len()];
        self.window.seek(&self.plan, 0);
        for via in way.into_iter().rev().filter(|via| *via != NONE) {
            let mut pure = Vec::new();
            self.settle(&mut config, &mut |rank| pure.push(rank));
            order.extend(pure.iter().map(|rank| self.plan.required[*rank as usize].op as usize));
            self.redo(&mut config, via, &mut used, &mut order);
        }
        let mut pure = Vec::new();
        self.settle(&mut config, &mut |rank| pure.push(rank));
        order.extend(pure.iter().map(|rank| self.plan.required[*rank as usize].op as usize));
        (order, config)
    }

    /// Places again what `via` says, and what was placed along with it before.
    fn redo(&mut self, config: &mut Config<W>, via: u32, used: &mut [usize], order: &mut Vec<usize>) {
        let (child, op) = if via & OPTIONAL == 0 {
            (self.place(config, via), self.plan.required[via as usize].op)
        } else {
            let at = via & !OPTIONAL;
            let (_, op) = self.plan.optional[at as usize].copies[used[at as usize]];
            used[at as usize] += 1;
            (self.place_optional(config, at), op)
        };
        let Some((child, _)) = child else { return };
        let live = self.window.live().filter(|rank| *rank != via);
        let required = live.map(|rank| &self.plan.required[rank as usize]);
        let along = required.filter(|r| child.mask.has(r.slot) && !config.mask.has(r.slot));
        order.extend(along.map(|r| r.op as usize));
        order.push(op as usize);
        *config = child;
    }
}

impl<M: Model, const W: usize> Search for Engine<'_, M, W> {
    fn run(&mut self, nodes: u64, bytes_max: usize) -> Turn {
        let until = self.nodes.saturating_add(nodes);
        if self.nodes == 0 && self.enter(Self::root(), NONE, NONE) {
            return Turn::Found;
        }
        while let Some(frame) = self.stack.len().checked_sub(1) {
            if self.nodes >= until {
                return Turn::Paused;
            }
            if self.nodes.is_multiple_of(16) && self.bytes() > bytes_max.min(BYTES_CAP) {
                return Turn::OutOfMemory;
            }
            match self.next_child(frame) {
                None => _ = self.stack.pop(),
                Some((child, via)) if self.enter(child, self.stack[frame].node, via) => return Turn::Found,
                Some(_) => (),
            }
        }
        Turn::Exhausted
    }

    fn nodes(&self) -> u64 {
        self.nodes
    }

    fn bytes(&self) -> usize {
        let stack = self.stack.capacity() * size_of::<Frame>();
        self.plan.bytes() + self.states.bytes() + self.used.bytes() + self.visited.bytes() + self.window.bytes() + stack
    }

    fn order(&mut self) -> Vec<usize> {
        self.found.map_or_else(Vec::new, |(node, via)| self.replay(node, via).0)
    }

    fn progress(&mut self) -> Progress {
        let required = self.plan.required.len();
        if self.nodes == 0 {
            return Progress { required, ..Progress::default() };
        }
        let (prefix, config) = self.replay(self.best, NONE);
        self.window.seek(&self.plan, config.event);
        let waiting = self.window.live().map(|r| &self.plan.required[r as usize]);
        Progress {
            prefix,
            placed: config.event as usize + config.mask.len() as usize,
            required,
            stuck: waiting.filter(|r| !config.mask.has(r.slot)).map(|r| r.op as usize).collect(),
            frontier: self.stack.len(),
        }
    }
}
