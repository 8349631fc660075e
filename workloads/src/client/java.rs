//! Applications on Apache Kafka's Java client: the program, what it is told, and how it takes a process's place.
//!
//! The program (`workloads/java`) is compiled once for a release of the client. A client process whose application is on it
//! replaces itself by a JVM (`exec`), so that pid, signals, environment and journal stay what they were. **Invariant:** what
//! the JVM is told is the specification itself, made flat, a value a line; nothing is decided on the way. Deliberately absent:
//! where Java and the jars are found (the harness).

use super::{ClientError, failed};
use crate::clock;
use crate::errors::{Codes, Stage, TABLE};
use crate::spec::{ClientSpec, WRITERS_PER_LIFE};
use history::Outcome;
use serde_json::Value;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// The program's sources, by file name.
pub const SOURCES: &[(&str, &str)] = &[
    ("Answer.java", include_str!("../../java/Answer.java")),
    ("Counts.java", include_str!("../../java/Counts.java")),
    ("Group.java", include_str!("../../java/Group.java")),
    ("Journal.java", include_str!("../../java/Journal.java")),
    ("Life.java", include_str!("../../java/Life.java")),
    ("Member.java", include_str!("../../java/Member.java")),
    ("Producing.java", include_str!("../../java/Producing.java")),
    ("Reading.java", include_str!("../../java/Reading.java")),
    ("Spec.java", include_str!("../../java/Spec.java")),
    ("Stormglass.java", include_str!("../../java/Stormglass.java")),
    ("Transactional.java", include_str!("../../java/Transactional.java")),
];

/// The class that has `main`.
pub const MAIN: &str = "Stormglass";

/// How a JVM for a client is started: small and quick.
pub const FLAGS: &[&str] = &[
    "-Xms64m",
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
    "-XX:-UsePerfData",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Djava.net.preferIPv4Stack=true",
];

/// Replaces this process by the JVM; returns only why that could not be.
pub fn become_it(spec: &ClientSpec, path: &Path) -> ClientError {
    let Some(java) = &spec.java else { return ClientError::Java("its specification does not say where it is".into()) };
    let flat = path.with_extension("flat");
    let lines = match flatten(spec) {
        Ok(lines) => lines,
        Err(why) => return ClientError::Java(why),
    };
    if let Err(source) = std::fs::write(&flat, lines) {
        return failed("write", &flat, source);
    }
    let mut command = Command::new(&java.program);
    command.args(FLAGS).args(["-cp", &java.class_path, MAIN, "run"]).arg(&flat).arg(clock::now().0.to_string());
    failed("become", &java.program, command.exec())
}

/// The specification made flat, with what the table of errors says of reports.
fn flatten(spec: &ClientSpec) -> Result<String, String> {
    let told = serde_json::to_value(spec).map_err(|e| e.to_string())?;
    let mut lines = String::new();
    lay_out(&told, "", &mut lines)?;
    for (n, code) in definite().into_iter().enumerate() {
        lines += &format!("definite/{n}\t{code}\n");
    }
    lines += &format!("writers_per_life\t{WRITERS_PER_LIFE}\n");
    Ok(lines)
}

/// Codes of brokers after which a reported record is known not to be there.
fn definite() -> Vec<i32> {
    let told = TABLE.iter().filter(|row| row.outcome == Outcome::Fail && row.stages.contains(&Stage::Reported));
    let codes = told.filter_map(|row| match row.codes {
        Codes::These(codes) => Some(codes),
        Codes::Any => None,
    });
    codes.flatten().map(|code| *code as i32).filter(|code| *code > 0).collect()
}

fn lay_out(value: &Value, path: &str, lines: &mut String) -> Result<(), String> {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
    match value {
        Value::Object(fields) => fields.iter().try_for_each(|(name, value)| lay_out(value, &below(name), lines)),
        Value::Array(items) => {
            (0..).zip(items).try_for_each(|(n, value): (u32, _)| lay_out(value, &below(&n.to_string()), lines))
        }
        Value::Null => Ok(()),
        Value::String(text) => line(path, text, lines),
        Value::Bool(_) | Value::Number(_) => line(path, &value.to_string(), lines),
    }
}

fn line(path: &str, text: &str, lines: &mut String) -> Result<(), String> {
    if path.contains(['\n', '\r', '\t']) || text.contains(['\n', '\r']) {
        return Err(format!("{path}: a value of more than one line"));
    }
    *lines += &format!("{path}\t{text}\n");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::types::RDKafkaErrorCode as Code;

    #[test]
    fn a_specification_is_laid_out_a_value_a_line() {
        let told: Value = serde_json::from_str(
            r#"{"run": 18446744073709551615, "roles": [{"role": "producer", "app": {"outbox": null}, "properties": {"a.b": "c\td"}}]}"#,
        )
        .unwrap();
        let mut lines = String::new();
        lay_out(&told, "", &mut lines).unwrap();
        let mut lines: Vec<&str> = lines.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["roles/0/properties/a.b\tc\td", "roles/0/role\tproducer", "run\t18446744073709551615"]);
    }

    #[test]
    fn a_value_of_two_lines_is_refused() {
        let told: Value = serde_json::from_str(r#"{"name": "a\nb"}"#).unwrap();
        assert!(lay_out(&told, "", &mut String::new()).is_err());
    }

    #[test]
    fn a_record_that_is_too_large_is_definite_and_a_timeout_is_not() {
        let codes = definite();
        assert!(codes.contains(&(Code::MessageSizeTooLarge as i32)));
        assert!(!codes.contains(&(Code::RequestTimedOut as i32)));
        assert!(!codes.contains(&(Code::NotEnoughReplicas as i32)));
    }
}
