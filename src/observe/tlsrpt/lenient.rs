//! JSON values as senders write them: texts, numbers and lists of whatever shape, each bounded while it is read.

use serde::de::{DeserializeOwned, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::marker::PhantomData;

/// Characters of one text that are kept.
const CHARACTERS: usize = 512;

/// From a stranger, for a terminal: no control characters (nor marks that turn the line around), and not many others.
pub(super) fn shown(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars()
        .filter(|c| !c.is_control() && !turns(*c))
        .take(CHARACTERS)
        .collect()
}

/// A text that may be missing, `null`, a number, or of any other shape (then it counts as missing).
#[derive(Default)]
pub(super) struct Text(pub(super) Option<String>);

impl Text {
    /// As a host name: lower case, without a final dot.
    pub(super) fn host(self) -> Option<String> {
        let name = self.0?.trim_end_matches('.').to_ascii_lowercase();
        (!name.is_empty()).then_some(name)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Scalar).map(|scalar| {
            let text = scalar.map(|text| shown(text.trim()));
            Self(text.filter(|text| !text.is_empty()))
        })
    }
}

/// A number of sessions: a number, perhaps in quotes. One that is missing or `null` is zero; what is there and is no number
/// of sessions is kept as it was written, since nobody knows how many failed.
#[derive(Default)]
pub(super) struct Count {
    pub(super) sessions: u64,
    pub(super) unreadable: Option<String>,
}

/// No sender counts further, and JSON's numbers are exact up to here only (RFC 8259 §6).
const MOST_SESSIONS: u64 = 1 << 53;

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let number = match &value {
            serde_json::Value::Null => Some(0),
            serde_json::Value::Number(number) => whole(&number.to_string()),
            serde_json::Value::String(text) => whole(text.trim()),
            _ => None,
        };
        let number = number.filter(|number| *number <= MOST_SESSIONS);
        Ok(match number {
            Some(sessions) => Self {
                sessions,
                unreadable: None,
            },
            None => Self {
                sessions: 0,
                unreadable: Some(shown(&value.to_string())),
            },
        })
    }
}

/// A whole number, perhaps with a fraction of nothing, as some languages write every number.
fn whole(text: &str) -> Option<u64> {
    let (digits, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_whole = fraction.bytes().all(|digit| digit == b'0');
    digits
        .parse()
        .ok()
        .filter(|_| is_whole && !digits.starts_with('+'))
}

/// One value as text; lists and objects are passed over.
struct Scalar;

impl<'de> Visitor<'de> for Scalar {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a number")
    }
    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(text.chars().take(CHARACTERS).collect()))
    }
    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Some(number.to_string()))
    }
    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Some(number.to_string()))
    }
    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Some(number.to_string()))
    }
    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }
    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

/// A list of which at most so many elements are kept; a single text counts as a list of one, `null` as an empty one.
pub(super) struct Capped<T, const MOST: usize> {
    pub(super) kept: Vec<T>,
    pub(super) left_out: u64,
}

impl<T, const MOST: usize> Default for Capped<T, MOST> {
    fn default() -> Self {
        Self {
            kept: Vec::new(),
            left_out: 0,
        }
    }
}

impl<'de, T: DeserializeOwned, const MOST: usize> Deserialize<'de> for Capped<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(List(PhantomData))
    }
}

struct List<T, const MOST: usize>(PhantomData<T>);

impl<'de, T: DeserializeOwned, const MOST: usize> Visitor<'de> for List<T, MOST> {
    type Value = Capped<T, MOST>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut capped = Capped::default();
        while capped.kept.len() < MOST {
            match list.next_element::<T>()? {
                Some(element) => capped.kept.push(element),
                None => return Ok(capped),
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {
            capped.left_out = capped.left_out.saturating_add(1);
        }
        Ok(capped)
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Capped::default())
    }
    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        let one = T::deserialize(serde::de::value::StrDeserializer::<E>::new(text))?;
        Ok(Capped {
            kept: vec![one],
            left_out: 0,
        })
    }
}
