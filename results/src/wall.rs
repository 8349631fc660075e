//! The wall clock as text. Time comes in as data; UTC only.

use serde::{Deserialize, Serialize};
use std::fmt;

/// CLOCK_REALTIME, nanoseconds since 1970.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Wall(pub u64);

impl Wall {
    /// As a folder's name: `20261121T023114Z`.
    pub fn compact(self) -> String {
        let ([year, month, day], [hour, minute, second]) = self.fields();
        format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
    }

    fn fields(self) -> ([u64; 3], [u64; 3]) {
        let seconds = self.0 / 1_000_000_000;
        (date(seconds / 86_400), [seconds / 3600 % 24, seconds / 60 % 60, seconds % 60])
    }
}

/// RFC 3339 to the millisecond.
impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ([year, month, day], [hour, minute, second]) = self.fields();
        let ms = self.0 / 1_000_000 % 1000;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
    }
}

/// Year, month and day of a day since 1970 in the proleptic Gregorian calendar, counted in eras of 400 years that begin
/// on 1 March, so that a leap day is an era's, a century's and a year's last.
fn date(days: u64) -> [u64; 3] {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    [era * 400 + year_of_era + u64::from(month <= 2), month, day_of_year - (153 * from_march + 2) / 5 + 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_printed_as_date_and_time() {
        let table = [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_795_228_274, "2026-11-21T02:31:14.000Z"),
            (4_107_542_399, "2100-02-28T23:59:59.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ];
        for (seconds, text) in table {
            assert_eq!(Wall(seconds * 1_000_000_000).to_string(), text);
        }
        assert_eq!(Wall(1_795_228_274_123_456_789).compact(), "20261121T023114Z");
    }
}
