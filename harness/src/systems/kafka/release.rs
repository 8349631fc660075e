//! A release of Kafka: which features it has, which logging it speaks, which Java it needs.

use crate::suggest;
use std::collections::BTreeMap;
use std::fmt;

/// `4.1.0`, by its numbers. Unknown where they are not told: 0.0.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Release {
    text: String,
    numbers: (u32, u32),
}

/// A feature level that is chosen when a cluster is formatted, and the release it came with.
const FEATURES: [(&str, (u32, u32)); 6] = [
    ("metadata.version", (3, 3)),
    ("kraft.version", (3, 9)),
    ("transaction.version", (4, 0)),
    ("group.version", (4, 0)),
    ("eligible.leader.replicas.version", (4, 0)),
    ("share.version", (4, 1)),
];

impl Release {
    /// The release of a version as written.
    pub fn parse(text: &str) -> Release {
        let mut parts = text.split(['.', '-']).map(|part| part.parse().unwrap_or(0));
        let numbers = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
        Release { text: text.to_owned(), numbers }
    }

    /// True from 4.0 on: log4j2, Java 17, no ZooKeeper.
    pub fn is_4(&self) -> bool {
        self.numbers >= (4, 0)
    }

    /// True if it can elect from eligible leader replicas.
    pub fn has_elr(&self) -> bool {
        self.numbers >= (4, 0)
    }

    /// The Java that its brokers need.
    pub fn java_min(&self) -> u32 {
        if self.is_4() { 17 } else { 11 }
    }

    /// The levels to ask for: of a feature that came later, level 0 is what there is.
    pub fn known(&self, features: BTreeMap<String, String>) -> BTreeMap<String, String> {
        let has = |name: &str| FEATURES.iter().any(|(known, since)| *known == name && self.numbers >= *since);
        features.into_iter().filter(|(name, _)| has(name)).collect()
    }

    /// Refuses feature levels that it does not have.
    pub fn refuse(&self, features: &BTreeMap<String, String>) -> Result<(), String> {
        for (name, level) in features {
            let known = || FEATURES.iter().map(|(name, _)| *name);
            let feature = FEATURES.iter().find(|(known, _)| known == name);
            let (_, since) = feature.ok_or_else(|| suggest::unknown("feature", name, known(), None))?;
            if self.numbers < *since && level != "0" {
                return Err(format!("feature:{name} came with Kafka {}.{}, and this is {self}", since.0, since.1));
            }
            let levels = name == "metadata.version" || level.parse::<u16>().is_ok();
            if !levels {
                return Err(format!("feature:{name}={level}: a level is a number"));
            }
        }
        Ok(())
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.text.is_empty() { "of an unknown version" } else { &self.text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_those_of_the_release() {
        let refuse = |release: &str, name: &str, level: &str| {
            Release::parse(release).refuse(&[(name.to_owned(), level.to_owned())].into())
        };
        assert_eq!(refuse("4.1.0", "eligible.leader.replicas.version", "1"), Ok(()));
        assert!(refuse("3.9.0", "eligible.leader.replicas.version", "1").unwrap_err().contains("4.0"));
        assert!(refuse("4.1.0", "transaction.versoin", "2").unwrap_err().contains("`transaction.version`"));
        assert!(refuse("4.1.0", "transaction.version", "two").is_err());
        let off = BTreeMap::from([("eligible.leader.replicas.version".to_owned(), "0".to_owned())]);
        assert!(Release::parse("3.9.0").refuse(&off).is_ok(), "what did not exist was off");
        assert!(
            Release::parse("3.9.0").known(off.clone()).is_empty() && Release::parse("4.1.0").known(off.clone()) == off
        );
    }

    #[test]
    fn a_version_is_told_by_its_numbers() {
        let [old, new, none] = ["3.9.1-rc2", "4.1.0", ""].map(Release::parse);
        assert!(!old.has_elr() && new.has_elr() && old.java_min() == 11 && new.java_min() == 17);
        assert_eq!([&old, &new, &none].map(ToString::to_string), ["3.9.1-rc2", "4.1.0", "of an unknown version"]);
    }
}
