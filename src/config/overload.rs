//! Pure. `overload:`, what is refused so that the rest is answered.
//!
//! In:    what is written.
//! Out:   what it means, or its faults.
//! Never: judges a message; that is for [`crate::overload`].

use ipnet::IpNet;
use serde::Deserialize;

use super::{
    answers::ranges,
    meaning::{Faults, one_of},
};
use crate::limits::{
    BUDGET_BURST_MIN, EMERGENCY_NUMBER_BYTES_MAX, EMERGENCY_NUMBERS_MAX, OVERLOAD_NETWORKS_MAX,
    QUEUE_AGE_MS_DEFAULT, QUEUE_AGE_MS_MAX, RATE_PER_S_MAX, RETRY_AFTER_S_DEFAULT, RETRY_AFTER_S_MAX,
};

/// `overload:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overload {
    /// What one source (an IPv4 address, an IPv6 /64) may ask of each worker; `None`: as much as it likes.
    pub per_source: Option<Rate>,
    /// What all together may ask. Each of several workers has its share, rounded up.
    pub budget: Option<Rate>,
    /// Datagrams that waited longer in the socket are refused, as far as that costs no answers; 0: none is.
    pub queue_age_ms: u64,
    /// Sources that are refused last, besides those of the access lists that answer.
    pub networks: Vec<IpNet>,
    /// Numbers that are refused last, besides `urn:service:sos`.
    pub emergency: Vec<Box<str>>,
    /// How a refusal is said.
    pub refuse: Refuse,
    /// The least that a refused source is told to wait for; 0: it is not told.
    pub retry_after_s: u32,
    /// Whether peers that offer overload control get it (RFC 7339).
    pub oc: bool,
}

/// How many messages, and how fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Over a long time.
    pub per_s: u32,
    /// At once, after a pause.
    pub burst: u32,
}

/// How a refusal is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Refuse {
    /// 503 (RFC 3261 §21.5.4).
    #[default]
    Answer,
    /// Not at all. The client finds out by its timers.
    Silence,
}

impl Default for Overload {
    fn default() -> Self {
        Self {
            per_source: None,
            budget: None,
            queue_age_ms: QUEUE_AGE_MS_DEFAULT,
            networks: Vec::new(),
            emergency: Vec::new(),
            refuse: Refuse::default(),
            retry_after_s: RETRY_AFTER_S_DEFAULT,
            oc: true,
        }
    }
}

impl Rate {
    /// The share of one of so many, and of the burst at least `burst_min`.
    #[must_use]
    pub fn shared_by(self, workers: usize, burst_min: u32) -> Self {
        let workers = u32::try_from(workers).unwrap_or(u32::MAX).max(1);
        Self { per_s: self.per_s.div_ceil(workers), burst: self.burst.div_ceil(workers).max(burst_min) }
    }
}

/// `overload:` as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenOverload {
    per_source: Option<WrittenRate>,
    budget: Option<WrittenRate>,
    queue_age_ms: Option<u64>,
    networks: Option<Vec<String>>,
    emergency: Option<Vec<String>>,
    refuse: Option<String>,
    retry_after_s: Option<u64>,
    oc: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRate {
    per_s: u64,
    burst: Option<u64>,
}

pub(super) fn overload(written: &WrittenOverload, faults: &mut Faults<'_>) -> Overload {
    let default = Overload::default();
    let per_source = written.per_source.as_ref().and_then(|it| rate("overload.per_source", it, 1, faults));
    let budget = written.budget.as_ref().and_then(|it| rate("overload.budget", it, BUDGET_BURST_MIN, faults));
    let queue_age_ms = written.queue_age_ms.and_then(|found| {
        faults
            .take("overload.queue_age_ms", within(found, 0, QUEUE_AGE_MS_MAX, ": 0 refuses none by its age"))
    });
    let retry_after_s = written.retry_after_s.and_then(|found| {
        let found = within(found, 0, RETRY_AFTER_S_MAX.into(), ": 0 leaves Retry-After out");
        faults.take("overload.retry_after_s", found)
    });
    let known = [("answer", Refuse::Answer), ("silence", Refuse::Silence)];
    let refuse = written.refuse.as_deref().map(|text| one_of(text, &known));
    Overload {
        per_source,
        budget,
        queue_age_ms: queue_age_ms.unwrap_or(default.queue_age_ms),
        networks: written.networks.as_deref().map_or_else(Vec::new, |written| {
            ranges("overload.networks", written, OVERLOAD_NETWORKS_MAX, faults)
        }),
        emergency: written.emergency.as_deref().map_or_else(Vec::new, |written| numbers(written, faults)),
        refuse: refuse.and_then(|refuse| faults.take("overload.refuse", refuse)).unwrap_or_default(),
        retry_after_s: retry_after_s
            .and_then(|found| u32::try_from(found).ok())
            .unwrap_or(default.retry_after_s),
        oc: written.oc.unwrap_or(default.oc),
    }
}

/// Without `burst`, what comes in a second may come at once.
fn rate(key: &str, written: &WrittenRate, burst_min: u32, faults: &mut Faults<'_>) -> Option<Rate> {
    let most = u64::from(RATE_PER_S_MAX);
    let per_s = faults.take(&format!("{key}.per_s"), within(written.per_s, 1, most, ""));
    let least = u64::from(burst_min);
    let burst = match written.burst {
        Some(found) => faults.take(&format!("{key}.burst"), within(found, least, most, "")),
        None => Some(written.per_s.clamp(least, most)),
    };
    Some(Rate { per_s: u32::try_from(per_s?).ok()?, burst: u32::try_from(burst?).ok()? })
}

fn within(found: u64, least: u64, most: u64, remark: &str) -> Result<u64, String> {
    let taken = Some(found).filter(|found| (least..=most).contains(found));
    taken.ok_or_else(|| format!("found {found}, expected {least} to {most}{remark}"))
}

fn numbers(written: &[String], faults: &mut Faults<'_>) -> Vec<Box<str>> {
    if !faults.fits("overload.emergency", written.len(), EMERGENCY_NUMBERS_MAX) {
        return Vec::new();
    }
    let items = written.iter().enumerate();
    items
        .filter_map(|(index, text)| faults.take(&format!("overload.emergency[{index}]"), number(text)))
        .collect()
}

fn number(text: &str) -> Result<Box<str>, String> {
    let bare = text.strip_prefix('+').unwrap_or(text);
    let is_number = !bare.is_empty() && bare.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'*' | b'#'));
    if is_number && text.len() <= EMERGENCY_NUMBER_BYTES_MAX {
        return Ok(text.into());
    }
    Err(format!(
        "found \"{text}\", expected a number as it is dialled, such as \"112\", without separators, of at most {EMERGENCY_NUMBER_BYTES_MAX} characters"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    fn faults(text: &str) -> Vec<String> {
        let faults = parse("w.yaml", text).expect_err(text);
        faults.iter().map(|d| format!("{}:{}: {}", d.line, d.column, d.message)).collect()
    }

    fn meant(text: &str) -> Overload {
        parse("w.yaml", text).unwrap_or_else(|faults| panic!("{text}: {faults:?}")).overload
    }

    #[test]
    fn every_key_is_read() {
        let text = "overload:\n  per_source: {per_s: 50, burst: 200}\n  budget: {per_s: 9000}\n  queue_age_ms: 40\n  \
                    networks: [192.0.2.0/24, \"2001:db8::1\"]\n  emergency: [\"112\", \"+44999\"]\n  refuse: silence\n  \
                    retry_after_s: 0\n  oc: false\n";
        let expected = Overload {
            per_source: Some(Rate { per_s: 50, burst: 200 }),
            budget: Some(Rate { per_s: 9000, burst: 9000 }),
            queue_age_ms: 40,
            networks: vec!["192.0.2.0/24".parse().unwrap(), "2001:db8::1/128".parse().unwrap()],
            emergency: vec!["112".into(), "+44999".into()],
            refuse: Refuse::Silence,
            retry_after_s: 0,
            oc: false,
        };
        assert_eq!(meant(text), expected);
    }

    #[test]
    fn nothing_written_refuses_only_what_is_old() {
        for text in ["", "overload:", "overload: {}", "overload: {refuse: answer}"] {
            assert_eq!(meant(text), Overload::default(), "{text}");
        }
        let Overload { per_source, budget, queue_age_ms, oc, .. } = Overload::default();
        assert_eq!((per_source, budget, queue_age_ms, oc), (None, None, QUEUE_AGE_MS_DEFAULT, true));
    }

    #[test]
    fn bounds_are_reached() {
        let most = RATE_PER_S_MAX;
        let rate = meant(&format!("overload: {{per_source: {{per_s: {most}, burst: {most}}}}}")).per_source;
        assert_eq!(rate, Some(Rate { per_s: most, burst: most }));
        let least = meant(&format!("overload: {{budget: {{per_s: 1, burst: {BUDGET_BURST_MIN}}}}}")).budget;
        assert_eq!(least, Some(Rate { per_s: 1, burst: BUDGET_BURST_MIN }));
        assert_eq!(meant("overload: {budget: {per_s: 1}}").budget.unwrap().burst, BUDGET_BURST_MIN);
        assert_eq!(
            meant(&format!("overload: {{queue_age_ms: {QUEUE_AGE_MS_MAX}}}")).queue_age_ms,
            QUEUE_AGE_MS_MAX
        );
        let text = format!("overload: {{retry_after_s: {RETRY_AFTER_S_MAX}}}");
        assert_eq!(meant(&text).retry_after_s, RETRY_AFTER_S_MAX);
        let numbers = |count: usize, len: usize| {
            let numbers: Vec<String> = (0..count).map(|_| format!("\"{}\"", "1".repeat(len))).collect();
            format!("overload: {{emergency: [{}]}}", numbers.join(", "))
        };
        let text = numbers(EMERGENCY_NUMBERS_MAX, EMERGENCY_NUMBER_BYTES_MAX);
        assert_eq!(meant(&text).emergency.len(), EMERGENCY_NUMBERS_MAX);
        assert_eq!(faults(&numbers(1, EMERGENCY_NUMBER_BYTES_MAX + 1)).len(), 1);
        let many = faults(&numbers(EMERGENCY_NUMBERS_MAX + 1, 3));
        assert_eq!(many, ["1:23: overload.emergency: 65 items, expected at most 64"]);
        let networks = |count| format!("overload: {{networks: [{}]}}", vec!["192.0.2.1"; count].join(", "));
        assert_eq!(meant(&networks(OVERLOAD_NETWORKS_MAX)).networks.len(), OVERLOAD_NETWORKS_MAX);
        assert_eq!(
            faults(&networks(OVERLOAD_NETWORKS_MAX + 1)),
            ["1:22: overload.networks: 257 items, expected at most 256"]
        );
    }

    #[test]
    fn each_fault_has_its_place_and_remedy() {
        for (text, expected) in [
            (
                "overload: {per_source: {per_s: 0}}\n",
                "1:32: overload.per_source.per_s: found 0, expected 1 to 1000000",
            ),
            (
                "overload: {budget: {per_s: 9, burst: 7}}\n",
                "1:38: overload.budget.burst: found 7, expected 8 to 1000000",
            ),
            ("overload: {budget: {burst: 9}}\n", "1:20: overload.budget: missing field `per_s`"),
            (
                "overload: {queue_age_ms: 10001}\n",
                "1:26: overload.queue_age_ms: found 10001, expected 0 to 10000: 0 refuses none by its age",
            ),
            (
                "overload: {retry_after_s: 3601}\n",
                "1:27: overload.retry_after_s: found 3601, expected 0 to 3600: 0 leaves Retry-After out",
            ),
            (
                "overload: {refuse: 486}\n",
                "1:20: overload.refuse: found \"486\", expected one of answer, silence",
            ),
            (
                "overload: {emergency: [\"1-1-2\"]}\n",
                "1:24: overload.emergency[0]: found \"1-1-2\", expected a number as it is dialled, such as \"112\", without separators, of at most 32 characters",
            ),
            (
                "overload: {networks: [here]}\n",
                "1:23: overload.networks[0]: found \"here\", expected a range of addresses such as \"10.0.0.0/8\" or \"fc00::/7\"",
            ),
        ] {
            assert_eq!(faults(text), [expected], "{text}");
        }
    }

    #[test]
    fn workers_share_a_budget() {
        let rate = Rate { per_s: 10, burst: 20 };
        assert_eq!(rate.shared_by(1, 8), rate);
        assert_eq!(rate.shared_by(3, 7), Rate { per_s: 4, burst: 7 });
        assert_eq!(rate.shared_by(64, 8), Rate { per_s: 1, burst: 8 });
        assert_eq!(rate.shared_by(0, 1), rate);
    }
}
