//! Durations, rates, sizes and seeds as users type them: `90s`, `45m`, `250ms`, `2k/s`, `1KiB`, `9f3c51ab`.

use std::time::Duration;

fn split(text: &str) -> (&str, &str) {
    let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(at)
}

/// `250ms`, `90s`, `45m`, `2h`; at most 7 days.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text.trim());
    let scale = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(format!("`{text}` is not a duration; write 250ms, 90s, 45m or 2h")),
    };
    let ms = number.parse::<u64>().ok().and_then(|n| n.checked_mul(scale)).filter(|ms| *ms <= 7 * 24 * 3_600_000);
    ms.map(Duration::from_millis).ok_or_else(|| format!("`{text}` is not a duration between 0 and 7 days"))
}

/// `2000/s`, `2k/s`, `1M/s`, or `max` (0: closed loop). Records a second over all producers.
pub fn rate(text: &str) -> Result<u64, String> {
    let text = text.trim();
    if text == "max" {
        return Ok(0);
    }
    let (number, unit) = split(text.strip_suffix("/s").unwrap_or(text));
    let scale = match unit {
        "" => 1,
        "k" => 1_000,
        "M" => 1_000_000,
        _ => return Err(format!("`{text}` is not a rate; write 2000/s, 2k/s or max")),
    };
    let rate = number.parse::<u64>().ok().and_then(|n| n.checked_mul(scale)).filter(|r| (1..=10_000_000).contains(r));
    rate.ok_or_else(|| format!("`{text}` is not a rate between 1/s and 10M/s, nor `max`"))
}

/// `100`, `100B`, `1KiB`, `1MiB`; at most 1 GiB.
pub fn size(text: &str) -> Result<usize, String> {
    let (number, unit) = split(text.trim());
    let scale = match unit {
        "" | "B" => 1,
        "KiB" | "k" => 1 << 10,
        "MiB" | "M" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(format!("`{text}` is not a size; write 100B, 1KiB or 1MiB")),
    };
    let bytes = number.parse::<usize>().ok().and_then(|n| n.checked_mul(scale)).filter(|b| *b <= 1 << 30);
    bytes.ok_or_else(|| format!("`{text}` is not a size up to 1GiB"))
}

/// Up to 16 hexadecimal digits, with or without `0x`.
pub fn seed(text: &str) -> Result<u64, String> {
    let digits = text.trim().trim_start_matches("0x");
    let valid = (1..=16).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
    valid
        .then(|| u64::from_str_radix(digits, 16).ok())
        .flatten()
        .ok_or_else(|| format!("`{text}` is not a seed; a seed is 1 to 16 hexadecimal digits, e.g. 9f3c51ab"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_users_write_is_understood() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!((rate("2k/s"), rate("max"), rate("50")), (Ok(2000), Ok(0), Ok(50)));
        assert_eq!((size("1KiB"), size("100")), (Ok(1024), Ok(100)));
        assert_eq!((seed("0x9f3c51ab"), seed("ff")), (Ok(0x9f3c_51ab), Ok(255)));
    }

    #[test]
    fn what_nobody_means_is_refused() {
        for bad in ["", "s", "-1s", "1.5s", "90", "99999999999999999999s", "8d"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        assert!(["", "0/s", "fast", "1G/s"].iter().all(|bad| rate(bad).is_err()));
        assert!(["", "xyz", "0x", "12345678901234567", "+1"].iter().all(|bad| seed(bad).is_err()));
        assert!(["", "1TB", "2000000000"].iter().all(|bad| size(bad).is_err()));
    }
}
