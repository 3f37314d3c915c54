//! Outside. Who calls most and what is called most, over some minutes: `GET /api/v1/top`.
//!
//! In:    messages that were sampled to be counted; the time.
//! Out:   the top sources, numbers, prefixes of numbers and domains.
//! Never: holds more than two halves of a window of counters of fixed size. A loop never takes the lock in here.
//!
//! The window slides by halves: what is shown is of the half under way and the one before, so of five to ten minutes.

use std::{net::IpAddr, num::NonZeroU32, sync::Mutex, time::Instant};

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    call::{Call, number_in},
    escape::Escaped,
    frequent::{Count, Frequent, Key},
};
use crate::{control::lock::lock, limits::TOP_WINDOW_MS};

const HALF_MS: u64 = TOP_WINDOW_MS / 2;
/// Digits of a prefix: country and area, mostly.
const PREFIX_DIGITS: usize = 5;
/// What is counted: sources, numbers, prefixes, domains.
const LISTS: usize = 4;

/// The counts.
#[derive(Debug)]
pub struct Top {
    one_in: Option<NonZeroU32>,
    began: Instant,
    window: Mutex<Window>,
}

#[derive(Debug)]
struct Window {
    now: Half,
    before: Half,
    /// When the half under way began.
    since_ms: u64,
}

#[derive(Debug)]
struct Half {
    messages: u64,
    lists: [Frequent; LISTS],
}

/// Who calls most and what is called most. Numbers of messages are reckoned from a sample.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Top")]
pub struct TopTold {
    /// How long the counts look back.
    pub window_s: u64,
    /// One message in so many was counted.
    pub one_in: u64,
    /// All of the window.
    pub messages: u64,
    /// Addresses that messages came from.
    pub sources: Vec<TopCount>,
    /// Numbers that were called.
    pub numbers: Vec<TopCount>,
    /// What they begin with.
    pub prefixes: Vec<TopCount>,
    /// Hosts of the Request-URIs.
    pub domains: Vec<TopCount>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TopCount {
    /// Bytes that are not printable ASCII are written `\xHH`.
    pub key: String,
    /// Messages, at most: a key that came into the list late may be counted with some of another one.
    pub messages: u64,
    /// Messages that are its own for sure.
    pub at_least: u64,
}

impl Top {
    /// Of one message in so many; `None`: nothing is counted.
    #[must_use]
    pub fn new(one_in: Option<NonZeroU32>) -> Self {
        let half = || Half { messages: 0, lists: std::array::from_fn(|_| Frequent::new()) };
        let window = Window { now: half(), before: half(), since_ms: 0 };
        Self { one_in, began: Instant::now(), window: Mutex::new(window) }
    }

    pub(super) fn count(&self, source: IpAddr, call: &Call<'_>) {
        self.count_at(source, call, self.now_ms());
    }

    /// The first of each list, as many as asked for; nothing, where nothing is counted.
    #[must_use]
    pub fn told(&self, shown: usize) -> Option<TopTold> {
        let one_in = self.one_in?;
        Some(self.told_at(one_in, shown, self.now_ms()))
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn count_at(&self, source: IpAddr, call: &Call<'_>, now_ms: u64) {
        let number = call.called.and_then(number_in);
        // A short code is no prefix of anything.
        let prefix = number.as_ref().filter(|number| number.digits() > PREFIX_DIGITS);
        let domain = call.domain.map(<[u8]>::to_ascii_lowercase);
        let keys = [
            Some(Key::new(source.to_canonical().to_string().as_bytes())),
            number.as_ref().map(|number| Key::new(number.as_str().as_bytes())),
            prefix.map(|number| Key::new(number.first(PREFIX_DIGITS).as_bytes())),
            domain.map(|domain| Key::new(&domain)),
        ];
        let mut window = lock(&self.window);
        window.slide(now_ms);
        window.now.messages += 1;
        for (list, key) in window.now.lists.iter_mut().zip(keys) {
            key.into_iter().for_each(|key| list.count(key));
        }
    }

    fn told_at(&self, one_in: NonZeroU32, shown: usize, now_ms: u64) -> TopTold {
        let one_in = u64::from(one_in.get());
        let mut window = lock(&self.window);
        window.slide(now_ms);
        let messages = window.now.messages + window.before.messages;
        // Of the half under way what is over, and the one before, unless there was none yet.
        let window_ms = now_ms.min(now_ms.saturating_sub(window.since_ms) + HALF_MS);
        let [sources, numbers, prefixes, domains] = std::array::from_fn(|list| {
            window.most(list, shown).iter().map(|count| TopCount::of(count, one_in)).collect()
        });
        let messages = messages * one_in;
        TopTold { window_s: window_ms / 1000, one_in, messages, sources, numbers, prefixes, domains }
    }
}

impl Window {
    fn slide(&mut self, now_ms: u64) {
        let halves = now_ms.saturating_sub(self.since_ms) / HALF_MS;
        if halves == 0 {
            return;
        }
        std::mem::swap(&mut self.now, &mut self.before);
        self.now.clear();
        if halves > 1 {
            self.before.clear();
        }
        self.since_ms += halves * HALF_MS;
    }

    /// The most frequent keys of a list, of both halves.
    fn most(&self, list: usize, shown: usize) -> Vec<Count> {
        let (Some(now), Some(before)) = (self.now.lists.get(list), self.before.lists.get(list)) else {
            return Vec::new();
        };
        let only_before = before.keys().filter(|key| now.keys().all(|other| other != *key));
        let both = |key: &Key| {
            let (now, before) = (now.of(key), before.of(key));
            Count { key: *key, at_most: now.at_most + before.at_most, over: now.over + before.over }
        };
        let mut counts: Vec<Count> = now.keys().chain(only_before).map(both).collect();
        // Who is there for sure comes first; of two alike always the same one.
        counts.sort_by(|one, other| {
            let sure = |count: &Count| count.at_most - count.over;
            sure(other).cmp(&sure(one)).then_with(|| one.key.bytes().cmp(other.key.bytes()))
        });
        counts.truncate(shown);
        counts
    }
}

impl Half {
    fn clear(&mut self) {
        self.messages = 0;
        self.lists.iter_mut().for_each(Frequent::clear);
    }
}

impl TopCount {
    /// As it is reckoned from the sample.
    fn of(count: &Count, one_in: u64) -> Self {
        Self {
            key: Escaped(count.key.bytes()).to_string(),
            messages: count.at_most * one_in,
            at_least: (count.at_most - count.over) * one_in,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::limits::{TOP_SHOWN_DEFAULT, TOP_SHOWN_MAX};

    fn top(one_in: u32) -> Top {
        Top::new(NonZeroU32::new(one_in))
    }

    impl Top {
        /// As JSON has it.
        fn shown_at(&self, shown: usize, now_ms: u64) -> Value {
            json!(self.told_at(self.one_in.unwrap(), shown, now_ms))
        }
    }

    fn call<'a>(called: &'a str, domain: &'a str) -> Call<'a> {
        Call { called: Some(called.as_bytes()), domain: Some(domain.as_bytes()), ..Call::default() }
    }

    fn source(number: u8) -> IpAddr {
        [192, 0, 2, number].into()
    }

    #[test]
    fn the_most_frequent_come_first() {
        let top = top(10);
        for number in 0..6 {
            top.count_at(source(number % 2), &call("+44-2079460000", "Example.net"), 0);
        }
        top.count_at(source(1), &call("112", "x"), 1_000);
        top.count_at("::ffff:192.0.2.1".parse().unwrap(), &call("alice", "x"), 2_000);
        let expected = json!({
            "window_s": 2, "one_in": 10, "messages": 80,
            "sources": [
                { "key": "192.0.2.1", "messages": 50, "at_least": 50 },
                { "key": "192.0.2.0", "messages": 30, "at_least": 30 },
            ],
            "numbers": [
                { "key": "+442079460000", "messages": 60, "at_least": 60 },
                { "key": "112", "messages": 10, "at_least": 10 },
            ],
            "prefixes": [{ "key": "+44207", "messages": 60, "at_least": 60 }],
            "domains": [
                { "key": "example.net", "messages": 60, "at_least": 60 },
                { "key": "x", "messages": 20, "at_least": 20 },
            ],
        });
        assert_eq!(top.shown_at(10, 2_000), expected);
        assert_eq!(top.shown_at(1, 2_000)["sources"], json!([expected["sources"][0]]));
    }

    #[test]
    fn the_window_slides_by_halves() {
        let top = top(1);
        let messages = |now_ms| {
            let shown = top.shown_at(10, now_ms);
            let of_first = shown["sources"].as_array().unwrap().iter().find(|one| one["key"] == "192.0.2.1");
            (
                shown["messages"].clone(),
                of_first.map(|one| one["messages"].clone()),
                shown["window_s"].clone(),
            )
        };
        top.count_at(source(1), &call("1", "x"), HALF_MS - 1);
        top.count_at(source(1), &call("1", "x"), HALF_MS);
        top.count_at(source(2), &call("1", "x"), HALF_MS);
        assert_eq!(messages(HALF_MS), (3.into(), Some(2.into()), 300.into()));
        assert_eq!(messages(2 * HALF_MS - 1), (3.into(), Some(2.into()), 599.into()));
        assert_eq!(messages(2 * HALF_MS), (2.into(), Some(1.into()), 300.into()));
        assert_eq!(messages(HALF_MS + TOP_WINDOW_MS), (0.into(), None, 300.into()));
        top.count_at(source(1), &call("1", "x"), 3 * HALF_MS);
        assert_eq!(messages(9 * HALF_MS + 5_000), (0.into(), None, 305.into()), "after a long silence");
    }

    #[test]
    fn a_flood_of_sources_hides_nobody_who_calls_often() {
        let top = top(1);
        for number in 0..100_000_u32 {
            top.count_at(IpAddr::from(number.to_be_bytes()), &call("1", "x"), 0);
            if number % 100 == 0 {
                top.count_at(source(7), &call("1", "x"), 0);
            }
        }
        let shown = top.shown_at(1, 0);
        let first = &shown["sources"][0];
        assert_eq!(first["key"], "192.0.2.7");
        let (least, most) = (first["at_least"].as_u64().unwrap(), first["messages"].as_u64().unwrap());
        assert!((500..=1000).contains(&least) && (1000..1500).contains(&most), "{first}");
    }

    #[test]
    fn as_many_are_shown_as_may_be() {
        let top = top(1);
        for number in 0..200 {
            top.count_at(source(number), &call("1", "x"), 0);
        }
        for shown in [1, TOP_SHOWN_DEFAULT, TOP_SHOWN_MAX] {
            assert_eq!(top.told(shown).unwrap().sources.len(), shown);
        }
        assert_eq!(Top::new(None).told(1), None);
    }

    #[test]
    fn hostile_bytes_are_escaped() {
        let top = top(1);
        top.count_at(source(1), &call("1", "<script>\x1b\""), 0);
        assert_eq!(top.shown_at(1, 0)["domains"][0]["key"], r"<script>\x1b\x22");
    }
}
