//! What users set of clients, in the words of the client library that a run uses.
//!
//! A name that the library does not have, a value that it does not take, and settings that do not go together are refused
//! before anything starts. Deliberately absent: which names there are (`workloads::properties`) and what they promise
//! (the contract).

use crate::commands::Failure;
use crate::java_client::{self, JavaClient};
use crate::scenario::Scenario;
use crate::settings::{Origin, Owner, Setting, Settings};
use workloads::library::Library;
use workloads::properties::{self, Meaning, Side, Speaker};

const SIDES: [(Owner, Side); 2] = [(Owner::Producer, Side::Producer), (Owner::Consumer, Side::Consumer)];

/// The clients' settings in the words of their library; one that it does not know, or that the embedded broker has no use
/// for, is refused with the nearest that it does.
pub fn of_library(mut settings: Settings, library: Library, release: &str) -> Result<Settings, Failure> {
    let mut java: Option<JavaClient> = None;
    for (owner, side) in SIDES {
        let given: Vec<(String, Setting)> = settings.of(owner).map(|(n, s)| (n.clone(), s.clone())).collect();
        let given: Vec<_> = given.into_iter().filter(|(_, setting)| setting.origin != Origin::Preset).collect();
        if library == Library::Java && java.is_none() && !given.is_empty() {
            let missing = |why| Failure::usage(format!("the client java cannot be used here: {why}"));
            java = Some(java_client::ready(release).map_err(missing)?);
        }
        let speaker = match (library, &java) {
            (Library::Java, Some(java)) => Speaker::Java(&java.names),
            (Library::Wire, _) => Speaker::Wire,
            _ => Speaker::Librdkafka,
        };
        translate(&mut settings, (owner, side), speaker, &given)?;
        if let Some(java) = &java {
            let kept = given.iter().filter(|(name, _)| settings.get(owner, name).is_some());
            let kept: Vec<_> = kept.map(|(name, setting)| (name.clone(), setting.value.clone())).collect();
            if let Some((name, why)) = java.refuses(side, &kept).map_err(Failure::internal)?.first() {
                return Err(Failure::usage(format!("{}: {why}", settings.cite(owner, name))));
            }
        }
    }
    Ok(settings)
}

fn translate(
    settings: &mut Settings,
    (owner, side): (Owner, Side),
    speaker: Speaker<'_>,
    given: &[(String, Setting)],
) -> Result<(), Failure> {
    let typed = settings.clone();
    given.iter().for_each(|(name, _)| settings.remove(owner, name));
    for (name, setting) in given {
        let cited = typed.cite(owner, name);
        let refuse = |why: String| Failure::usage(format!("{cited}: {why}"));
        if ["sasl.", "ssl.", "security."].iter().any(|part| name.starts_with(part)) {
            return Err(refuse("the embedded broker speaks PLAINTEXT only".into()));
        }
        let (name, value) = match speaker.meaning(side, name, &setting.value).map_err(|e| refuse(e.to_string()))? {
            Meaning::Set { name, value } => (name, value),
            Meaning::Nothing { why } => {
                settings.note(format!("{cited} is not used: {why}"));
                continue;
            }
        };
        let name = if matches!(speaker, Speaker::Librdkafka) { canonical(&name) } else { &name };
        let before = settings.get(owner, name).filter(|before| before.origin != Origin::Preset);
        match before.map(|before| (&before.origin, &setting.origin)) {
            Some((Origin::Flag, Origin::File { .. })) => continue,
            Some((Origin::File { .. }, Origin::Flag)) | None => {}
            Some(_) => return Err(refuse(format!("the same is set as {}", settings.cite(owner, name)))),
        }
        settings.set(owner, name, &value, setting.origin.clone());
    }
    Ok(())
}

/// One name for what librdkafka knows under two.
fn canonical(name: &str) -> &str {
    match name {
        "compression.codec" => "compression.type",
        "delivery.timeout.ms" => "message.timeout.ms",
        "max.in.flight" => "max.in.flight.requests.per.connection",
        "max.partition.fetch.bytes" => "fetch.message.max.bytes",
        "message.send.max.retries" => "retries",
        "queue.buffering.max.ms" => "linger.ms",
        "request.required.acks" => "acks",
        name => name,
    }
}

/// What librdkafka has against a scenario's settings together, with the lines of those that are not the preset's.
pub fn refuse(scenario: &Scenario) -> Result<(), Failure> {
    if scenario.client != Library::Librdkafka {
        return Ok(());
    }
    for (owner, side) in SIDES {
        let Some(why) = properties::refusal(side, &scenario.settings.values(owner)) else { continue };
        let given = scenario.settings.of(owner).filter(|(_, setting)| setting.origin != Origin::Preset);
        let given: Vec<String> = given.map(|(name, _)| scenario.settings.cite(owner, name)).collect();
        return Err(Failure::usage(format!(
            "librdkafka refuses the {}s' settings: {why}: {}",
            owner.name(),
            given.join(", ")
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::preset;

    fn file(line: usize) -> Origin {
        Origin::File { path: "p.properties".into(), line }
    }

    fn translated(given: &[(&str, &str, Origin)]) -> Result<Settings, String> {
        let mut settings = preset::durable();
        given.iter().for_each(|(name, value, origin)| settings.set(Owner::Producer, name, value, origin.clone()));
        of_library(settings, Library::Librdkafka, "").map_err(|failure| failure.text)
    }

    #[test]
    fn a_setting_under_another_name_takes_the_presets_place() {
        let settings =
            translated(&[("message.send.max.retries", "3", file(1)), ("delivery.timeout.ms", "900", file(2))]);
        let settings = settings.unwrap();
        assert_eq!(settings.cite(Owner::Producer, "retries"), "retries=3 (p.properties:1)");
        assert_eq!(settings.cite(Owner::Producer, "message.timeout.ms"), "message.timeout.ms=900 (p.properties:2)");
    }

    #[test]
    fn one_setting_under_two_names_is_refused_in_a_file_and_a_flag_wins_over_it() {
        let (acks, same) = (("acks", "all", file(1)), ("request.required.acks", "1"));
        let refused = translated(&[acks.clone(), (same.0, same.1, file(7))]).unwrap_err();
        assert!(refused.contains("p.properties:7") && refused.contains("p.properties:1"), "{refused}");
        let settings = translated(&[acks, (same.0, same.1, Origin::Flag)]).unwrap();
        assert_eq!(settings.get(Owner::Producer, "acks").unwrap().value, "1");
        let settings = translated(&[("acks", "all", Origin::Flag), (same.0, same.1, file(7))]).unwrap();
        assert_eq!(settings.get(Owner::Producer, "acks").unwrap().value, "all");
    }

    #[test]
    fn what_has_no_counterpart_is_told() {
        let settings = translated(&[("max.block.ms", "5", file(3))]).unwrap();
        assert!(settings.get(Owner::Producer, "max.block.ms").is_none());
        assert!(settings.notes().iter().any(|note| note.contains("p.properties:3")), "{:?}", settings.notes());
    }

    #[test]
    fn settings_that_do_not_go_together_are_refused_with_their_lines() {
        let mut scenario = Scenario::new("queue", 1);
        scenario.settings = translated(&[("acks", "0", file(1)), ("enable.idempotence", "true", file(2))]).unwrap();
        assert!(scenario.settle().is_empty());
        let refused = refuse(&scenario).unwrap_err().text;
        assert!(refused.contains("p.properties:1") && refused.contains("p.properties:2"), "{refused}");
    }
}
