//! Pure. `amplification_max:`, a factor or `off`.
//!
//! In:    what is written: a number or a word.
//! Out:   thousandths, `None` for `off`, or what is wrong with it.
//! Never: says what becomes of an answer that is longer; that is for [`crate::decide`].

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor},
};

use crate::limits::{AMPLIFICATION_MILLI_MAX, AMPLIFICATION_MILLI_MIN};

/// A number, or a word.
#[derive(Debug)]
pub(super) enum WrittenFactor {
    Number(f64),
    Word(String),
}

/// Bytes that may be said for a thousand, `None` for any number of them.
pub(super) fn max_milli(written: &WrittenFactor) -> Result<Option<u32>, String> {
    let (number, found) = match written {
        WrittenFactor::Word(word) if word == "off" => return Ok(None),
        WrittenFactor::Word(word) => (None, format!("\"{word}\"")),
        WrittenFactor::Number(number) => (Some(number), number.to_string()),
    };
    let range = f64::from(AMPLIFICATION_MILLI_MIN)..=f64::from(AMPLIFICATION_MILLI_MAX);
    // In range: it is a whole number that fits.
    let milli = number.map(|number| (number * 1000.0).round()).filter(|milli| range.contains(milli));
    milli.map(|milli| Some(milli as u32)).ok_or_else(|| {
        format!(
            "found {found}, expected {} to {}, how many times the bytes of a request its answer may have over UDP \
             when no access list names the source; or off",
            AMPLIFICATION_MILLI_MIN / 1000,
            AMPLIFICATION_MILLI_MAX / 1000
        )
    })
}

impl<'de> Deserialize<'de> for WrittenFactor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FactorVisitor)
    }
}

struct FactorVisitor;

impl Visitor<'_> for FactorVisitor {
    type Value = WrittenFactor;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number such as 1.5, or off")
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(WrittenFactor::Number(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(WrittenFactor::Number(number as f64))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(WrittenFactor::Number(number as f64))
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Self::Value, E> {
        Ok(WrittenFactor::Word(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::parse, limits::AMPLIFICATION_MILLI_DEFAULT};

    fn read(value: &str) -> Result<Option<u32>, String> {
        let config = parse("w.yaml", &format!("amplification_max: {value}\n"));
        config.map(|config| config.settings.amplification_max_milli).map_err(|faults| {
            assert_eq!((faults.len(), faults[0].line, faults[0].column), (1, 1, 20));
            faults[0].message.clone()
        })
    }

    #[test]
    fn a_factor_or_off() {
        for (value, expected) in [
            ("1.5", Some(1500)),
            ("3", Some(3000)),
            ("1.2345", Some(1235)),
            ("off", None),
            ("\"off\"", None),
            ("1", Some(AMPLIFICATION_MILLI_MIN)),
            ("100", Some(AMPLIFICATION_MILLI_MAX)),
        ] {
            assert_eq!(read(value), Ok(expected), "{value}");
        }
        for value in ["0.99", "-1", "100.1", ".nan", ".inf", "none", "1.5x"] {
            let fault = read(value).expect_err(value);
            assert!(fault.contains("expected 1 to 100, how many times the bytes"), "{fault}");
        }
        assert_eq!(
            read("often").unwrap_err(),
            "amplification_max: found \"often\", expected 1 to 100, how many times the bytes of a request its answer \
             may have over UDP when no access list names the source; or off"
        );
    }

    #[test]
    fn left_out_it_is_the_default() {
        for text in ["", "amplification_max:\n"] {
            let settings = parse("w.yaml", text).expect(text).settings;
            assert_eq!(settings.amplification_max_milli, Some(AMPLIFICATION_MILLI_DEFAULT));
        }
    }
}
