//! Times as uploads write them.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// The microseconds since 1970 of a written time: RFC 3339, the same with a space and without a zone (taken as UTC), a
/// date alone (its midnight in UTC), or a number as in [`micros_of_number`].
pub(crate) fn micros_of_text(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(timestamp.as_microsecond());
    }
    if let Ok(number) = text.parse::<i64>() {
        return micros_of_integer(number);
    }
    if let Ok(number) = text.parse::<f64>() {
        return micros_of_number(number);
    }
    let civil = match text.parse::<DateTime>() {
        Ok(civil) => civil,
        Err(_) => text.parse::<Date>().ok()?.into(),
    };
    let timestamp = civil.to_zoned(TimeZone::UTC).ok()?.timestamp();
    Some(timestamp.as_microsecond())
}

/// The microseconds of a whole number: seconds below 10^11 (year 5138), milliseconds below 10^14, else microseconds.
pub(crate) fn micros_of_integer(number: i64) -> Option<i64> {
    match number.unsigned_abs() {
        0..100_000_000_000 => number.checked_mul(1_000_000),
        100_000_000_000..100_000_000_000_000 => number.checked_mul(1_000),
        _ => Some(number),
    }
}

/// The microseconds of a number with the same reading of its size; seconds may have a fraction.
pub(crate) fn micros_of_number(number: f64) -> Option<i64> {
    let scale = match number.abs() {
        size if size < 1e11 => 1e6,
        size if size < 1e14 => 1e3,
        size if size < 1e17 => 1.0,
        _ => return None,
    };
    Some((number * scale).round() as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_accepted_spelling_is_the_same_moment() {
        for text in [
            "2012-10-28T00:00:03.396Z",
            "2012-10-28 00:00:03.396Z",
            "2012-10-28T02:00:03.396+02:00",
            " 2012-10-28 00:00:03.396 ",
            "2012-10-28T00:00:03.396",
            "1351382403.396",
            "1351382403396",
            "1351382403396000",
        ] {
            assert_eq!(
                micros_of_text(text),
                Some(1_351_382_403_396_000),
                "{text:?}"
            );
        }
        assert_eq!(micros_of_text("1970-01-02"), Some(86_400_000_000));
        assert_eq!(micros_of_text("-1"), Some(-1_000_000));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "yesterday",
            "2012-13-01",
            "2012-10-28T25:00:00Z",
            "nan",
            "inf",
            "1e300",
            "12:00",
        ] {
            assert_eq!(micros_of_text(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_printed_time_is_read_back(micros in -60_000_000_000_000_000i64..250_000_000_000_000_000) {
            let printed = Timestamp::from_microsecond(micros).unwrap().to_string();
            prop_assert_eq!(micros_of_text(&printed), Some(micros));
        }

        #[test]
        fn no_text_panics(text: String) {
            micros_of_text(&text);
        }
    }
}
