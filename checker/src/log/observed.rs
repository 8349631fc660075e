//! Counters that may only rise: whoever asks after an answer has come must not get a smaller one.
//!
//! One judge for all of them: an answer is stale if a greater one had been returned before it was asked for. Answers are
//! kept (24 bytes each, equal neighbours as one) and sorted once. **Invariant:** indifferent to the order of arrival.

use history::{Kind, Nanos};

/// The kinds of operation whose answers are kept. The readable end is a counter too, and `bounds` has judged it.
pub const COUNTERS: [Kind; 3] = [Kind::StableEnd, Kind::LogStart, Kind::Epoch];

#[derive(Clone, Copy, Debug)]
struct Answer {
    told: i64,
    asked: Nanos,
    returned: Nanos,
}

/// The answers of one counter.
#[derive(Clone, Default, Debug)]
pub struct Answers {
    answers: Vec<Answer>,
    taken: u64,
}

impl Answers {
    /// Takes an answer. Equal ones in a row are one that was asked last and returned first.
    pub fn push(&mut self, told: i64, asked: Nanos, returned: Nanos) {
        self.taken += 1;
        match self.answers.last_mut() {
            Some(last) if last.told == told => {
                last.asked = last.asked.max(asked);
                last.returned = last.returned.min(returned);
            }
            _ => self.answers.push(Answer { told, asked, returned }),
        }
    }

    /// How many were taken.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// The greatest told.
    pub fn greatest(&self) -> Option<i64> {
        self.answers.iter().map(|a| a.told).max()
    }

    /// Whether any answer is stale.
    pub fn went_back(mut self) -> bool {
        self.answers.sort_unstable_by_key(|a| std::cmp::Reverse(a.told));
        let mut greater = Nanos::NEVER;
        self.answers.chunk_by(|a, b| a.told == b.told).any(|equal| {
            let stale = equal.iter().any(|a| a.asked > greater);
            greater = equal.iter().fold(greater, |g, a| g.min(a.returned));
            stale
        })
    }

    /// Takes the answers of another shard.
    pub fn merge(&mut self, other: Answers) {
        self.taken += other.taken;
        self.answers.extend(other.answers);
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.answers.capacity() * size_of::<Answer>()
    }
}
