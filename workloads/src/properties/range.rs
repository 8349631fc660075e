//! What a property may be, as librdkafka's own table tells it: `0 .. 900000`, `none, gzip, snappy`, or nothing at all.

/// Words that the table does not have for numbers that it has, and numbers beyond Kafka's protocol.
const INSTEAD: &[(&str, &str)] = &[("acks", "all, -1, 0, 1"), ("request.required.acks", "all, -1, 0, 1")];

/// Why a value is none that the range of a property allows; `None` if it is one, or the table tells no range.
pub(super) fn complaint(name: &str, range: &str, value: &str) -> Option<String> {
    let range = INSTEAD.iter().find(|row| row.0 == name).map_or(range, |row| row.1);
    match range.split_once(" .. ") {
        Some((from, to)) => outside((from.trim(), to.trim()), value),
        None if range.is_empty() => None,
        None => {
            // Some take several words at once.
            let known = |word: &str| range.split(", ").any(|known| known.eq_ignore_ascii_case(word));
            let wrong = value.split(',').map(str::trim).find(|word| !known(word))?;
            Some(format!("`{wrong}` is none of {range}"))
        }
    }
}

fn outside((from, to): (&str, &str), value: &str) -> Option<String> {
    let number = |text: &str| text.parse::<f64>().ok();
    let (least, most) = (number(from)?, number(to)?);
    let within = number(value).is_some_and(|value| (least..=most).contains(&value));
    (!within).then(|| format!("`{value}` is not a number from {from} to {to}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_in_the_range_is_told_with_all_that_is_and_what_is_in_it_has_no_complaint() {
        for (name, range, value, told) in [
            ("acks", "-1 .. 1000", "many", Some("`many` is none of all, -1, 0, 1")),
            ("acks", "-1 .. 1000", "ALL", None),
            ("linger.ms", "0 .. 900000", "-4", Some("`-4` is not a number from 0 to 900000")),
            ("linger.ms", "0 .. 900000", "soon", Some("`soon` is not a number from 0 to 900000")),
            ("linger.ms", "0 .. 900000", "0.5", None),
            ("compression.type", "none, gzip, zstd", "tar", Some("`tar` is none of none, gzip, zstd")),
            ("compression.type", "none, gzip, zstd", "Gzip", None),
            ("debug", "msg, all", "msg,nothing", Some("`nothing` is none of msg, all")),
            ("debug", "msg, all", "msg,all", None),
            ("client.id", "", "anything", None),
        ] {
            assert_eq!(complaint(name, range, value).as_deref(), told, "{name}={value}");
        }
    }
}
