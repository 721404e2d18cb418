//! `TimeSpan` strings as .NET reads them: `hh:mm:ss`, `d.hh:mm:ss`, a number of days.

use std::time::Duration;

/// Reads a .NET `TimeSpan` that is not negative.
///
/// As in .NET, three parts of which the first is 24 or more mean days, hours and minutes: `24:00:00` is 24 days.
/// `None` means that the text is not a time span or is out of range.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    let (days, clock) = match text.split_once('.') {
        // `1.02:03:04`; a dot after the first colon begins the fraction of a second.
        Some((days, clock)) if !days.contains(':') => (Some(number(days)?), clock),
        _ => (None, text),
    };
    let parts: Vec<&str> = clock.split(':').collect();
    match (days, parts.as_slice()) {
        (None, [days]) => span(number(days)?, 0, 0, Duration::ZERO),
        (_, [hours, minutes]) => span(
            days.unwrap_or(0),
            number(hours)?,
            number(minutes)?,
            Duration::ZERO,
        ),
        (None, [first, second, third]) if number(first)? >= 24 => span(
            number(first)?,
            number(second)?,
            number(third)?,
            Duration::ZERO,
        ),
        (_, [hours, minutes, rest]) => span(
            days.unwrap_or(0),
            number(hours)?,
            number(minutes)?,
            seconds(rest)?,
        ),
        (None, [days, hours, minutes, rest]) => span(
            number(days)?,
            number(hours)?,
            number(minutes)?,
            seconds(rest)?,
        ),
        _ => None,
    }
}

fn span(days: u64, hours: u64, minutes: u64, seconds: Duration) -> Option<Duration> {
    // The longest .NET TimeSpan has 10,675,199 days.
    let in_range = days < 10_675_199 && hours < 24 && minutes < 60 && seconds.as_secs() < 60;
    in_range.then(|| Duration::from_secs(((days * 24 + hours) * 60 + minutes) * 60) + seconds)
}

fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.len() <= 8 && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn seconds(text: &str) -> Option<Duration> {
    let Some((whole, fraction)) = text.split_once('.') else {
        return number(text).map(Duration::from_secs);
    };
    if fraction.len() > 7 {
        return None;
    }
    let ticks = number(&format!("{fraction:0<7}"))?;
    Some(Duration::from_secs(number(whole)?) + Duration::from_nanos(ticks * 100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_dotnet_reads() {
        for (text, seconds) in [
            ("00:05:00", 300),
            ("02:00:00", 7_200),
            ("1.00:00:01", 86_401),
            ("01:30", 5_400),
            ("2", 2 * 86_400),
            ("24:00:00", 24 * 86_400),
            ("1:02:03:04", 93_784),
        ] {
            assert_eq!(parse(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse("00:00:00.25"), Some(Duration::from_millis(250)));
    }

    #[test]
    fn refuses_what_is_no_time_span() {
        for text in [
            "",
            "x",
            "00:60:00",
            "00:00:61",
            "-00:00:01",
            "0 0 3 * * 1",
            "1.2.3",
            "00:00:00.12345678",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
