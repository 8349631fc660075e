//! Which format a file is written in, by how it begins.

use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// How many of a file's first bytes decide.
pub const HEAD_BYTES: usize = 64 << 10;

/// What some editors put before a text in UTF-8.
pub const UTF_8_MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// Beginnings of files that have to be unpacked or converted first, and what to say of them.
const WRAPPED: [(&[u8], &str); 7] = [
    (&[0x1F, 0x8B], "compressed with gzip: unpack it first (gzip -dk)"),
    (&[0x28, 0xB5, 0x2F, 0xFD], "compressed with zstd: unpack it first (zstd -dk)"),
    (&[0xFD, b'7', b'z', b'X', b'Z'], "compressed with xz: unpack it first (xz -dk)"),
    (b"BZh", "compressed with bzip2: unpack it first (bzip2 -dk)"),
    (b"PK\x03\x04", "a zip archive: unpack it first (unzip)"),
    (&[0xFF, 0xFE], "text in UTF-16: convert it to UTF-8 first (iconv -f utf-16 -t utf-8)"),
    (&[0xFE, 0xFF], "text in UTF-16: convert it to UTF-8 first (iconv -f utf-16 -t utf-8)"),
];

/// What a file that begins with `head` has to be freed from before it can be read, if it is known.
pub fn wrapped(head: &[u8]) -> Option<&'static str> {
    WRAPPED.iter().find(|(begins, _)| head.starts_with(begins)).map(|(_, what)| *what)
}

/// A format of foreign histories.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Our own columnar file, `history.arrow`.
    Arrow,
    /// Our own JSON Lines.
    Jsonl,
    /// Jepsen's `history.edn`.
    Edn,
    /// The log lines of Porcupine's and Knossos's register histories.
    RegisterText,
    /// Porcupine's key-value histories.
    StoreText,
    /// Apache Kafka's verifiable producer and consumer.
    Verifiable,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 6] =
        [Format::Arrow, Format::Jsonl, Format::Edn, Format::RegisterText, Format::StoreText, Format::Verifiable];

    /// Short name, as typed.
    pub fn name(self) -> &'static str {
        match self {
            Format::Arrow => "arrow",
            Format::Jsonl => "jsonl",
            Format::Edn => "edn",
            Format::RegisterText => "register-text",
            Format::StoreText => "store-text",
            Format::Verifiable => "verifiable",
        }
    }

    /// What it is, for people.
    pub fn meaning(self) -> &'static str {
        match self {
            Format::Arrow => "a history.arrow of ours",
            Format::Jsonl => "JSON Lines by our schema",
            Format::Edn => "Jepsen's history.edn",
            Format::RegisterText => "register log lines (Porcupine, Knossos)",
            Format::StoreText => "key-value lines (Porcupine)",
            Format::Verifiable => "verifiable clients of Apache Kafka",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// No format has this name.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no format is called {0:?}")]
pub struct UnknownFormat(pub String);

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Format, UnknownFormat> {
        Format::ALL.into_iter().find(|format| format.name() == name).ok_or_else(|| UnknownFormat(name.to_owned()))
    }
}

/// The format of a file that begins with `head`, if it is one of these.
pub fn detect(head: &[u8]) -> Option<Format> {
    if head.starts_with(b"ARROW1") {
        return Some(Format::Arrow);
    }
    let head = head.strip_prefix(&UTF_8_MARK).unwrap_or(head);
    let text = String::from_utf8_lossy(&head[..head.len().min(HEAD_BYTES)]);
    text.lines().map(str::trim).filter(|line| !line.is_empty()).find_map(of_line)
}

/// What a line tells, if it tells anything.
fn of_line(line: &str) -> Option<Format> {
    let inner = line.trim_start_matches(['[', '(', ' ']);
    let has = |part: &str| line.contains(part);
    match inner.as_bytes().first() {
        Some(b'#') if has("{:") || line.ends_with('{') => Some(Format::Edn),
        Some(b'{') if inner[1..].trim_start().starts_with('"') => {
            let ours = has("\"stormglass_history\"") || has("\"op\"") || has("\"invoked_ns\"");
            let theirs = has("\"timestamp\"") || has("\"time_ms\"") || has("\"name\"");
            match (ours, theirs) {
                (true, _) => Some(Format::Jsonl),
                (false, true) => Some(Format::Verifiable),
                (false, false) => Some(Format::Jsonl),
            }
        }
        Some(b'{') if has(":key \"") && [":get", ":put", ":append"].iter().any(|f| has(&format!(":f {f}"))) => {
            Some(Format::StoreText)
        }
        Some(b'{') if inner[1..].trim_start().is_empty() || has("{:") || has("{ :") => Some(Format::Edn),
        _ if has(" - ") && [":invoke", ":ok", ":fail", ":info"].iter().any(|kind| has(kind)) => {
            Some(Format::RegisterText)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_is_known_by_how_it_begins() {
        for (head, format) in [
            ("ARROW1\0\0", Some(Format::Arrow)),
            ("{\"stormglass_history\":1}\n", Some(Format::Jsonl)),
            ("\n{\"op\":\"append\",\"process\":\"w\"}", Some(Format::Jsonl)),
            ("{:index 0, :type :invoke, :f :send", Some(Format::Edn)),
            ("[{:index 0", Some(Format::Edn)),
            ("#jepsen.history.Op{:index 0", Some(Format::Edn)),
            (";; a comment\n{:type :invoke}", Some(Format::Edn)),
            ("INFO  jepsen.core - Worker 0\nINFO  jepsen.util - 0\t:invoke\t:read\tnil", Some(Format::RegisterText)),
            ("{:process 0, :type :invoke, :f :put, :key \"a\", :value \"x\"}", Some(Format::StoreText)),
            ("{\"timestamp\":1,\"name\":\"startup_complete\"}", Some(Format::Verifiable)),
            ("{\"class\":\"x\",\"name\":\"producer_send_success\"}", Some(Format::Verifiable)),
            ("", None),
            ("hello\n", None),
            ("# A comment\n[package]\nname = { workspace = true }\n", None),
            ("{", Some(Format::Edn)),
            ("\u{FEFF}{\"op\":\"append\"}", Some(Format::Jsonl)),
        ] {
            assert_eq!(detect(head.as_bytes()), format, "{head}");
        }
        assert!(wrapped(&[0x1F, 0x8B, 8]).is_some_and(|what| what.contains("gzip")) && wrapped(b"{").is_none());
        assert!(Format::ALL.into_iter().all(|format| format.name().parse() == Ok(format)));
    }
}
