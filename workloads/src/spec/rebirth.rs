//! Under which names a client process works, and its next life: the same work under new ones.
//!
//! **Invariant:** a new life has processes and writers of its own and a journal of its own, so that nothing an earlier one left
//! open can be taken for its answer; what survives is what the application keeps itself: its outbox, its sink, its group.

use super::{ClientSpec, ConsumerMode, ConsumerSpec, RoleSpec, TransformSpec};
use history::{ProcessId, ProcessName, Role, WriterId};

/// Writer ids set aside for each life; a role that needs one for each attempt has so many attempts.
pub const WRITERS_PER_LIFE: u32 = 1 << 14;

const LIFE: &str = "-life-";

impl ClientSpec {
    /// The process's life number `life` (the first is 1), its roles' processes numbered from `process`, its writers from
    /// `writer`, and their names.
    pub fn reborn(&self, life: u32, process: ProcessId, writer: WriterId) -> (ClientSpec, Vec<ProcessName>) {
        let first = self.name.split(LIFE).next().unwrap_or(&self.name);
        let name = format!("{first}{LIFE}{life}");
        let mut next = self.clone();
        next.journal = self.journal.with_file_name(format!("{name}.sgj"));
        next.name.clone_from(&name);
        let mut names = Vec::new();
        for (role, at) in next.roles.iter_mut().zip(0..) {
            role.survive(ProcessId(process.0 + at), WriterId(writer.0 + at));
            names.push(ProcessName { name: name.clone(), role: role.role(), writer: role.writer() });
        }
        (next, names)
    }
}

impl RoleSpec {
    /// The same work by somebody else, who is not told to die.
    fn survive(&mut self, process: ProcessId, writer: WriterId) {
        match self {
            RoleSpec::Producer(p) => {
                (p.process, p.writer) = (process, writer);
                p.app.dies = None;
            }
            RoleSpec::Consumer(c) => {
                c.process = process;
                c.app.falls = None;
            }
            RoleSpec::Transactor(t) => (t.process, t.writer) = (process, writer),
            RoleSpec::Transform(t) => {
                (t.process, t.writer) = (process, writer);
                (t.app.falls, t.app.stalls) = (None, None);
            }
            RoleSpec::Operator(o) => o.process = process,
            RoleSpec::Observer(o) => o.process = process,
            RoleSpec::Sampler(s) => s.process = process,
        }
    }

    /// What it is for, in the history.
    pub fn role(&self) -> Role {
        match self {
            RoleSpec::Producer(_) | RoleSpec::Transactor(_) | RoleSpec::Transform(_) => Role::Producer,
            RoleSpec::Consumer(_) => Role::Consumer,
            RoleSpec::Sampler(_) | RoleSpec::Operator(_) | RoleSpec::Observer(_) => Role::Sampler,
        }
    }

    /// Whose values it appends, if it appends.
    pub fn writer(&self) -> Option<WriterId> {
        match self {
            RoleSpec::Producer(p) => Some(p.writer),
            RoleSpec::Transactor(t) => Some(t.writer),
            RoleSpec::Transform(t) => Some(t.writer),
            RoleSpec::Consumer(_) | RoleSpec::Sampler(_) | RoleSpec::Operator(_) | RoleSpec::Observer(_) => None,
        }
    }

    /// The `group.id` that a coordinator keeps for it, if it is a member of a group.
    pub fn group(&self) -> Option<&str> {
        match self {
            RoleSpec::Consumer(ConsumerSpec { mode: ConsumerMode::Group(group), .. })
            | RoleSpec::Transform(TransformSpec { group, .. }) => Some(&group.id),
            _ => None,
        }
    }

    /// The transactional id that a coordinator keeps for it, if it has one that is known before it runs.
    pub fn transactional_id(&self) -> Option<String> {
        match self {
            RoleSpec::Transactor(t) => t.properties.get("transactional.id").cloned(),
            RoleSpec::Transform(t) => t.transactional_id(),
            _ => None,
        }
    }
}
