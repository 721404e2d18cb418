//! NCrontab schedules, with the seconds field of the timer trigger, exactly as the host's library reads them.
//!
//! Sources: `NCrontab/CrontabField.cs`, `CrontabFieldImpl.cs` and `CrontabSchedule.cs` (version 3), and
//! `Extensions/Timers/Scheduling/CronSchedule.cs` of `Azure/azure-webjobs-sdk-extensions`.

use jiff::civil::{Date, DateTime, Time};

/// A field of a schedule: what it is called, its range and the names of its values.
struct Field {
    what: &'static str,
    first: u8,
    last: u8,
    names: &'static [&'static str],
}

const SECOND: Field = Field::numeric("second", 0, 59);
const MINUTE: Field = Field::numeric("minute", 0, 59);
const HOUR: Field = Field::numeric("hour", 0, 23);
const DAY: Field = Field::numeric("day", 1, 31);
const MONTH: Field = Field {
    what: "month",
    first: 1,
    last: 12,
    names: &[
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ],
};
const DAY_OF_WEEK: Field = Field {
    what: "day-of-week",
    first: 0,
    last: 6,
    names: &[
        "sunday",
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
    ],
};

/// The Gregorian calendar repeats itself after so many years: what has not come by then never comes.
const CALENDAR_CYCLE_YEARS: i16 = 400;

/// A schedule of six fields (second, minute, hour, day, month, day of the week) or five (no second).
///
/// A time matches when *all* fields match: unlike Unix cron, the day of the month **and** the day of the week. Days of
/// the week are 0 (Sunday) to 6. There is no `L`, `W`, `#` or `?`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NCrontab {
    seconds: u64,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    days_of_week: u64,
}

/// Why a text is not an [`NCrontab`] schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NCrontabError(String);

impl NCrontab {
    /// Reads a schedule.
    ///
    /// # Errors
    /// A sentence that names the field and what it may hold.
    pub fn parse(text: &str) -> Result<Self, NCrontabError> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let (second, rest) = match fields.as_slice() {
            [second, rest @ ..] if rest.len() == 5 => (*second, rest),
            rest if rest.len() == 5 => ("0", rest),
            other => {
                return Err(NCrontabError(format!(
                    "a schedule has 6 fields (second minute hour day month day-of-week) or 5, {text:?} has {}",
                    other.len()
                )));
            }
        };
        Ok(Self {
            seconds: SECOND.parse(second)?,
            minutes: MINUTE.parse(rest[0])?,
            hours: HOUR.parse(rest[1])?,
            days: DAY.parse(rest[2])?,
            months: MONTH.parse(rest[3])?,
            days_of_week: DAY_OF_WEEK.parse(rest[4])?,
        })
    }

    /// The first matching second strictly after `base`; `None` when there is none (for instance 30 February).
    #[must_use]
    pub fn next_after(&self, base: DateTime) -> Option<DateTime> {
        let midnight = Time::midnight();
        let base_day = base.date();
        if self.matches_date(base_day)
            && let Some(time) = self.next_time_after(base.time())
        {
            return Some(base_day.to_datetime(time));
        }
        let first_time = self.time_at_or_after(midnight)?;
        let last_year = base_day.year().saturating_add(CALENDAR_CYCLE_YEARS);
        let mut day = base_day.tomorrow().ok()?;
        while day.year() <= last_year {
            if !contains(self.months, day.month()) {
                day = day.last_of_month().tomorrow().ok()?;
            } else if self.matches_date(day) {
                return Some(day.to_datetime(first_time));
            } else {
                day = day.tomorrow().ok()?;
            }
        }
        None
    }

    fn matches_date(&self, day: Date) -> bool {
        contains(self.months, day.month())
            && contains(self.days, day.day())
            && contains(self.days_of_week, day.weekday().to_sunday_zero_offset())
    }

    fn next_time_after(&self, time: Time) -> Option<Time> {
        let second = Time::new(time.hour(), time.minute(), time.second(), 0).ok()?;
        let following = second.checked_add(jiff::Span::new().seconds(1)).ok()?;
        self.time_at_or_after(following)
    }

    fn time_at_or_after(&self, time: Time) -> Option<Time> {
        let (hour, minute, second) = (time.hour(), time.minute(), time.second());
        if contains(self.hours, hour) {
            if contains(self.minutes, minute)
                && let Some(second) = at_or_after(self.seconds, second)
            {
                return Time::new(hour, minute, second, 0).ok();
            }
            if let Some(minute) = at_or_after(self.minutes, minute + 1) {
                return Time::new(hour, minute, at_or_after(self.seconds, 0)?, 0).ok();
            }
        }
        let hour = at_or_after(self.hours, hour + 1)?;
        let (minute, second) = (at_or_after(self.minutes, 0)?, at_or_after(self.seconds, 0)?);
        Time::new(hour, minute, second, 0).ok()
    }
}

impl Field {
    const fn numeric(what: &'static str, first: u8, last: u8) -> Self {
        Self {
            what,
            first,
            last,
            names: &[],
        }
    }

    /// The values of the field as bits.
    fn parse(&self, text: &str) -> Result<u64, NCrontabError> {
        // The library splits at commas only when the first is not at the start; a leading comma is an error either way.
        text.split(',')
            .try_fold(0, |bits, item| Ok(bits | self.item(item)?))
    }

    fn item(&self, item: &str) -> Result<u64, NCrontabError> {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) if !range.is_empty() => {
                let step: i32 = step
                    .parse()
                    .map_err(|_| self.invalid(item, "a step is a whole number"))?;
                (range, step)
            }
            _ => (item, 1),
        };
        // The library takes a step below 1 as 1.
        let every = usize::try_from(step.max(1)).unwrap_or(usize::MAX);
        let (first, last) = if range == "*" {
            (self.first, self.last)
        } else if let Some((first, last)) =
            range.split_once('-').filter(|(first, _)| !first.is_empty())
        {
            let (first, last) = (self.value(item, first)?, self.value(item, last)?);
            (first.min(last), first.max(last))
        } else {
            let value = self.value(item, range)?;
            // `n/step` runs to the end of the field, but `n/1` is only n.
            (value, if step == 1 { value } else { self.last })
        };
        Ok((first..=last)
            .step_by(every)
            .fold(0, |bits, value| bits | 1 << value))
    }

    fn value(&self, item: &str, text: &str) -> Result<u8, NCrontabError> {
        if text.starts_with(|c: char| c.is_ascii_digit()) {
            return text
                .parse()
                .ok()
                .filter(|value| (self.first..=self.last).contains(value))
                .ok_or_else(|| {
                    self.invalid(item, &format!("values are {} to {}", self.first, self.last))
                });
        }
        let lower = text.to_ascii_lowercase();
        let named = self
            .names
            .iter()
            .position(|name| !lower.is_empty() && name.starts_with(&lower));
        named
            .and_then(|index| u8::try_from(index).ok())
            .map(|index| index + self.first)
            .ok_or_else(|| {
                self.invalid(item, &format!("values are {} to {}", self.first, self.last))
            })
    }

    fn invalid(&self, item: &str, rule: &str) -> NCrontabError {
        NCrontabError(format!(
            "{item:?} is not valid in the {} field: {rule}",
            self.what
        ))
    }
}

fn contains(bits: u64, value: i8) -> bool {
    at_or_after(bits, value) == Some(value)
}

/// The smallest value of the set that is not below `value`.
fn at_or_after(bits: u64, value: i8) -> Option<i8> {
    let shift = u32::try_from(value).ok()?;
    let rest = bits.checked_shr(shift)?;
    (rest != 0)
        .then(|| value.saturating_add(i8::try_from(rest.trailing_zeros()).unwrap_or(i8::MAX)))
}

#[cfg(test)]
mod tests {
    use jiff::civil::datetime;
    use proptest::prelude::*;

    use super::*;

    fn next(schedule: &str, base: DateTime) -> Option<DateTime> {
        NCrontab::parse(schedule).unwrap().next_after(base)
    }

    #[test]
    fn weekly_on_monday_at_three() {
        let base = datetime(2026, 11, 20, 22, 5, 21, 0);
        let monday = datetime(2026, 11, 23, 3, 0, 0, 0);
        assert_eq!(next("0 0 3 * * 1", base), Some(monday));
        // Strictly after: from the occurrence itself, the one a week later.
        assert_eq!(
            next("0 0 3 * * 1", monday),
            Some(datetime(2026, 11, 30, 3, 0, 0, 0))
        );
        let just_before = datetime(2026, 11, 23, 2, 59, 59, 999_999_999);
        assert_eq!(next("0 0 3 * * 1", just_before), Some(monday));
    }

    #[test]
    fn five_fields_have_second_zero() {
        let base = datetime(2026, 1, 1, 0, 0, 0, 0);
        assert_eq!(next("*/5 * * * *", base), next("0 */5 * * * *", base));
    }

    #[test]
    fn both_day_fields_must_match() {
        // The 13th and a Friday.
        let base = datetime(2026, 1, 1, 0, 0, 0, 0);
        assert_eq!(
            next("0 0 0 13 * 5", base),
            Some(datetime(2026, 2, 13, 0, 0, 0, 0))
        );
        assert_eq!(
            next("0 0 0 29 2 sun", base),
            Some(datetime(2032, 2, 29, 0, 0, 0, 0))
        );
        assert_eq!(next("0 0 0 30 2 *", base), None);
    }

    #[test]
    fn the_librarys_ways_with_steps_ranges_and_names() {
        for (one, other) in [
            ("0 0 0 * * mon-FRI", "0 0 0 * * 1-5"),
            ("0 0 0 * * 5-1", "0 0 0 * * 1-5"),
            ("0 0 0 1 j *", "0 0 0 1 1 *"),
            ("0 0 0 1 ju *", "0 0 0 1 6 *"),
            ("50/5 * * * * *", "50,55 * * * * *"),
            ("50/1 * * * * *", "50 * * * * *"),
            ("0/0 * * * * *", "* * * * * *"),
            ("10-20/4 * * * * *", "10,14,18 * * * * *"),
        ] {
            assert_eq!(NCrontab::parse(one), NCrontab::parse(other), "{one}");
        }
    }

    #[test]
    fn refuses_what_the_library_refuses() {
        for text in [
            "",
            "* * * *",
            "* * * * * * *",
            "60 * * * * *",
            "* * * 0 * *",
            "* * * * * 7",
            "* * * * * 1#2",
            "* * L * * *",
            "* * ? * * *",
            "1,,2 * * * * *",
            ",1 * * * * *",
            "1- * * * * *",
            "*/x * * * * *",
            "/5 * * * * *",
            "256 * * * * *",
            "* * * 15W * *",
            "* * * * jan-13 *",
        ] {
            assert!(NCrontab::parse(text).is_err(), "{text}");
        }
    }

    fn field(first: u8, last: u8) -> impl Strategy<Value = String> {
        let value = first..=last;
        prop_oneof![
            3 => Just("*".to_owned()),
            2 => value.clone().prop_map(|v| v.to_string()),
            1 => (value.clone(), value.clone()).prop_map(|(a, b)| format!("{a}-{b}")),
            1 => (value.clone(), 1..20u8).prop_map(|(a, s)| format!("{a}/{s}")),
            1 => (1..20u8).prop_map(|s| format!("*/{s}")),
            1 => proptest::collection::vec(value, 1..4).prop_map(|v| v.iter().map(u8::to_string).collect::<Vec<_>>().join(",")),
        ]
    }

    /// An independent reading of one field: whether it holds `value`.
    fn field_holds(text: &str, last: i32, value: i32) -> bool {
        text.split(',').any(|item| {
            let (range, step) = item
                .split_once('/')
                .map_or((item, 1), |(r, s)| (r, s.parse::<i32>().unwrap()));
            let first = if last == 12 || last == 31 { 1 } else { 0 };
            let (a, b) = match range.split_once('-') {
                Some((a, b)) => (a.parse::<i32>().unwrap(), b.parse::<i32>().unwrap()),
                None if range == "*" => (first, last),
                None => (
                    range.parse().unwrap(),
                    if step == 1 {
                        range.parse().unwrap()
                    } else {
                        last
                    },
                ),
            };
            let (a, b) = (a.min(b), a.max(b));
            (a..=b).contains(&value) && (value - a) % step == 0
        })
    }

    fn holds(fields: &[String], at: DateTime) -> bool {
        let values = [
            (59, i32::from(at.second())),
            (59, i32::from(at.minute())),
            (23, i32::from(at.hour())),
            (31, i32::from(at.day())),
            (12, i32::from(at.month())),
            (6, i32::from(at.weekday().to_sunday_zero_offset())),
        ];
        fields
            .iter()
            .zip(values)
            .all(|(text, (last, value))| field_holds(text, last, value))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn next_is_the_first_match_strictly_after_the_base(
            fields in (field(0, 59), field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 6)),
            seconds in 0i64..1_000_000_000, nanos in 0i32..1_000_000_000,
        ) {
            let fields = [fields.0, fields.1, fields.2, fields.3, fields.4, fields.5];
            let base = datetime(2000, 1, 1, 0, 0, 0, 0) + jiff::Span::new().seconds(seconds) + jiff::Span::new().nanoseconds(nanos);
            let schedule = NCrontab::parse(&fields.join(" ")).unwrap();
            let next = schedule.next_after(base);
            // Brute force over whole seconds of the first two days; further away, over days and then the seconds of one.
            let mut second = base.with().subsec_nanosecond(0).build().unwrap() + jiff::Span::new().seconds(1);
            let end = second + jiff::Span::new().hours(6);
            let mut brute = None;
            while second < end {
                if holds(&fields, second) { brute = Some(second); break; }
                second += jiff::Span::new().seconds(1);
            }
            match (brute, next) {
                (Some(brute), next) => prop_assert_eq!(Some(brute), next),
                (None, Some(next)) => {
                    prop_assert!(next >= end);
                    prop_assert!(holds(&fields, next));
                    // Nothing between: no second of that day before it, and no earlier day that matches.
                    let midnight = next.date().to_datetime(Time::midnight());
                    let mut earlier = if midnight > end { midnight } else { end };
                    while earlier < next { prop_assert!(!holds(&fields, earlier)); earlier += jiff::Span::new().seconds(1); }
                    let mut day = end.date().tomorrow().unwrap();
                    while day < next.date() {
                        let at = day.to_datetime(next.time());
                        prop_assert!(!holds(&fields, at));
                        day = day.tomorrow().unwrap();
                    }
                }
                (None, None) => {
                    let date_fields = ["*".to_owned(), "*".to_owned(), "*".to_owned(), fields[3].clone(), fields[4].clone(), fields[5].clone()];
                    let mut day = base.date();
                    for _ in 0..366 * 30 { prop_assert!(!holds(&date_fields, day.to_datetime(Time::midnight()))); day = day.tomorrow().unwrap(); }
                }
            }
        }

        #[test]
        fn parsing_never_panics(text in "[-0-9a-z*/,# ]{0,40}") {
            let _ = NCrontab::parse(&text);
        }
    }
}
