//! Deterministic. What is known of the health of gateways: what their probes say, what an operator says, and
//! what follows. Time and seeds are arguments.
//!
//! In:    results of probes, marks of an operator, by the name of the gateway.
//! Out:   whether a gateway is down, each change of that, when it is probed next.
//! Never: probes; believes one probe where more are wanted.

use std::{collections::HashMap, hash::Hasher as _};

use siphasher::sip::SipHasher13;

use crate::route::{Gateway, Health, RouteTable};

/// What an operator says of a gateway. It wins over probes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mark {
    /// Nothing: the probes say it.
    #[default]
    Auto,
    /// It is up.
    Up,
    /// It is down.
    Down,
}

impl Mark {
    /// Its name in the admin API and in the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// What is known of one gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// What an operator says.
    pub mark: Mark,
    /// How it is probed; `None`: it is not.
    pub health: Option<Health>,
    /// Whether its probes have made it down.
    pub is_silent: bool,
    /// Probes in a row that speak against that.
    pub against: u32,
}

impl Standing {
    /// Whether it is left out of Contact lists.
    #[must_use]
    pub fn is_down(&self) -> bool {
        match self.mark {
            Mark::Auto => self.is_silent,
            Mark::Up => false,
            Mark::Down => true,
        }
    }

    /// A probe has ended. Whether that turns what the probes say.
    fn probed(&mut self, is_alive: bool) -> bool {
        let Some(health) = &self.health else { return false };
        if is_alive != self.is_silent {
            self.against = 0;
            return false;
        }
        self.against = self.against.saturating_add(1);
        let wanted = if self.is_silent { health.successes } else { health.failures };
        let turns = self.against >= wanted;
        if turns {
            self.is_silent = !self.is_silent;
            self.against = 0;
        }
        turns
    }
}

/// All gateways of the table in service that are probed or marked, by name.
#[derive(Debug, Default)]
pub struct Board {
    standings: HashMap<Box<str>, Standing>,
}

impl Board {
    /// Follows a table. A gateway keeps its mark by its name; what its probes said it keeps while they go to
    /// the same place.
    pub fn follow(&mut self, table: &RouteTable) {
        let mut before = std::mem::take(&mut self.standings);
        for Gateway { name, health, .. } in &table.gateways {
            let health = health.as_deref();
            let known = before.remove(name);
            let is_same_place = |known: &Standing| {
                known.health.as_ref().zip(health).is_some_and(|(before, now)| before.uri == now.uri)
            };
            let standing = match known {
                Some(known) if is_same_place(&known) => Standing { health: health.cloned(), ..known },
                Some(known) => Standing { mark: known.mark, health: health.cloned(), ..Standing::default() },
                None => Standing { health: health.cloned(), ..Standing::default() },
            };
            if standing.health.is_some() || standing.mark != Mark::Auto {
                self.standings.insert(name.clone(), standing);
            }
        }
    }

    /// A probe of a gateway has ended. `Some`: it is down or up from now on, which it was not before.
    pub fn probed(&mut self, name: &str, is_alive: bool) -> Option<bool> {
        let standing = self.standings.get_mut(name)?;
        let before = standing.is_down();
        standing.probed(is_alive);
        let after = standing.is_down();
        (before != after).then_some(after)
    }

    /// An operator says something of a gateway of the table. `Some`: see [`Board::probed`].
    pub fn mark(&mut self, name: &str, mark: Mark) -> Option<bool> {
        let standing = self.standings.entry(name.into()).or_default();
        let before = standing.is_down();
        standing.mark = mark;
        let after = standing.is_down();
        if standing.health.is_none() && mark == Mark::Auto {
            self.standings.remove(name);
        }
        (before != after).then_some(after)
    }

    /// What is known of a gateway; `None`: it is neither probed nor marked, and up.
    #[must_use]
    pub fn standing(&self, name: &str) -> Option<&Standing> {
        self.standings.get(name)
    }

    /// How many are probed or marked.
    #[must_use]
    pub fn len(&self) -> usize {
        self.standings.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.standings.is_empty()
    }
}

/// When a gateway is probed for the first time, in milliseconds from now: anywhere in the first interval, so that
/// neither many gateways are probed at once nor one by many servers. `seed` is of this server alone.
#[must_use]
pub fn first_probe_ms(seed: u64, name: &str, health: &Health) -> u64 {
    below(draw(seed, name, 0), health.interval_ms)
}

/// The pause between the beginnings of the probe with this number, from 1, and the next one.
#[must_use]
pub fn pause_ms(seed: u64, name: &str, nth: u64, health: &Health) -> u64 {
    let most = health.interval_ms.saturating_mul(health.jitter_milli.into()) / 1000;
    let span = most.saturating_mul(2).saturating_add(1);
    health.interval_ms.saturating_sub(most).saturating_add(below(draw(seed, name, nth), span)).max(1)
}

fn draw(seed: u64, name: &str, nth: u64) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(seed, nth);
    hasher.write(name.as_bytes());
    hasher.finish()
}

fn below(draw: u64, bound: u64) -> u64 {
    u64::try_from((u128::from(draw) * u128::from(bound)) >> 64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        limits::PROBES_IN_A_ROW_MAX,
        route::{
            AliveCodes,
            file::{Source, parse},
        },
    };

    fn health(failures: u32, successes: u32) -> Health {
        Health {
            uri: "sip:a.example".into(),
            from: None,
            interval_ms: 20_000,
            jitter_milli: 100,
            timeout_ms: 2_000,
            failures,
            successes,
            alive: AliveCodes::default(),
        }
    }

    fn table(gateways: &str) -> RouteTable {
        let text = format!("gateways: {{ {gateways} }}\nroutes: [ {{ answer: 404 }} ]\n");
        let source = Source { path: "a.yaml".to_owned(), bytes: text.into_bytes() };
        parse(&[source]).unwrap().build_from(&|_| Ok(Vec::new())).unwrap().0
    }

    /// What the probes of one gateway come to, one after the other.
    fn states(failures: u32, successes: u32, probes: &str) -> String {
        let standing = Standing { health: Some(health(failures, successes)), ..Standing::default() };
        let mut board = Board { standings: HashMap::from([("g".into(), standing)]) };
        let state = |probe: char| {
            board.probed("g", probe == '+');
            if board.standing("g").is_some_and(Standing::is_down) { 'd' } else { 'u' }
        };
        probes.chars().map(state).collect()
    }

    #[test]
    fn so_many_probes_in_a_row_make_a_gateway_down_or_up() {
        for (failures, successes, probes, expected) in [
            (1, 1, "+-+-", "udud"),
            (2, 2, "-+--+-++-", "uuudddduu"),
            (3, 1, "--+---+", "uuuuudu"),
            (1, 3, "-++-+++", "ddddddu"),
        ] {
            assert_eq!(states(failures, successes, probes), expected, "{failures} {successes} {probes}");
        }
        let most = PROBES_IN_A_ROW_MAX;
        let probes = "-".repeat(most as usize);
        assert!(states(most, 1, &probes).ends_with("ud"));
    }

    #[test]
    fn a_mark_wins_over_probes_and_leaves_them_their_say() {
        let mut board = Board::default();
        board.follow(&table("g: { uri: 'sip:a.example', health: { probe: true, failures: 1 } }"));
        assert_eq!(board.mark("g", Mark::Up), None);
        assert_eq!(board.probed("g", false), None, "an operator knows better");
        assert_eq!(board.mark("g", Mark::Auto), Some(true));
        assert_eq!(board.mark("g", Mark::Down), None);
        assert_eq!([board.probed("g", true), board.probed("g", true)], [None, None]);
        assert_eq!(board.mark("g", Mark::Auto), Some(false));
    }

    #[test]
    fn a_gateway_that_is_not_probed_is_known_while_it_is_marked() {
        let mut board = Board::default();
        board.follow(&table("g: sip:a.example"));
        assert!(board.is_empty());
        assert_eq!((board.mark("g", Mark::Down), board.len()), (Some(true), 1));
        assert_eq!(board.probed("g", true), None);
        assert_eq!((board.mark("g", Mark::Auto), board.len()), (Some(false), 0));
    }

    #[test]
    fn a_table_that_follows_keeps_what_is_still_true() {
        let probed = |uri: &str| format!("a: {{ uri: 'sip:{uri}', health: {{ probe: true, failures: 1 }} }}");
        let mut board = Board::default();
        board.follow(&table(&format!("{}, b: sip:b.example, c: sip:c.example", probed("a.example"))));
        board.probed("a", false);
        board.mark("b", Mark::Down);
        board.mark("c", Mark::Down);
        let down =
            |board: &Board| ["a", "b", "c"].map(|name| board.standing(name).is_some_and(Standing::is_down));

        board.follow(&table(&format!("b: sip:elsewhere.example, {}", probed("a.example"))));
        assert_eq!(down(&board), [true, true, false], "a mark is of the name, and c is gone");
        board.follow(&table(&format!("b: sip:b.example, c: sip:c.example, {}", probed("elsewhere.example"))));
        assert_eq!(down(&board), [false, true, false], "nobody has probed the new place");
        board.follow(&table("a: sip:elsewhere.example"));
        assert_eq!((down(&board), board.len()), ([false; 3], 0));
    }

    proptest! {
        #[test]
        fn pauses_stay_within_the_jitter(seed: u64, name in "[a-z]{1,8}", nth: u64, interval_s in 1_u64..3600, jitter_milli in 0_u16..=500) {
            let health = Health { interval_ms: interval_s * 1000, jitter_milli, ..health(1, 1) };
            let most = interval_s * u64::from(jitter_milli);
            let pause = pause_ms(seed, &name, nth, &health);
            prop_assert!(pause.abs_diff(interval_s * 1000) <= most, "{pause}");
            prop_assert!(first_probe_ms(seed, &name, &health) < health.interval_ms);
            prop_assert_eq!(pause, pause_ms(seed, &name, nth, &health));
        }
    }

    #[test]
    fn a_thousand_gateways_of_two_servers_are_probed_evenly() {
        let health = health(1, 1);
        let seconds = |seed| {
            let mut seconds = [0_u32; 20];
            for number in 0..1000 {
                let at_ms = first_probe_ms(seed, &format!("g{number}"), &health);
                seconds[usize::try_from(at_ms / 1000).unwrap()] += 1;
            }
            seconds
        };
        // 50 on average; 100 would be seven times the standard deviation away.
        assert!(seconds(1).iter().all(|probes| *probes < 100), "{:?}", seconds(1));
        assert_ne!(seconds(1), seconds(2));
    }
}
