//! The grips a run has on its nodes' disks and clocks: a preloaded library, a file system in memory, or the files themselves.
//!
//! | what goes wrong | by |
//! |---|---|
//! | what vanishes with the power | the file system in memory, and nothing else |
//! | syncs, writes, space | the file system in memory if there is one, else the library |
//! | reads, slow reads and writes | the library if there is one (the kernel's cache hides them from a file system) |
//! | the wall clock | the library |
//! | rot, cuts, an empty disk | the files, while the node is down |
//!
//! **Invariants:** a node has only the grips that the run's faults need. A file system in memory is written back to the node's
//! folder at the end; until then the folder is marked as incomplete ([`memory::is_incomplete`]). A node whose disk is broken may end
//! by itself without that being a surprise.

pub mod machine;
pub mod memory;
mod segments;

use crate::run::Processes;
use crate::systems::NodePlan;
use history::NodeId;
use memory::Memory;
use nemesis::cluster::Refusal;
use nemesis::disk::{Damage, DiskCounts, DiskFault, Wreck};
use nemesis::fault::Need;
use nemesis::skew::{ClockReading, Skew};
use shim::Preload;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

/// Which grips a run is to have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Wanted {
    /// The library is preloaded.
    pub library: bool,
    /// Data folders are file systems in memory.
    pub memory: bool,
}

impl Wanted {
    /// What these needs make necessary, where the library reaches the program or does not.
    pub fn of(needs: &BTreeSet<Need>, library_reaches: bool) -> Wanted {
        let disk = needs.contains(&Need::Disk);
        Wanted {
            library: needs.contains(&Need::Clock) || (disk && library_reaches),
            memory: needs.contains(&Need::PowerLoss) || (disk && !library_reaches),
        }
    }
}

/// The grips on one node.
#[derive(Debug, Default)]
struct Hold {
    library: Option<Preload>,
    memory: Option<Memory>,
    disk: Disk,
}

/// Whether a disk is wrong at the moment, and what that excuses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Disk {
    /// It is sound, and nothing is excused.
    #[default]
    Sound,
    /// It is wrong in a way that no node ends of.
    Wrong,
    /// It fails: a node may end of it.
    Failing,
    /// It is sound again; the node may still be ending.
    Recovering,
}

/// The grips on all nodes.
#[derive(Debug, Default)]
pub struct Holds(BTreeMap<NodeId, Hold>);

/// True if a correct node may end of it: an error that it is told, not one that it only waits for.
fn ends_nodes(fault: DiskFault) -> bool {
    match fault {
        DiskFault::FsyncLies | DiskFault::FsyncSlow { .. } | DiskFault::FsyncHangs | DiskFault::Slow { .. } => false,
        DiskFault::FsyncFails | DiskFault::ReadsFail { .. } | DiskFault::WritesFail { .. } | DiskFault::Full { .. } => {
            true
        }
    }
}

fn said(error: impl fmt::Display) -> Refusal {
    Refusal(error.to_string())
}

impl Holds {
    /// Takes hold of these nodes, which have not been started, and changes their plans accordingly.
    pub fn take<'a>(
        needs: &BTreeSet<Need>,
        plans: impl Iterator<Item = &'a mut NodePlan>,
        seed: u64,
        processes: &mut Processes,
    ) -> Result<Holds, Refusal> {
        let mut holds = BTreeMap::new();
        for plan in plans {
            let program = plan.argv.first().map_or("", String::as_str);
            let reached = machine::unreached(Path::new(program)).is_none();
            let wanted = Wanted::of(needs, reached);
            if wanted == Wanted::default() {
                continue;
            }
            if needs.contains(&Need::Clock) && !reached {
                return Err(Refusal(format!(
                    "the wall clock of {program} cannot be changed: no library can be preloaded into it"
                )));
            }
            let seed = seed ^ u64::from(plan.id.0.unsigned_abs().wrapping_mul(0x9E37_79B9));
            let mut hold = Hold::default();
            if wanted.library {
                let library = Preload::create(&plan.folder, &plan.data, seed).map_err(said)?;
                plan.launch.env.extend(library.env().into_iter().map(|(name, value)| (name, Some(value))));
                hold.library = Some(library);
            }
            if wanted.memory {
                hold.memory = Some(Memory::start(&plan.folder, &plan.data, seed, processes)?);
            }
            holds.insert(plan.id, hold);
        }
        Ok(Holds(holds))
    }

    fn of(&mut self, node: NodeId) -> Result<&mut Hold, Refusal> {
        self.0
            .get_mut(&node)
            .ok_or_else(|| Refusal(format!("there is no hold on the disk and clock of node {}", node.0)))
    }

    /// What was set up counts as durable.
    pub fn checkpoint(&mut self) -> Result<(), Refusal> {
        self.0.values_mut().filter_map(|hold| hold.memory.as_mut()).try_for_each(Memory::checkpoint)
    }

    /// True if the node may end by itself.
    pub fn excuses(&self, node: NodeId) -> bool {
        self.0.get(&node).is_some_and(|hold| matches!(hold.disk, Disk::Failing | Disk::Recovering))
    }

    /// Disk and clock do nothing wrong any more.
    pub fn mend(&mut self, node: NodeId) -> Result<(), Refusal> {
        let Some(hold) = self.0.get_mut(&node) else { return Ok(()) };
        if let Some(library) = &hold.library {
            library.mend_disk();
            library.skew(None);
        }
        let after = match hold.disk {
            Disk::Sound | Disk::Recovering => return Ok(()),
            Disk::Wrong => Disk::Sound,
            Disk::Failing => Disk::Recovering,
        };
        hold.memory.as_mut().map_or(Ok(()), Memory::mend)?;
        hold.disk = after;
        Ok(())
    }

    /// The node was started anew: that it ends by itself is a surprise again.
    pub fn excuse_no_more(&mut self, node: NodeId) {
        if let Some(hold) = self.0.get_mut(&node).filter(|hold| hold.disk == Disk::Recovering) {
            hold.disk = Disk::Sound;
        }
    }

    /// The disk goes wrong.
    pub fn break_disk(&mut self, node: NodeId, fault: DiskFault) -> Result<(), Refusal> {
        let hold = self.of(node)?;
        let by_library = matches!(fault, DiskFault::ReadsFail { .. } | DiskFault::Slow { .. });
        match (&hold.library, &mut hold.memory) {
            (Some(library), None) => library.break_disk(fault),
            (Some(library), Some(_)) if by_library => library.break_disk(fault),
            (_, Some(memory)) => memory.break_disk(fault)?,
            (None, None) => return Err(Refusal(format!("there is no hold on the disk of node {}", node.0))),
        }
        hold.disk = if ends_nodes(fault) { Disk::Failing } else { Disk::Wrong };
        Ok(())
    }

    /// What the disk has counted.
    pub fn disk_counts(&mut self, node: NodeId) -> Result<DiskCounts, Refusal> {
        let hold = self.of(node)?;
        let library = hold.library.as_ref().map(Preload::counts).unwrap_or_default();
        let memory = hold.memory.as_mut().map_or(Ok(DiskCounts::default()), Memory::counts)?;
        Ok(library + memory)
    }

    /// Harms what is on the disk of a node that is down.
    pub fn wreck(&mut self, plan: &NodePlan, wreck: Wreck, seed: u64) -> Result<Damage, Refusal> {
        if let Wreck::PowerLoss { loss } = wreck {
            let none = || Refusal(format!("node {} keeps its data where a power loss cannot be made", plan.id.0));
            return self.of(plan.id)?.memory.as_mut().ok_or_else(none)?.lose_power(loss, seed);
        }
        let memory = self.0.get_mut(&plan.id).and_then(|hold| hold.memory.as_mut());
        let files = memory.as_ref().map_or_else(|| plan.data.clone(), |memory| memory.files());
        let damage = segments::wreck(&files, wreck, seed).map_err(said)?;
        memory.map_or(Ok(()), Memory::checkpoint)?;
        Ok(damage)
    }

    /// The wall clock goes wrong.
    pub fn skew(&mut self, node: NodeId, skew: Skew) -> Result<(), Refusal> {
        let none = || Refusal(format!("there is no hold on the clock of node {}", node.0));
        self.of(node)?.library.as_ref().ok_or_else(none)?.skew(Some(skew));
        Ok(())
    }

    /// What the node was told of the time.
    pub fn clock_reading(&mut self, node: NodeId) -> Result<ClockReading, Refusal> {
        let none = || Refusal(format!("there is no hold on the clock of node {}", node.0));
        Ok(self.of(node)?.library.as_ref().ok_or_else(none)?.reading())
    }

    /// How each kind of grip was taken, for the manifest.
    pub fn backends(&self) -> BTreeMap<String, String> {
        let mut backends = BTreeMap::new();
        for hold in self.0.values() {
            if hold.library.is_some() {
                backends.insert("disks, clocks".to_owned(), "LD_PRELOAD".to_owned());
            }
            if let Some(memory) = &hold.memory {
                backends.insert("disks, power".to_owned(), memory.how().to_owned());
            }
        }
        backends
    }

    /// Lets go of everything once no node runs: folders hold again what nodes have written. Says what did not work.
    pub fn release(&mut self, processes: &mut Processes) -> Vec<String> {
        let mut problems = Vec::new();
        for (node, hold) in std::mem::take(&mut self.0) {
            if let Some(library) = hold.library {
                library.remove();
            }
            let written = hold.memory.map_or(Ok(()), |memory| memory.end(processes));
            problems.extend(written.err().map(|error| format!("the disk of node {} is not evidence: {error}", node.0)));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_the_grips_its_faults_need_and_no_others() {
        let wanted = |needs: &[Need], reaches| Wanted::of(&needs.iter().copied().collect(), reaches);
        assert_eq!(wanted(&[Need::Signals, Need::Files], true), Wanted::default());
        assert_eq!(wanted(&[Need::Disk], true), Wanted { library: true, memory: false });
        assert_eq!(wanted(&[Need::Disk], false), Wanted { library: false, memory: true });
        assert_eq!(wanted(&[Need::PowerLoss], true), Wanted { library: false, memory: true });
        assert_eq!(wanted(&[Need::PowerLoss, Need::Disk], true), Wanted { library: true, memory: true });
        assert_eq!(wanted(&[Need::Clock], true), Wanted { library: true, memory: false });
    }
}
