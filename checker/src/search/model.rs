//! What the search must know of an object: its operations and a small trait.

use std::hash::Hash;

/// One operation on an object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Operation<I, O> {
    /// Who did it; for messages only.
    pub process: u32,
    /// When it was called, any unit.
    pub call: u64,
    /// When it returned, in the same unit. Without one the operation may have happened at any time since, or never.
    pub ret: Option<u64>,
    /// What was asked.
    pub input: I,
    /// What was answered. Without one anything may have been.
    pub output: Option<O>,
}

/// A sequential object. Deterministic: state, input and answer decide the next state.
///
/// Only [`Model::initial`] and [`Model::step`] and [`Model::is_pure`] decide what is true; the rest is what makes a search
/// short, and its defaults are right for every model.
pub trait Model {
    /// What is asked.
    type Input: Clone + Eq + Hash;
    /// What is answered.
    type Output: Clone + Eq + Hash;
    /// The object between operations.
    type State: Clone + Eq + Hash;

    /// The object before the first operation.
    fn initial(&self) -> Self::State;

    /// The object after `input` was answered with `output` (any answer, if `None`); `None` if it cannot have been.
    fn step(&self, state: &Self::State, input: &Self::Input, output: Option<&Self::Output>) -> Option<Self::State>;

    /// True only if the operation changes no state in which it is legal. "Leaves *this* state unchanged" is not enough.
    fn is_pure(&self, input: &Self::Input, output: Option<&Self::Output>) -> bool;

    /// The separate object the operation concerns.
    fn key(&self, _input: &Self::Input) -> u64 {
        0
    }

    /// False only if, from `state`, the operation can never be legal again before an operation that renews what it wants
    /// ([`Model::wants`]).
    fn reachable(&self, _state: &Self::State, _input: &Self::Input, _output: Option<&Self::Output>) -> bool {
        true
    }

    /// A label that joins an operation to those that can make it legal where it is not [`Model::reachable`]. Two things
    /// under one label cost speed, never truth. `None`: nothing is known.
    fn wants(&self, _input: &Self::Input, _output: Option<&Self::Output>) -> Option<u64> {
        None
    }

    /// The label of what the operation can make legal.
    fn renews(&self, _input: &Self::Input, _output: Option<&Self::Output>) -> Option<u64> {
        None
    }

    /// True if the operation's legality may hang on another one whose label it does not want (a failed compare-and-set is
    /// legal because of *any* other value). If no operation of a key does, unwanted optional operations are left out.
    fn minds_others(&self, _input: &Self::Input, _output: Option<&Self::Output>) -> bool {
        true
    }

    /// True if a state is the label last renewed and nothing else: operations that do not want that label cannot tell the
    /// state from any other. A register is like that, a queue is not. Ignored where an operation minds others.
    fn is_its_label(&self) -> bool {
        false
    }

    /// What a state costs in memory, bytes, beyond its own size.
    fn heap_bytes(&self, _state: &Self::State) -> usize {
        0
    }
}
