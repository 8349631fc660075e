//! Lines of a page: a label, a text, a right margin.

use std::fmt::Write;

/// Where texts begin.
const LABEL_COLUMNS: usize = 22;

/// A page being written.
#[derive(Debug)]
pub struct Page {
    columns: usize,
    text: String,
}

impl Page {
    /// An empty page.
    pub fn new(columns: usize) -> Page {
        Page { columns, text: String::new() }
    }

    /// A line, cut at the margin.
    pub fn line(&mut self, text: &str) {
        let text = printable(text.trim_end());
        match text.chars().count() > self.columns {
            true => self.text.extend(text.chars().take(self.columns - 1).chain(['…'])),
            false => self.text += &text,
        }
        self.text.push('\n');
    }

    /// A labelled line, cut at the margin.
    pub fn entry(&mut self, label: &str, text: &str) {
        let apart = if label.chars().count() < LABEL_COLUMNS { "" } else { " " };
        self.line(&format!("{label:<LABEL_COLUMNS$}{apart}{text}"));
    }

    /// A labelled line that may pass the margin, because it is to be copied.
    pub fn whole(&mut self, label: &str, text: &str) {
        let line = printable(&format!("{label:<LABEL_COLUMNS$}{text}"));
        self.text += &line;
        self.text.push('\n');
    }

    /// Says that `left` things are not shown, if any.
    pub fn more(&mut self, left: usize, thing: &str) {
        if left > 0 {
            self.entry("", &format!("and {} more", plural(left as u64, thing)));
        }
    }

    /// A labelled text over at most `lines` lines.
    pub fn paragraph(&mut self, label: &str, text: &str, lines: usize) {
        self.wrapped(label, text, lines, "");
    }

    /// A labelled shell command over at most `lines` lines; the last may pass the margin.
    pub fn command(&mut self, label: &str, command: &str, lines: usize) {
        self.wrapped(label, command, lines, " \\");
    }

    fn wrapped(&mut self, label: &str, text: &str, lines: usize, end: &str) {
        let width = self.columns - LABEL_COLUMNS - end.len();
        let (mut rest, mut label) = (text.trim(), label);
        for _ in 1..lines {
            let Some(cut) = break_at(rest, width) else { break };
            self.entry(label, &format!("{}{end}", &rest[..cut]));
            (rest, label) = (rest[cut..].trim_start(), "");
        }
        match end {
            "" => self.entry(label, rest),
            _ => self.whole(label, rest),
        }
    }

    /// The page.
    pub fn finish(self) -> String {
        self.text
    }
}

/// The last space within `width` characters, if the text is longer.
fn break_at(text: &str, width: usize) -> Option<usize> {
    let (margin, _) = text.char_indices().nth(width)?;
    text[..margin].rfind(' ').filter(|at| *at > 0)
}

/// The text with every control character replaced: no escape sequence reaches a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// `1 234 567`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// `1 node`, `3 nodes`.
pub fn plural(n: u64, thing: &str) -> String {
    format!("{} {thing}{}", grouped(n), if n == 1 { "" } else { "s" })
}

/// A duration to three digits or so: `950 ns`, `1.20 ms`, `34.5 s`.
pub fn duration(ns: u64) -> String {
    let units = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs")];
    match units.into_iter().find(|(size, _)| ns >= *size) {
        None => format!("{ns} ns"),
        Some((size, unit)) => {
            let n = ns as f64 / size as f64;
            let digits = if n < 10.0 { 2 } else { usize::from(n < 100.0) };
            format!("{n:.digits$} {unit}")
        }
    }
}

/// A moment from the start of the load, to the microsecond: `12.345678 s`.
pub fn moment(ns: i64) -> String {
    let mut out = String::new();
    let ns_abs = ns.unsigned_abs();
    // A String cannot fail to be written to.
    let _ =
        write!(out, "{}{}.{:06} s", if ns < 0 { "-" } else { "" }, ns_abs / 1_000_000_000, ns_abs / 1_000 % 1_000_000);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1 000", "1 234 567"]);
        let durations = [0, 950, 1_204, 45_600, 345_600_000, 34_500_000_000].map(duration);
        assert_eq!(durations, ["0 ns", "950 ns", "1.20 µs", "45.6 µs", "346 ms", "34.5 s"]);
        assert_eq!([12_345_678_901, -1_500].map(moment), ["12.345678 s", "-0.000001 s"]);
    }

    #[test]
    fn a_long_text_is_wrapped_and_a_longer_one_cut() {
        let mut page = Page::new(LABEL_COLUMNS + 20);
        page.paragraph("label", "one two three four five six seven eight nine ten eleven", 2);
        let shown = page.finish();
        let texts: Vec<_> = shown.lines().map(|line| &line[LABEL_COLUMNS..]).collect();
        assert_eq!(texts, ["one two three four", "five six seven eigh…"]);
    }

    #[test]
    fn a_wrapped_command_is_still_one_command() {
        let mut page = Page::new(40);
        page.command("repeat", "stormglass run --seed 0x1 --time 10s", 3);
        let joined = page.finish().replace("\\\n", "").split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(joined, "repeat stormglass run --seed 0x1 --time 10s");
    }
}
