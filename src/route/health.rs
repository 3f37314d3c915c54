//! Pure. How a gateway is probed, as meant. Nothing here probes.

/// `health:` of a gateway that is probed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Where the OPTIONS goes: the gateway's URI with the user part of `user:`, or none.
    pub uri: Box<str>,
    /// The URI in From; `None`: `sip:waypost@` our own address.
    pub from: Option<Box<str>>,
    /// Time between two probes, in milliseconds.
    pub interval_ms: u64,
    /// The share of it by which each pause differs, in thousandths.
    pub jitter_milli: u16,
    /// How long an answer is waited for, in milliseconds.
    pub timeout_ms: u64,
    /// Probes in a row without an answer that counts, after which it is down.
    pub failures: u32,
    /// Probes in a row with one, after which it is up again.
    pub successes: u32,
    /// Answers that count.
    pub alive: AliveCodes,
}

/// A set of final status codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AliveCodes([u64; 8]);

/// Codes that say that nobody is there to take a call: a proxy's own timer (408), a next hop that is broken or
/// silent (502, 504), a server that wants no calls now (503). All others, refusals of OPTIONS above all, are
/// written by something that works.
const NOT_ALIVE: [u16; 4] = [408, 502, 503, 504];

impl Default for AliveCodes {
    fn default() -> Self {
        let mut codes = Self::none();
        (200..700).filter(|code| !NOT_ALIVE.contains(code)).for_each(|code| codes.add(code));
        codes
    }
}

impl AliveCodes {
    /// Of these texts: a code such as `404`, or a class such as `4xx`. The error says what one is instead.
    pub fn parse<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<Self, String> {
        let mut codes = Self::none();
        for text in texts {
            let range = range(text).ok_or_else(|| {
                format!("`{text}` is no final status; expected a code such as 404, or a class such as 4xx")
            })?;
            range.for_each(|code| codes.add(code));
        }
        Ok(codes)
    }

    /// Whether an answer with this status counts.
    #[must_use]
    pub fn has(&self, code: u16) -> bool {
        place(code).is_some_and(|(at, bit)| self.0.get(at).is_some_and(|word| word & bit != 0))
    }

    const fn none() -> Self {
        Self([0; 8])
    }

    fn add(&mut self, code: u16) {
        if let Some((at, bit)) = place(code)
            && let Some(word) = self.0.get_mut(at)
        {
            *word |= bit;
        }
    }
}

fn range(text: &str) -> Option<std::ops::Range<u16>> {
    if let Some(class) = text.strip_suffix("xx").or_else(|| text.strip_suffix("XX")) {
        let class: u16 = class.parse().ok().filter(|class| (2..=6).contains(class))?;
        return Some(class * 100..class * 100 + 100);
    }
    let code: u16 = text.parse().ok().filter(|code| (200..700).contains(code))?;
    Some(code..code + 1)
}

fn place(code: u16) -> Option<(usize, u64)> {
    let at = code.checked_sub(200).filter(|at| *at < 500)?;
    Some((usize::from(at / 64), 1 << (at % 64)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(codes: AliveCodes) -> Vec<u16> {
        (0..=u16::MAX).filter(|code| codes.has(*code)).collect()
    }

    #[test]
    fn without_a_word_all_count_that_something_alive_would_write() {
        let expected: Vec<u16> = (200..700).filter(|code| ![408, 502, 503, 504].contains(code)).collect();
        assert_eq!(codes(AliveCodes::default()), expected);
    }

    #[test]
    fn codes_and_classes_are_read() {
        assert_eq!(codes(AliveCodes::parse(["200", "404", "699"]).unwrap()), [200, 404, 699]);
        assert_eq!(
            codes(AliveCodes::parse(["2xx", "6XX"]).unwrap()),
            [200..300, 600..700].into_iter().flatten().collect::<Vec<_>>()
        );
        for wrong in ["", "199", "700", "1xx", "7xx", "xx", "2x", "ok", "-1", "200-299"] {
            assert!(AliveCodes::parse([wrong]).is_err(), "{wrong}");
        }
    }
}
