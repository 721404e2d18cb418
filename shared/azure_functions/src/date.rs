//! Lenient reading of the dates that the host writes.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Reads a .NET date. One without an offset is UTC, as the host runs in UTC on Linux.
///
/// `0001-01-01T00:00:00` (with or without an offset) is .NET's way to say "never" and becomes `None`; so does a text
/// that is no date, since no decision of the host hangs on these dates.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let with_offset = text.parse::<Timestamp>().ok();
    let moment = with_offset.or_else(|| {
        let local = text.parse::<DateTime>().ok()?;
        local
            .to_zoned(TimeZone::UTC)
            .ok()
            .map(|zoned| zoned.timestamp())
    })?;
    (TimeZone::UTC.to_datetime(moment).year() > 1).then_some(moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_the_forms_the_host_writes_are_read() {
        let expected: Timestamp = "2024-11-30T14:45:51Z".parse().unwrap();
        for text in [
            "2024-11-30T14:45:51+00:00",
            "2024-11-30T14:45:51Z",
            "2024-11-30T14:45:51",
            "2024-11-30T15:45:51+01:00",
            " 2024-11-30T14:45:51.0000000Z ",
        ] {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
        assert!(parse("2024-11-30T14:43:50.4623912Z").is_some());
    }

    #[test]
    fn the_smallest_date_means_never_and_garbage_means_unknown() {
        for text in [
            "0001-01-01T00:00:00",
            "0001-01-01T00:00:00Z",
            "0001-01-01T00:00:00+02:00",
            "",
            "soon",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
