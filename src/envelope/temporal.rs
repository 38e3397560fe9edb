//! Days and ticks since the epoch to the text that Debezium's `isostring` mode writes.
//!
//! The calendar is written out here because Postgres' timestamps end in the year 294276 and its
//! dates in 5874897, beyond what calendar crates hold. The surprising fact: infinity has no number
//! of its own; Debezium sends whatever Java made of it, which lies outside Postgres' real range.

use std::fmt::Write;

/// What a temporal number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Milli,
    Micro,
    Nano,
}

impl Unit {
    const fn per_second(self) -> i64 {
        match self {
            Self::Milli => 1_000,
            Self::Micro => 1_000_000,
            Self::Nano => 1_000_000_000,
        }
    }

    const fn digits(self) -> usize {
        match self {
            Self::Milli => 3,
            Self::Micro => 6,
            Self::Nano => 9,
        }
    }
}

const SECONDS_PER_DAY: i64 = 86_400;

/// Postgres' first and last day, 4714-11-24 BC and 5874897-12-31, in days since the epoch.
const DAYS: std::ops::RangeInclusive<i64> = -2_440_588..=2_145_042_905;

/// Postgres' last timestamp is in this year; its last date is in the other one.
const LAST_TIMESTAMP_YEAR: i64 = 294_276;
const LAST_DATE_YEAR: i64 = 5_874_897;
const FIRST_YEAR: i64 = -4_713;

/// The driver's milliseconds for infinity (pgjdbc `PGStatement.DATE_POSITIVE_INFINITY`). As
/// milliseconds it is far beyond any timestamp, as microseconds it is a moment of the year 294247.
const INFINITY: i64 = 9_223_372_036_825_200_000;

const POSITIVE: &str = "\"infinity\"";
const NEGATIVE: &str = "\"-infinity\"";

/// `"2017-09-15Z"`.
pub(super) fn date(days: i64) -> String {
    if DAYS.contains(&days) {
        let (year, month, day) = civil(days);
        return format!("\"{}-{month:02}-{day:02}Z\"", Year(year));
    }
    // The same infinity comes as one of two numbers, from a snapshot (where it depends by a day
    // on the worker's time zone) and from the stream, and of old versions as a third.
    let positive =
        days > 0 || (-622_191_235..=-622_191_233).contains(&days) || days == -2_147_472_692;
    if positive { POSITIVE } else { NEGATIVE }.to_owned()
}

/// `"04:05:11.789Z"`; `None` outside of a day. The end of the day becomes its beginning, as in
/// Java.
pub(super) fn time(ticks: i64, unit: Unit) -> Option<String> {
    let in_day = 0..=SECONDS_PER_DAY * unit.per_second();
    in_day.contains(&ticks).then(|| {
        let mut text = String::from("\"");
        push_time(
            &mut text,
            ticks % (SECONDS_PER_DAY * unit.per_second()),
            unit,
        );
        text + "Z\""
    })
}

/// `"2019-07-09T02:28:57.123456Z"`.
pub(super) fn timestamp(ticks: i64, unit: Unit) -> String {
    let per_day = SECONDS_PER_DAY * unit.per_second();
    let days = ticks.div_euclid(per_day);
    let (year, month, day) = civil(days);
    let saturated = unit == Unit::Nano && (ticks == i64::MAX || ticks == i64::MIN);
    // A thousandth of the driver's infinity in mode `adaptive` for milliseconds.
    let positive = (unit == Unit::Micro && ticks >= INFINITY)
        || (unit == Unit::Milli && ticks == INFINITY / 1_000)
        || year > LAST_TIMESTAMP_YEAR;
    match (ticks > 0, saturated || positive || days < *DAYS.start()) {
        (_, false) => {
            let mut text = format!("\"{}-{month:02}-{day:02}T", Year(year));
            push_time(&mut text, ticks.rem_euclid(per_day), unit);
            text + "Z\""
        }
        (true, true) => POSITIVE.to_owned(),
        (false, true) => NEGATIVE.to_owned(),
    }
}

/// `"P0Y0M3DT4H5M6.78S"`: microseconds as a duration of Debezium's `string` mode. Months are lost
/// already: Debezium counts them as 30.4375 days.
pub(super) fn duration(micros: i64) -> String {
    let unit = Unit::Micro.per_second();
    let (seconds, fraction) = (micros / unit, (micros % unit).unsigned_abs());
    let (days, rest) = (seconds / SECONDS_PER_DAY, seconds % SECONDS_PER_DAY);
    let (hours, minutes, seconds) = (rest / 3_600, rest / 60 % 60, rest % 60);
    let sign = if micros < 0 && seconds == 0 && fraction != 0 {
        "-"
    } else {
        ""
    };
    let mut text = format!("\"P0Y0M{days}DT{hours}H{minutes}M{sign}{seconds}");
    push_fraction(&mut text, fraction, Unit::Micro);
    text + "S\""
}

/// `"infinity"` or `"-infinity"` where a JSON string is a moment outside of Postgres' range:
/// what `isostring` makes of infinity differs between columns, snapshot and stream.
pub(super) fn infinity(json: &str) -> Option<&'static str> {
    let inner = json.strip_prefix('"')?.strip_suffix("Z\"")?;
    let positive = inner.starts_with('+');
    let unsigned = inner.strip_prefix(['+', '-'])?;
    let (digits, rest) = unsigned.split_once('-')?;
    let is_year = (5..=9).contains(&digits.len());
    let year: i64 = digits
        .parse()
        .ok()
        .filter(|_| is_year && follows_year(rest))?;
    let last = if rest.contains('T') {
        LAST_TIMESTAMP_YEAR
    } else {
        LAST_DATE_YEAR
    };
    match (positive, year) {
        // A snapshot loses the sign of a date's negative infinity.
        (true, 292_269_055) => Some(NEGATIVE),
        (true, year) if year > last => Some(POSITIVE),
        (false, year) if -year < FIRST_YEAR => Some(NEGATIVE),
        // The driver's infinity counted as microseconds (Debezium before 3.7).
        _ if inner == "+294247-01-10T04:00:25.2" => Some(POSITIVE),
        _ => None,
    }
}

/// Whether it is `MM-DD`, or `MM-DDTHH:MM` and what may follow.
fn follows_year(rest: &str) -> bool {
    let day = match rest.split_once('T') {
        None => rest,
        Some((day, time)) => {
            let is_time = time.len() >= 5 && time.bytes().all(|it| b"0123456789:.".contains(&it));
            match is_time && time.as_bytes()[2] == b':' {
                true => day,
                false => return false,
            }
        }
    };
    let is_digit = |at: usize| day.as_bytes()[at].is_ascii_digit();
    day.len() == 5 && day.as_bytes()[2] == b'-' && [0, 1, 3, 4].into_iter().all(is_digit)
}

/// A year as ISO 8601 and Java write it: astronomical, signed beyond four digits.
struct Year(i64);

impl std::fmt::Display for Year {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            year @ 0..=9_999 => write!(f, "{year:04}"),
            year @ 10_000.. => write!(f, "+{year}"),
            year => write!(f, "-{:04}", year.unsigned_abs()),
        }
    }
}

fn push_time(text: &mut String, ticks: i64, unit: Unit) {
    let seconds = ticks / unit.per_second();
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    let written = write!(text, "{hours:02}:{minutes:02}:{:02}", seconds % 60);
    debug_assert!(written.is_ok(), "writing to a string cannot fail");
    push_fraction(text, (ticks % unit.per_second()).unsigned_abs(), unit);
}

/// The fraction of a second without trailing zeros; nothing if it is zero.
fn push_fraction(text: &mut String, fraction: u64, unit: Unit) {
    if fraction != 0 {
        let digits = format!("{fraction:0width$}", width = unit.digits());
        text.push('.');
        text.push_str(digits.trim_end_matches('0'));
    }
}

/// Year, month and day of the proleptic Gregorian calendar, by eras of 400 years that begin in
/// March so that the leap day is the last one (Howard Hinnant, "chrono-compatible low-level date
/// algorithms").
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    // The pairs were read from one connector in mode adaptive and one in mode isostring.
    #[test]
    fn days_become_the_dates_that_isostring_writes() {
        for (days, text) in [
            (17_424, "2017-09-15Z"),
            (0, "1970-01-01Z"),
            (-2_440_588, "-4713-11-24Z"),
            (2_145_042_905, "+5874897-12-31Z"),
            (2_932_897, "+10000-01-01Z"),
            (-622_191_234, "infinity"),
            (2_146_033_979, "infinity"),
            (-625_821_272, "-infinity"),
            (-2_147_472_691, "-infinity"),
        ] {
            assert_eq!(date(days), format!("\"{text}\""), "{days}");
        }
    }

    #[test]
    fn ticks_become_the_times_that_isostring_writes() {
        for (ticks, unit, text) in [
            (14_711_789_012, Unit::Micro, "04:05:11.789012Z"),
            (86_400_000_000, Unit::Micro, "00:00:00Z"),
            (14_711_780, Unit::Milli, "04:05:11.78Z"),
            (14_711_000_000_001, Unit::Nano, "04:05:11.000000001Z"),
        ] {
            assert_eq!(time(ticks, unit), Some(format!("\"{text}\"")));
        }
        assert_eq!(time(-1, Unit::Milli), None);
        assert_eq!(time(86_400_001, Unit::Milli), None);
    }

    #[test]
    fn ticks_become_the_timestamps_that_isostring_writes() {
        use Unit::{Micro, Milli, Nano};
        for (ticks, unit, text) in [
            (1_562_639_337_123_456, Micro, "2019-07-09T02:28:57.123456Z"),
            (-2_203_891_200_999_999, Micro, "1900-02-28T23:59:59.000001Z"),
            (-1, Milli, "1969-12-31T23:59:59.999Z"),
            (-63_517_780_799_500, Milli, "-0043-03-15T12:00:00.5Z"),
            (-210_866_803_200_000_000, Micro, "-4713-11-24T00:00:00Z"),
            (253_402_300_800_000_000, Micro, "+10000-01-01T00:00:00Z"),
            (
                1_562_639_337_123_456_000,
                Nano,
                "2019-07-09T02:28:57.123456Z",
            ),
            (i64::MAX, Micro, "infinity"),
            (i64::MIN, Micro, "-infinity"),
            (INFINITY, Milli, "infinity"),
            (-9_223_372_036_832_400_000, Milli, "-infinity"),
            (INFINITY, Micro, "infinity"),
            (INFINITY / 1_000, Milli, "infinity"),
            (i64::MAX, Nano, "infinity"),
            (i64::MIN, Nano, "-infinity"),
        ] {
            assert_eq!(timestamp(ticks, unit), format!("\"{text}\""), "{ticks}");
        }
    }

    #[test]
    fn the_texts_of_infinity_get_their_name_and_real_moments_stay() {
        for (text, named) in [
            ("+292278994-08-16Z", Some(POSITIVE)),
            ("+292269055-12-02Z", Some(NEGATIVE)),
            ("+5877611-06-21Z", Some(POSITIVE)),
            ("-5877611-06-22Z", Some(NEGATIVE)),
            ("+292278994-08-16T23:00:00Z", Some(POSITIVE)),
            ("-292275055-05-16T23:00:00Z", Some(NEGATIVE)),
            ("+294247-01-10T04:00:25.2Z", Some(POSITIVE)),
            ("-290308-12-21T19:59:27.6Z", Some(NEGATIVE)),
            ("+294276-12-31T23:59:59.999999Z", None),
            ("+5874897-12-31Z", None),
            ("-4713-11-24Z", None),
            ("+999999999 is a phone Z", None),
            ("+49301234-56789Z", None),
            ("-49301234-12-34TZ", None),
            ("2017-09-15Z", None),
        ] {
            assert_eq!(infinity(&format!("\"{text}\"")), named, "{text}");
        }
    }

    #[test]
    fn microseconds_become_a_duration() {
        for (micros, text) in [
            (37_091_106_780_000, "P0Y0M429DT7H5M6.78S"),
            (-36_572_706_780_000, "P0Y0M-423DT-7H-5M-6.78S"),
            (-500_000, "P0Y0M0DT0H0M-0.5S"),
            (0, "P0Y0M0DT0H0M0S"),
        ] {
            assert_eq!(duration(micros), format!("\"{text}\""));
        }
    }
}
