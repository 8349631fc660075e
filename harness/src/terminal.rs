//! The one place that prints. Human text goes to stdout, problems and progress to stderr, so that `--json` stays clean.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::io::Write;

/// Prints a block of text to stdout, ending in one newline. A closed pipe is not an error worth dying for.
pub fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{}", text.trim_end_matches('\n'));
    let _ = out.flush();
}

/// Prints progress: one line an event.
pub fn progress(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Prints a problem and what helps.
pub fn complain(problem: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", problem.trim_end_matches('\n'));
}
