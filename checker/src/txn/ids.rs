//! Dense numbers for sparse ids.

use crate::hash::Map;

const DIRECT_MAX: u32 = 1 << 16;
const NONE: u32 = u32::MAX;

/// Numbers ids 0, 1, 2 … as they appear.
#[derive(Default)]
pub(super) struct Ids {
    direct: Vec<u32>,
    far: Map<u32, u32>,
    ids: Vec<u32>,
}

impl Ids {
    pub(super) fn number(&mut self, id: u32) -> usize {
        if let Some(known) = self.get(id) {
            return known;
        }
        let fresh = self.ids.len();
        self.ids.push(id);
        if id < DIRECT_MAX {
            if self.direct.len() <= id as usize {
                self.direct.resize(id as usize + 1, NONE);
            }
            self.direct[id as usize] = fresh as u32;
        } else {
            self.far.insert(id, fresh as u32);
        }
        fresh
    }

    pub(super) fn get(&self, id: u32) -> Option<usize> {
        let known = if id < DIRECT_MAX { self.direct.get(id as usize) } else { self.far.get(&id) };
        known.filter(|n| **n != NONE).map(|n| *n as usize)
    }

    /// The ids by number.
    pub(super) fn ids(&self) -> &[u32] {
        &self.ids
    }
}
