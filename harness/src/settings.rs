//! The settings of a run by role, each with where it came from, so that a contract can name the line it rests on.
//!
//! Precedence: `-X` flag over file over preset. Deliberately not here: which names exist (each role's owner knows).

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Longest `.properties` file that is read.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Whose setting.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Owner {
    /// Every broker and controller.
    Broker,
    /// The topic under load.
    Topic,
    /// Every producer.
    Producer,
    /// Every consumer.
    Consumer,
    /// The cluster's feature levels, chosen when it is formatted.
    Feature,
}

impl Owner {
    /// All of them.
    pub const ALL: [Owner; 5] = [Owner::Broker, Owner::Topic, Owner::Producer, Owner::Consumer, Owner::Feature];

    /// As written before the colon of `-X`.
    pub fn name(self) -> &'static str {
        match self {
            Owner::Broker => "broker",
            Owner::Topic => "topic",
            Owner::Producer => "producer",
            Owner::Consumer => "consumer",
            Owner::Feature => "feature",
        }
    }
}

impl FromStr for Owner {
    type Err = String;

    fn from_str(text: &str) -> Result<Owner, String> {
        let found = Owner::ALL.into_iter().find(|o| o.name() == text);
        found.ok_or_else(|| crate::suggest::unknown("role", text, Owner::ALL.iter().map(|o| o.name()), None))
    }
}

/// Where a value came from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The durable preset.
    Preset,
    /// A scenario of the catalogue.
    Scenario(String),
    /// A `.properties` file of the user's.
    File {
        /// Which.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// `-X` on the command line.
    Flag,
    /// Follows from another setting, cited.
    Implied(String),
}

/// A value and its origin.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Setting {
    /// The value.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

/// `-X role:name=value`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Override {
    /// Whose.
    pub owner: Owner,
    /// Which.
    pub name: String,
    /// What.
    pub value: String,
}

impl FromStr for Override {
    type Err = String;

    fn from_str(text: &str) -> Result<Override, String> {
        let malformed = || format!("`{text}` is not a setting; write ROLE:NAME=VALUE, e.g. producer:acks=1");
        let (owner, rest) = text.split_once(':').ok_or_else(malformed)?;
        let (name, value) = rest.split_once('=').ok_or_else(malformed)?;
        let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
        if name.is_empty() {
            return Err(malformed());
        }
        Ok(Override { owner: owner.trim().parse()?, name, value })
    }
}

/// Settings of every role.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Settings {
    roles: BTreeMap<Owner, BTreeMap<String, Setting>>,
    #[serde(skip)]
    notes: Vec<String>,
}

impl Settings {
    /// Sets a value; a later call wins.
    pub fn set(&mut self, owner: Owner, name: &str, value: &str, origin: Origin) {
        let setting = Setting { value: value.to_owned(), origin };
        self.roles.entry(owner).or_default().insert(name.to_owned(), setting);
    }

    /// Forgets a value.
    pub fn remove(&mut self, owner: Owner, name: &str) {
        if let Some(role) = self.roles.get_mut(&owner) {
            role.remove(name);
        }
    }

    /// Forgets what the preset gave a role.
    pub fn forget_preset(&mut self, owner: Owner) {
        if let Some(role) = self.roles.get_mut(&owner) {
            role.retain(|_, setting| setting.origin != Origin::Preset);
        }
    }

    /// Reads a `.properties` file into a role, the last of a name's values as Kafka does. Errors name file and line.
    pub fn read_file(&mut self, owner: Owner, path: &Path) -> Result<(), String> {
        let wrong = |e: &dyn fmt::Display| format!("{}: {e}", path.display());
        let bytes = read(path).map_err(|e| wrong(&e))?;
        let mut lines: BTreeMap<String, usize> = BTreeMap::new();
        for line in java_properties::PropertiesIter::new_with_encoding(bytes.as_slice(), encoding_rs::UTF_8).by_ref() {
            let line = line.map_err(|e| wrong(&e))?;
            let number = line.line_number();
            let java_properties::LineContent::KVPair(name, value) = line.consume_content() else { continue };
            if name.is_empty() {
                return Err(format!("{}:{number}: a value without a name", path.display()));
            }
            let value = value.trim();
            if let Some(before) = lines.insert(name.clone(), number) {
                let had = self.get(owner, &name).map_or("", |setting| setting.value.as_str());
                self.notes.push(format!(
                    "{name}={value} ({}:{number}) takes the place of {name}={had} in line {before}",
                    path.display()
                ));
            }
            self.set(owner, &name, value, Origin::File { path: path.to_owned(), line: number });
        }
        Ok(())
    }

    /// What became of given settings that is not as they were given, in words.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Adds to these.
    pub fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// A role's setting.
    pub fn get(&self, owner: Owner, name: &str) -> Option<&Setting> {
        self.roles.get(&owner)?.get(name)
    }

    /// Whose word a producer takes; librdkafka's default where nobody said.
    pub fn acks(&self) -> &str {
        self.get(Owner::Producer, "acks").map_or("all", |acks| acks.value.as_str())
    }

    /// True if a producer takes the word of fewer than all in-sync replicas.
    pub fn acks_are_weak(&self) -> bool {
        !matches!(self.acks(), "all" | "-1")
    }

    /// All settings of a role.
    pub fn of(&self, owner: Owner) -> impl Iterator<Item = (&String, &Setting)> {
        self.roles.get(&owner).into_iter().flatten()
    }

    /// Name to value of a role.
    pub fn values(&self, owner: Owner) -> BTreeMap<String, String> {
        self.of(owner).map(|(name, setting)| (name.clone(), setting.value.clone())).collect()
    }

    /// Where a role's setting comes from, in words.
    pub fn origin(&self, owner: Owner, name: &str) -> Option<String> {
        let Setting { value, origin } = self.get(owner, name)?;
        Some(Cited { owner, name, value, origin }.to_string())
    }

    /// `acks=1 (-X producer:acks=1)`, `min.insync.replicas=1 (server.properties:31)`.
    pub fn cite(&self, owner: Owner, name: &str) -> String {
        match self.get(owner, name) {
            Some(Setting { value, origin }) => format!("{name}={value} ({})", Cited { owner, name, value, origin }),
            None => format!("{name} is not set for the {}", owner.name()),
        }
    }
}

/// A file of text as UTF-8; one in Latin-1, as Java has them, is put into it.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    let refuse = |why: &str| Err(std::io::Error::new(std::io::ErrorKind::InvalidData, why.to_owned()));
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return refuse("it is too long for properties");
    }
    if bytes.contains(&0) {
        return refuse("it is no text in UTF-8 or Latin-1");
    }
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    Ok(match std::str::from_utf8(text) {
        Ok(text) => text.as_bytes().to_vec(),
        Err(_) => text.iter().map(|byte| char::from(*byte)).collect::<String>().into_bytes(),
    })
}

struct Cited<'a> {
    owner: Owner,
    name: &'a str,
    value: &'a str,
    origin: &'a Origin,
}

impl fmt::Display for Cited<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.origin {
            Origin::Preset => f.write_str("the durable preset"),
            Origin::Scenario(id) => write!(f, "scenario {id}"),
            Origin::File { path, line } => write!(f, "{}:{line}", path.display()),
            Origin::Implied(by) => write!(f, "follows from {by}"),
            Origin::Flag => write!(f, "-X {}:{}={}", self.owner.name(), self.name, self.value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn an_override_names_role_property_and_value() {
        let expected = Override { owner: Owner::Producer, name: "acks".into(), value: "1".into() };
        assert_eq!("producer:acks=1".parse(), Ok(expected));
        assert_eq!("broker:a.b=x=y".parse::<Override>().map(|o| o.value), Ok("x=y".into()));
    }

    #[test]
    fn a_mistyped_role_is_answered_with_the_nearest() {
        let error = "prodcer:acks=1".parse::<Override>().unwrap_err();
        assert!(error.contains("did you mean `producer`"), "{error}");
        assert!(["acks=1", "producer:acks", "producer:=1"].iter().all(|bad| bad.parse::<Override>().is_err()));
    }

    #[test]
    fn a_file_is_cited_by_line_and_a_flag_by_itself() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "# ours\nmin.insync.replicas=1").unwrap();
        let mut settings = Settings::default();
        settings.read_file(Owner::Topic, file.path()).unwrap();
        settings.set(Owner::Producer, "acks", "1", Origin::Flag);
        let cited = settings.cite(Owner::Topic, "min.insync.replicas");
        assert_eq!(cited, format!("min.insync.replicas=1 ({}:2)", file.path().display()));
        assert_eq!(settings.cite(Owner::Producer, "acks"), "acks=1 (-X producer:acks=1)");
    }

    fn given(bytes: &[u8]) -> Result<Settings, String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let mut settings = Settings::default();
        settings.read_file(Owner::Producer, file.path()).map(|()| settings)
    }

    #[test]
    fn files_of_other_systems_are_read_and_what_is_no_text_is_refused() {
        for bytes in [
            &b"client.id=a\r\nacks = 1 \r\n"[..],
            b"\xEF\xBB\xBFclient.id=a\nacks:1",
            b"# caf\xE9\nclient.id\\\n =a\nacks 1\t\n",
        ] {
            let settings = given(bytes).unwrap();
            let value = |name| settings.get(Owner::Producer, name).map(|setting| setting.value.as_str());
            assert_eq!((value("client.id"), value("acks")), (Some("a"), Some("1")), "{bytes:?}");
        }
        for bytes in [&b"\xFF\xFEa\0c\0k\0s\0"[..], b"acks=1\0", b"acks=\\u12", b"\n=5\n", &vec![b'a'; (1 << 20) + 1]] {
            assert!(given(bytes).is_err(), "{:?}", &bytes[..bytes.len().min(20)]);
        }
    }

    #[test]
    fn the_last_of_a_names_values_holds_and_that_is_told() {
        let settings = given(b"acks=all\nlinger.ms=5\nacks=1\n").unwrap();
        assert_eq!(settings.get(Owner::Producer, "acks").map(|s| s.value.as_str()), Some("1"));
        let [note] = settings.notes() else { panic!("{:?}", settings.notes()) };
        assert!(note.contains(":3)") && note.contains("acks=all in line 1"), "{note}");
    }
}
