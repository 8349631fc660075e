//! What this machine can make go wrong for a run, tried before anything of the run is started.
//!
//! **Invariants:** a mechanism is tried, never inferred from versions or files; it is tried only if a fault of the run needs it. What
//! cannot be done and was insisted on refuses the run; anything else is left out of it, with the reason.

use super::memory::{self, Memory};
use crate::commands::Failure;
use crate::run::{self, Processes};
use crate::scenario::Scenario;
use crate::systems;
use nemesis::FaultKind;
use nemesis::fault::Need;
use results::Exit;
use shim::Coverage;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Leaves out of the scenario what the machine cannot do, or refuses it.
pub fn fit(scenario: &mut Scenario, processes: &mut Processes) -> Result<(), Failure> {
    let lacks = Lacks::found(scenario, processes)?;
    let insisted = scenario.kinds().into_iter().filter(|kind| scenario.insists_on(*kind));
    let mut refused: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for kind in insisted {
        if let Some(why) = lacks.of(kind) {
            let kinds = refused.entry(why).or_default();
            if !kinds.contains(&kind.name()) {
                kinds.push(kind.name());
            }
        }
    }
    if !refused.is_empty() {
        let texts: Vec<String> = refused.iter().map(|(why, kinds)| refusal(why, kinds)).collect();
        return Err(Failure { exit: Exit::NoRights, text: texts.join("\n") });
    }
    scenario.leave_out(|kind| lacks.of(kind).map(|why| format!("it cannot be made and proven on this machine: {why}")));
    Ok(())
}

fn refusal(why: &str, kinds: &[String]) -> String {
    let (s, names) = (if kinds.len() == 1 { "" } else { "s" }, kinds.join("`, `"));
    let without: Vec<String> = kinds.iter().map(|kind| format!("-{kind}")).collect();
    format!(
        "fault{s} `{names}` cannot be made and proven on this machine\n  cause: {why}\n  help:  drop it (--faults mixed,{}), or accept a \
         hole in the report (--allow-unproven {}); `stormglass doctor` says what works here",
        without.join(","),
        kinds.join(",")
    )
}

/// Why what cannot be done, where it cannot.
struct Lacks {
    /// The library does not reach the nodes' program.
    nodes: Option<String>,
    /// The library does not reach this program, which clients are.
    clients: Option<String>,
    /// There is no file system in memory.
    memory: Option<String>,
    /// There is no proxy that holds the network.
    proxy: Option<String>,
}

impl Lacks {
    fn found(scenario: &Scenario, processes: &mut Processes) -> Result<Lacks, Failure> {
        let needs = scenario.fault_needs();
        let folder = processes.make_folder().map_err(Failure::internal)?;
        let nodes = systems::of(&scenario.system).program().and_then(|program| unreached(&program));
        let clients = std::env::current_exe().ok().and_then(|program| unreached(&program));
        let in_memory = needs.contains(&Need::PowerLoss) || (needs.contains(&Need::Disk) && nodes.is_some());
        let memory = in_memory.then(|| memory_fails(&folder, processes)).flatten();
        let proxied = needs.contains(&Need::Proxy);
        let proxy = proxied.then(|| run::network_tried(&folder, processes).err()).flatten();
        Ok(Lacks { nodes, clients, memory, proxy })
    }

    fn of(&self, kind: FaultKind) -> Option<String> {
        match kind.definition().need() {
            Need::Signals | Need::Files => None,
            Need::Proxy => self.proxy.clone(),
            Need::PowerLoss => self.memory.clone(),
            Need::Disk => {
                let (library, memory) = (self.nodes.as_ref()?, self.memory.as_ref()?);
                Some(format!("{library}; {memory}"))
            }
            Need::Clock if kind.aim().is_of_clients() => self.clients.clone(),
            Need::Clock => self.nodes.clone(),
        }
    }
}

/// Why the library does not reach a program; a program that cannot be found or read fails later, with a better reason.
pub(super) fn unreached(program: &Path) -> Option<String> {
    let found = match program.components().count() > 1 {
        true => Some(program.to_owned()),
        false => std::env::var_os("PATH").and_then(|path| {
            let places = std::env::split_paths(&path).map(|folder| folder.join(program));
            places.into_iter().find(|place: &PathBuf| place.is_file())
        }),
    };
    match shim::audit(&found?).ok()? {
        Coverage::Dynamic | Coverage::Script => None,
        coverage => Some(format!("no library can be preloaded into {}: {coverage}", program.display())),
    }
}

fn memory_fails(folder: &Path, processes: &mut Processes) -> Option<String> {
    let data = folder.join("memory");
    std::fs::create_dir_all(&data).err().map(|e| e.to_string()).or_else(|| {
        let tried = Memory::start(folder, &data, 1, processes).and_then(|memory| memory.end(processes));
        tried.err().map(|refusal| refusal.to_string() + memory::HELP)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lacks() -> Lacks {
        let why = |text: &str| Some(text.to_owned());
        Lacks { nodes: why("static"), clients: None, memory: why("no FUSE"), proxy: why("no loopback") }
    }

    fn of(lacks: &Lacks, name: &str) -> Option<String> {
        lacks.of(name.parse().unwrap())
    }

    #[test]
    fn what_is_lacking_stops_what_needs_it_and_nothing_else() {
        let lacks = lacks();
        assert_eq!(of(&lacks, "power-loss-leader").as_deref(), Some("no FUSE"));
        assert_eq!(of(&lacks, "disk-slow-leader").as_deref(), Some("static; no FUSE"));
        assert_eq!(of(&lacks, "clock-jump-leader").as_deref(), Some("static"));
        assert_eq!(of(&lacks, "isolate-leader").as_deref(), Some("no loopback"));
        for name in ["clock-jump-producer", "kill-leader", "bit-rot-leader"] {
            assert_eq!(of(&lacks, name), None, "{name}");
        }
        let fuse = Lacks { memory: None, ..lacks };
        assert_eq!(of(&fuse, "disk-slow-leader"), None, "a file system reaches a static program");
    }

    #[test]
    fn a_refusal_says_what_and_why_and_what_to_do() {
        let text = refusal("no FUSE", &["power-loss-leader".into(), "power-loss-all".into()]);
        for part in [
            "`power-loss-leader`, `power-loss-all`",
            "cause: no FUSE",
            "--allow-unproven power-loss-leader,power-loss-all",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }
}
