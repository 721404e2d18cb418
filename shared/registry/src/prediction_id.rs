//! Ids of predictions: sorted by time, and each says in which log segment its record is.
//!
//! A request's id is 128 bits like a ULID: 48 bits of milliseconds since 1970, 40 bits that name the process, and 40
//! bits that count the process's requests. They are printed as 26 digits of Crockford's base 32
//! (<https://www.crockford.com/base32.html>), in lower case.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Requests whose records share one log segment: small enough to be read whole for one lookup.
const REQUESTS_PER_SEGMENT: u64 = 1 << 12;
const BITS_40: u64 = (1 << 40) - 1;
const BITS_48: u64 = (1 << 48) - 1;
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Names one process that answers: 40 random bits, 8 digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstanceId(u64);

impl InstanceId {
    /// A new name, random enough that two processes never share one.
    #[must_use]
    pub fn random() -> Self {
        // The standard library seeds its hashers from the operating system's randomness.
        Self::from_bits(RandomState::new().hash_one(std::process::id()))
    }

    /// The name made of the lowest 40 bits.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits & BITS_40)
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_digits(f, u128::from(self.0), 8)
    }
}

impl fmt::Debug for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The id of one predict request.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(u128);

impl RequestId {
    /// The id of the `sequence`-th request of a process. Milliseconds before 1970 count as 1970.
    #[must_use]
    pub fn new(at: Timestamp, instance: InstanceId, sequence: u64) -> Self {
        let millis = u64::try_from(at.as_millisecond()).unwrap_or(0) & BITS_48;
        Self(
            u128::from(millis) << 80
                | u128::from(instance.0) << 40
                | u128::from(sequence & BITS_40),
        )
    }

    /// When the request came, to the millisecond.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        let millis = (self.0 >> 80) as i64;
        // Dates past the year 9999 only come from made-up ids.
        Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
    }

    /// The process that answered.
    #[must_use]
    pub const fn instance(&self) -> InstanceId {
        InstanceId::from_bits((self.0 >> 40) as u64)
    }

    /// The place of the request in its process's count.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.0 as u64 & BITS_40
    }

    /// The number of the log segment that holds the request's records.
    #[must_use]
    pub const fn segment(&self) -> u64 {
        self.sequence() / REQUESTS_PER_SEGMENT
    }

    /// The id of one input of the request.
    #[must_use]
    pub const fn input(self, index: u32) -> PredictionId {
        PredictionId {
            request: self,
            index,
        }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_digits(f, self.0, 26)
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for RequestId {
    type Err = InvalidPredictionId;

    /// Reads upper and lower case, and the letters I, L and O as the digits they look like.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidPredictionId(text.chars().take(80).collect());
        // 26 digits hold 130 bits: the first digit has only three.
        let first = text.bytes().next().and_then(digit_value);
        if text.len() != 26 || first.is_none_or(|first| first > 7) {
            return Err(invalid());
        }
        let value = text.bytes().try_fold(0_u128, |value, digit| {
            Some(value << 5 | u128::from(digit_value(digit)?))
        });
        value.map(Self).ok_or_else(invalid)
    }
}

/// The id of one prediction: the request and the index of the input, `{request}.{index}`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PredictionId {
    request: RequestId,
    index: u32,
}

impl PredictionId {
    /// The request.
    #[must_use]
    pub const fn request(&self) -> RequestId {
        self.request
    }

    /// The place of the input in the request, from 0.
    #[must_use]
    pub const fn index(&self) -> u32 {
        self.index
    }
}

impl fmt::Display for PredictionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.request, self.index)
    }
}

impl fmt::Debug for PredictionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PredictionId {
    type Err = InvalidPredictionId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidPredictionId(text.chars().take(80).collect());
        let (request, index) = text.split_once('.').ok_or_else(invalid)?;
        let canonical = index == "0" || !index.starts_with('0');
        if !canonical || !index.bytes().all(|b| b.is_ascii_digit()) {
            return Err(invalid());
        }
        let request: RequestId = request.parse().map_err(|_| invalid())?;
        Ok(request.input(index.parse().map_err(|_| invalid())?))
    }
}

impl From<PredictionId> for String {
    fn from(id: PredictionId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for PredictionId {
    type Error = InvalidPredictionId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// A text that is not the id of a prediction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a prediction's id: expected the 26 letters and digits of an answer's id, a dot, and the input's index"
)]
pub struct InvalidPredictionId(String);

/// Gives the requests of one process their ids.
#[derive(Debug)]
pub struct RequestIds {
    instance: InstanceId,
    next: AtomicU64,
}

impl RequestIds {
    /// Starts to count for a process.
    #[must_use]
    pub const fn new(instance: InstanceId) -> Self {
        Self {
            instance,
            next: AtomicU64::new(0),
        }
    }

    /// The process.
    #[must_use]
    pub const fn instance(&self) -> InstanceId {
        self.instance
    }

    /// The id of a request that came `at`.
    pub fn next(&self, at: Timestamp) -> RequestId {
        RequestId::new(at, self.instance, self.next.fetch_add(1, Ordering::Relaxed))
    }
}

fn write_digits(f: &mut fmt::Formatter<'_>, value: u128, digits: u32) -> fmt::Result {
    let mut text = [0; 26];
    let text = &mut text[..digits as usize];
    for (place, digit) in text.iter_mut().rev().enumerate() {
        *digit = DIGITS[(value >> (5 * place)) as usize & 31];
    }
    f.write_str(str::from_utf8(text).map_err(|_| fmt::Error)?)
}

fn digit_value(digit: u8) -> Option<u8> {
    let digit = match digit.to_ascii_lowercase() {
        b'i' | b'l' => b'1',
        b'o' => b'0',
        digit => digit,
    };
    DIGITS
        .iter()
        .position(|known| *known == digit)
        .map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    prop_compose! {
        fn any_id()(
            millis in 0..253_402_207_200_000_i64,
            instance in any::<u64>(),
            sequence in 0..=BITS_40,
            index in any::<u32>(),
        ) -> PredictionId {
            let at = Timestamp::from_millisecond(millis).unwrap();
            RequestId::new(at, InstanceId::from_bits(instance), sequence).input(index)
        }
    }

    proptest! {
        #[test]
        fn a_printed_id_is_read_back(id in any_id()) {
            let text = id.to_string();
            prop_assert!(text.len() <= 40);
            prop_assert_eq!(text.parse(), Ok(id));
            prop_assert_eq!(text.to_uppercase().parse(), Ok(id));
        }

        #[test]
        fn the_parts_are_in_the_id(
            millis in 0..253_402_207_200_000_i64, instance in any::<u64>(), sequence in 0..=BITS_40,
        ) {
            let at = Timestamp::from_millisecond(millis).unwrap();
            let id = RequestId::new(at, InstanceId::from_bits(instance), sequence);
            prop_assert_eq!((id.at(), id.instance(), id.sequence()), (at, InstanceId::from_bits(instance), sequence));
        }

        #[test]
        fn requests_sort_as_their_texts_do(a in any_id(), b in any_id()) {
            prop_assert_eq!(a.request().cmp(&b.request()), a.request().to_string().cmp(&b.request().to_string()));
        }

        #[test]
        fn any_text_is_an_id_or_an_error(text in ".{0,40}") {
            if let Ok(id) = text.parse::<PredictionId>() {
                prop_assert_eq!(id.to_string().parse(), Ok(id));
            }
        }

        #[test]
        fn any_digits_are_read_without_overflow(text in "[0-9a-zA-Z]{26}") {
            if let Ok(id) = text.parse::<RequestId>() {
                prop_assert!(id.at() >= Timestamp::UNIX_EPOCH);
                prop_assert_eq!(id.to_string().parse(), Ok(id));
            }
        }
    }

    #[test]
    fn look_alikes_are_read_as_digits() {
        let id = RequestId::new(Timestamp::UNIX_EPOCH, InstanceId::from_bits(1), 1);
        let typed = id.to_string().replace('1', "L").replace('0', "O");
        assert_eq!(typed.parse(), Ok(id));
    }

    #[test]
    fn other_texts_are_refused() {
        let good = RequestId::new(Timestamp::UNIX_EPOCH, InstanceId::from_bits(1), 1).to_string();
        for bad in [
            "",
            "x",
            &good,
            &format!("{good}."),
            &format!("{good}.01"),
            &format!("{good}.-1"),
            &format!("8{}.0", &good[1..]),
        ] {
            assert!(bad.parse::<PredictionId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_process_counts_its_requests() {
        let ids = RequestIds::new(InstanceId::random());
        let at = Timestamp::UNIX_EPOCH;
        let (first, second) = (ids.next(at), ids.next(at));
        assert!(first < second);
        assert_eq!((first.sequence(), second.sequence()), (0, 1));
        assert_ne!(InstanceId::random(), InstanceId::random());
    }
}
