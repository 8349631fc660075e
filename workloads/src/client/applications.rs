//! What applications on a client library can do: one trait, an implementation a library.
//!
//! **Invariant:** a role that a library cannot play is refused with the reason before anything starts
//! ([`Applications::refuses`]); no library plays it in a quieter way. Probes (sampler, observer, operator) are nobody's
//! application: they are asked over the wire whatever the library is.

use super::status::Tally;
use super::{
    ClientError, Context, consumer, java, member, observer, operator, producer, sampler, single, transactional,
};
use crate::spec::{ClientSpec, Commit, ConsumerMode, OnError, RoleSpec};
use std::path::{Path, PathBuf};

/// What applications on a library can do.
pub trait Applications: Sync {
    /// Why they cannot do what a role says, if they cannot.
    fn refuses(&self, role: &RoleSpec) -> Option<&'static str>;

    /// Does what a role says until its load is done or the process is asked to stop.
    fn run(&self, context: &Context, role: &RoleSpec) -> Result<Tally, ClientError>;

    /// Makes another program of the process, where the library lives in one: returns only why that failed, or nothing where it
    /// does not live in one.
    fn becomes(&self, _spec: &ClientSpec, _path: &Path) -> Option<ClientError> {
        None
    }
}

/// Applications on librdkafka.
pub struct Librdkafka;

impl Applications for Librdkafka {
    fn refuses(&self, _role: &RoleSpec) -> Option<&'static str> {
        None
    }

    fn run(&self, context: &Context, role: &RoleSpec) -> Result<Tally, ClientError> {
        match role {
            RoleSpec::Producer(p) => producer::run(context, p),
            RoleSpec::Consumer(c) => match &c.mode {
                ConsumerMode::Assign { logs } => consumer::run(context, c, logs),
                ConsumerMode::Group(group) => member::run(context, c, group),
            },
            RoleSpec::Transactor(t) => transactional::run_transactor(context, t),
            RoleSpec::Transform(t) => transactional::run_transform(context, t),
            RoleSpec::Operator(_) | RoleSpec::Observer(_) | RoleSpec::Sampler(_) => probe(context, role),
        }
    }
}

/// Applications on the Java client: a JVM takes the process's place, and its life is the same one to whoever signals it.
pub struct Java;

impl Applications for Java {
    fn refuses(&self, role: &RoleSpec) -> Option<&'static str> {
        let table = |outbox: &PathBuf| outbox.extension().is_some_and(|e| e == "sqlite");
        if matches!(role, RoleSpec::Producer(p) if p.app.outbox.as_ref().is_some_and(table)) {
            return Some("the Java program writes no SQLite file");
        }
        let RoleSpec::Consumer(consumer) = role else { return None };
        if consumer.app.sink.is_some() {
            return Some("the Java program writes no SQLite file");
        }
        let stores = matches!(consumer.mode, ConsumerMode::Group(_)) && consumer.app.commit == Commit::Stored;
        stores.then_some(
            "the Java client has no store of offsets that an application may mark (enable.auto.offset.store)",
        )
    }

    fn run(&self, context: &Context, role: &RoleSpec) -> Result<Tally, ClientError> {
        probe(context, role)
    }

    fn becomes(&self, spec: &ClientSpec, path: &Path) -> Option<ClientError> {
        spec.roles.iter().any(|role| !is_probe(role)).then(|| java::become_it(spec, path))
    }
}

/// Applications on our own wire client.
pub struct Wire;

impl Applications for Wire {
    fn refuses(&self, role: &RoleSpec) -> Option<&'static str> {
        match role {
            RoleSpec::Producer(p) if p.app.outbox.is_some() => Some("the wire client's producer keeps no outbox"),
            RoleSpec::Producer(p) if p.app.headers > 0 => Some("the wire client writes no headers"),
            RoleSpec::Producer(p) if p.app.on_error == OnError::Resend => {
                Some("the wire client sends nothing twice, and neither does its application")
            }
            RoleSpec::Consumer(c) if matches!(c.mode, ConsumerMode::Group(_)) => {
                Some("the wire client joins no groups")
            }
            RoleSpec::Transform(_) => Some("the wire client joins no groups, so it has no input to transform"),
            _ => None,
        }
    }

    fn run(&self, context: &Context, role: &RoleSpec) -> Result<Tally, ClientError> {
        match role {
            RoleSpec::Producer(p) => single::produce(context, p),
            RoleSpec::Transactor(t) => single::transact(context, t),
            RoleSpec::Consumer(c) => match &c.mode {
                ConsumerMode::Assign { logs } => single::consume(context, c, logs),
                ConsumerMode::Group(_) => Err(not_played(self, role)),
            },
            RoleSpec::Transform(_) => Err(not_played(self, role)),
            RoleSpec::Operator(_) | RoleSpec::Observer(_) | RoleSpec::Sampler(_) => probe(context, role),
        }
    }
}

fn is_probe(role: &RoleSpec) -> bool {
    matches!(role, RoleSpec::Operator(_) | RoleSpec::Observer(_) | RoleSpec::Sampler(_))
}

fn probe(context: &Context, role: &RoleSpec) -> Result<Tally, ClientError> {
    match role {
        RoleSpec::Operator(o) => operator::run(context, o),
        RoleSpec::Observer(o) => observer::run(context, o),
        RoleSpec::Sampler(s) => sampler::run(context, s),
        RoleSpec::Producer(_) | RoleSpec::Consumer(_) | RoleSpec::Transactor(_) | RoleSpec::Transform(_) => {
            Err(ClientError::Refused("is an application's and belongs to another process"))
        }
    }
}

fn not_played(library: &dyn Applications, role: &RoleSpec) -> ClientError {
    ClientError::Refused(library.refuses(role).unwrap_or("is not played by this library"))
}

#[cfg(test)]
mod tests {
    use crate::library::Library;
    use crate::workload::Workload;
    use crate::workload::tests::site;

    /// The workloads that each library can be used for, as the manual says.
    #[test]
    fn every_library_plays_every_workload_but_those_it_refuses_with_a_reason() {
        let wire = ["queue", "transactions", "rival-transactions", "compacted", "list-offsets", "admin", "bank"];
        for row in Workload::ALL {
            let plan = (row.usual)().shape().plan(&site());
            let roles = || plan.clients.iter().flat_map(|client| &client.roles);
            let plays = |library: Library| roles().all(|role| library.applications().refuses(role).is_none());
            assert!(plays(Library::Librdkafka), "{}", row.name);
            assert_eq!(plays(Library::Java), row.name != "sink", "{}", row.name);
            assert_eq!(plays(Library::Wire), wire.contains(&row.name), "{}", row.name);
        }
    }
}
