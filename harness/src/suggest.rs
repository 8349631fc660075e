//! The nearest valid name to what was typed.

/// `unknown fault `kill-leeder`; did you mean `kill-leader`? …`. `list` is the command that shows all of them.
pub fn unknown<'a>(what: &str, typed: &str, known: impl Iterator<Item = &'a str>, list: Option<&str>) -> String {
    let nearest = known
        .map(|name| (strsim::damerau_levenshtein(typed, name), name))
        .filter(|(distance, name)| *distance <= name.len().max(typed.len()) / 2)
        .min();
    let hint = nearest.map_or_else(String::new, |(_, name)| format!("; did you mean `{name}`?"));
    let list = list.map_or_else(String::new, |command| format!("\n  help: `stormglass {command}` shows all of them"));
    format!("unknown {what} `{typed}`{hint}{list}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_is_answered_with_the_nearest_name() {
        let text = unknown("fault", "kill-leeder", ["kill-leader", "pause-leader"].into_iter(), Some("list faults"));
        assert!(text.contains("did you mean `kill-leader`?") && text.contains("list faults"), "{text}");
    }

    #[test]
    fn a_name_like_nothing_else_gets_no_suggestion() {
        assert_eq!(unknown("fault", "zzzz", ["kill-leader"].into_iter(), None), "unknown fault `zzzz`");
    }
}
