//! Offsets that are proven to exist and of which nobody knows the record: whose are they?
//!
//! Only appends that got no reply and that nobody saw can have made them. Their intervals never end, so by Hall's
//! condition the sorted greedy is exact: the earliest invoked for the lowest hole (`checking.md` B4.3). Not asked where
//! the drain read everything, or where markers, removed records or copies may stand in a hole.

use crate::contract::{Gaps, Promises, Retries};
use crate::log::bounds::{Bounds, Stale};
use crate::log::contents::Contents;
use crate::log::open::OpenAppends;
use history::Value;

/// An offset that exists and that no append can have made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unowned {
    /// The lowest of them.
    pub offset: i64,
    /// How many more offsets there are than appends to own them.
    pub excess: u64,
    /// The proof that it exists.
    pub proof: Stale,
}

/// Holes and who fills them.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Filled {
    /// Holes by rising offset, each with the value that can have made it.
    pub by: Vec<(i64, Value)>,
    /// The first hole that nobody can have made.
    pub unowned: Option<Unowned>,
}

/// Whether a hole must have an owner among the operations of the history.
pub fn must_be_owned(promises: &Promises) -> bool {
    promises.gaps == Gaps::Never && promises.retries == Retries::Once
}

/// Gives every hole from `start` on (or, if nobody knows the start, from the lowest record on) to an append, and the
/// bounds what follows from that.
pub fn fill(bounds: &mut Bounds, contents: &Contents, open: &OpenAppends, start: Option<i64>) -> Filled {
    let (mut filled, mut unseen) = (Filled::default(), open.unseen().into_iter());
    let holes = holes(contents, start, bounds.proven());
    for offset in holes.iter().flat_map(|&(from, to)| from..to) {
        let Some((invoked, value, _)) = unseen.next() else {
            let rest = holes.iter().map(|&(from, to)| to.saturating_sub(from.max(offset)).max(0) as u64);
            let excess = rest.fold(0, u64::saturating_add);
            filled.unowned = bounds.proof_of(offset).map(|proof| Unowned { offset, excess, proof });
            break;
        };
        bounds.at_most(offset, invoked);
        filled.by.push((offset, value));
    }
    filled
}

fn holes(contents: &Contents, start: Option<i64>, end: i64) -> Vec<(i64, i64)> {
    let owned = contents.rising().filter(|(_, content)| content.value().is_some()).map(|(offset, _)| offset);
    let (mut next, mut holes) = (start, Vec::new());
    for offset in owned.skip_while(|offset| start.is_some_and(|start| *offset < start)).take_while(|o| *o < end) {
        holes.extend(next.filter(|from| *from < offset).map(|from| (from, offset)));
        next = offset.checked_add(1);
    }
    holes.extend(next.filter(|from| *from < end).map(|from| (from, end)));
    holes
}
