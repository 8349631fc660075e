//! The whole check: keys apart, refuters first, then searches taking turns.

use super::engine::{Search, Turn, search};
use super::model::{Model, Operation};
use super::outcome::{Budget, Limit, Outcome, Partition, Progress, Refutation, Verdict};
use super::plan::Plan;
use super::refute::refute;

const FIRST_TURN_NODES: u64 = 4096;
/// What an operation costs at least once it is planned, bytes.
const PLANNED_OPERATION_BYTES: usize = 128;

/// A key on its way to a verdict. Its search exists from its first turn to its last.
enum Stand<'a, M: Model> {
    Planned(Plan<'a, M>),
    Open(Box<dyn Search + 'a>),
    Decided(Partition),
}

struct Check<'a, M: Model> {
    stands: Vec<(u64, Stand<'a, M>)>,
    budget: Budget,
    nodes: u64,
    /// Memory of all open searches, and the most there ever was.
    held: usize,
    bytes: usize,
}

/// Judges `ops` by `model`. Order in the input is free.
pub fn check<M: Model>(model: &M, ops: &[Operation<M::Input, M::Output>], budget: &Budget) -> Outcome {
    if ops.len().saturating_mul(PLANNED_OPERATION_BYTES) > budget.bytes_max || ops.len() >= 1 << 31 {
        return too_many(ops.len());
    }
    let mut members: Vec<(u64, u32)> = (0u32..).zip(ops).map(|(at, op)| (model.key(&op.input), at)).collect();
    members.sort_unstable();
    let of_a_key = members.chunk_by(|a, b| a.0 == b.0);
    let plans: Vec<Plan<'_, M>> = of_a_key.map(|members| Plan::new(model, ops, members)).collect();
    let held = plans.iter().map(Plan::bytes).sum();
    let mut refuted = plans.iter().find_map(|plan| Some((plan.key, refute(plan)?)));
    let stands = plans.into_iter().map(|plan| (plan.key, Stand::Planned(plan))).collect();
    let mut check = Check { stands, budget: *budget, nodes: 0, held, bytes: held };
    if refuted.is_none() {
        refuted = check.take_turns();
    }
    check.outcome(refuted)
}

fn too_many(required: usize) -> Outcome {
    let progress = Progress { required, ..Progress::default() };
    let partitions = vec![Partition::Undecided { key: 0, limit: Some(Limit::Bytes), progress }];
    Outcome { verdict: Verdict::Undecided, partitions, nodes: 0, bytes: 0 }
}

impl<M: Model> Check<'_, M> {
    /// Lets every open search run a turn, smallest first, with doubling turns; the first refuted key and why.
    fn take_turns(&mut self) -> Option<(u64, Refutation)> {
        let mut order: Vec<usize> = (0..self.stands.len()).collect();
        order.sort_by_key(|at| if let Stand::Planned(plan) = &self.stands[*at].1 { plan.required.len() } else { 0 });
        let mut turn = FIRST_TURN_NODES;
        while !order.is_empty() && self.nodes < self.budget.nodes_max {
            for &at in &order {
                if let Some(refuted) = self.turn(at, turn) {
                    return Some(refuted);
                }
            }
            order.retain(|at| !matches!(self.stands[*at].1, Stand::Decided(_)));
            turn *= 2;
        }
        None
    }

    fn turn(&mut self, at: usize, nodes: u64) -> Option<(u64, Refutation)> {
        self.open(at);
        let (key, Stand::Open(search)) = &mut self.stands[at] else { return None };
        let (key, before, own) = (*key, search.nodes(), search.bytes());
        let nodes = nodes.min(self.budget.nodes_max.saturating_sub(self.nodes));
        let others = self.held.saturating_sub(own);
        let turn = search.run(nodes, self.budget.bytes_max.saturating_sub(others));
        self.nodes += search.nodes() - before;
        self.held = others + search.bytes();
        self.bytes = self.bytes.max(self.held);
        let (partition, refutation) = match turn {
            Turn::Paused => return None,
            Turn::Found => (Partition::Linearizable { key, order: search.order() }, None),
            Turn::OutOfMemory => {
                (Partition::Undecided { key, limit: Some(Limit::Bytes), progress: search.progress() }, None)
            }
            Turn::Exhausted => (Partition::NotLinearizable { key }, Some(Refutation::Exhausted(search.progress()))),
        };
        self.held = others;
        self.stands[at].1 = Stand::Decided(partition);
        refutation.map(|refutation| (key, refutation))
    }

    /// Makes a search of a plan.
    fn open(&mut self, at: usize) {
        let (key, stand) = &mut self.stands[at];
        let (key, waiting) = (*key, Progress::default());
        let undecided = |limit, progress| Stand::Decided(Partition::Undecided { key, limit, progress });
        let plan = match std::mem::replace(stand, undecided(None, waiting)) {
            Stand::Planned(plan) => plan,
            other => return *stand = other,
        };
        let (planned, required) = (plan.bytes(), plan.required.len());
        *stand = match required {
            0 => Stand::Decided(Partition::Linearizable { key, order: Vec::new() }),
            _ => match search(plan) {
                Ok(search) => Stand::Open(search),
                Err(limit) => undecided(Some(limit), Progress { required, ..Progress::default() }),
            },
        };
        self.held = self.held.saturating_sub(planned);
        if let Stand::Open(search) = &self.stands[at].1 {
            self.held += search.bytes();
        }
    }

    fn outcome(self, refuted: Option<(u64, Refutation)>) -> Outcome {
        let limit = if refuted.is_some() { None } else { Some(Limit::Nodes) };
        let partition = |(key, stand)| match (stand, &refuted) {
            (Stand::Decided(partition), _) => partition,
            (_, Some((guilty, _))) if *guilty == key => Partition::NotLinearizable { key },
            (Stand::Open(mut search), _) => Partition::Undecided { key, limit, progress: search.progress() },
            (Stand::Planned(plan), _) => {
                let progress = Progress { required: plan.required.len(), ..Progress::default() };
                Partition::Undecided { key, limit, progress }
            }
        };
        let partitions: Vec<Partition> = self.stands.into_iter().map(partition).collect();
        let decided = partitions.iter().all(|p| matches!(p, Partition::Linearizable { .. }));
        let verdict = match refuted {
            Some((key, refutation)) => Verdict::NotLinearizable { key, refutation },
            None if decided => Verdict::Linearizable,
            None => Verdict::Undecided,
        };
        Outcome { verdict, partitions, nodes: self.nodes, bytes: self.bytes }
    }
}
