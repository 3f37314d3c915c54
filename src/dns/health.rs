//! Pure. What is known of the DNS servers: how fast they are, and which ones are dead. Time is an
//! argument.
//!
//! In:    how long each answer took, and who stayed silent.
//! Out:   whom to ask, in which order, and when to ask the next one too.
//! Never: asks; lets anybody wait for a server that is known to be dead.
//!
//! A server is dead after [`DNS_SILENCES_MAX`] questions without any answer and a check that failed: a
//! question that it has answered before is put to it again. So names that a server does not answer,
//! however many, do not make it a dead one.

use std::{collections::BTreeMap, net::SocketAddr};

use crate::limits::{
    DNS_DOWN_MS_MAX, DNS_DOWN_MS_MIN, DNS_HEDGE_MS_DEFAULT, DNS_HEDGE_MS_MIN, DNS_REMEASURE_MS,
    DNS_SERVER_IDLE_MS, DNS_SILENCES_MAX, DNS_TRY_MS, DNS_UPSTREAM_SERVERS_MAX,
};

/// Weight of what was known before against one new round trip (RFC 6298 §2.3: 7 to 1).
const OLD_WEIGHT: u64 = 7;

/// Servers by address, at most [`DNS_UPSTREAM_SERVERS_MAX`].
#[derive(Debug, Default)]
pub struct Health {
    servers: BTreeMap<SocketAddr, Server>,
}

/// Whom to ask one question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The best first. Empty: all are dead, and it is not the time to try one.
    pub servers: Vec<SocketAddr>,
    /// To be asked as well, to see how it is; nobody waits for it.
    pub probe: Option<SocketAddr>,
}

/// What is known of one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Standing {
    pub is_up: bool,
    /// Smoothed. At least the time waited where it did not answer.
    pub rtt_us: Option<u64>,
}

#[derive(Debug, Default)]
struct Server {
    rtt_us: Option<u64>,
    /// Questions put since the last answer, and not answered.
    silences: u32,
    /// When the last answer came.
    heard_ms: Option<u64>,
    /// Answers in a row that answered nothing.
    useless: u32,
    is_checked: bool,
    /// The pause that holds while the server is dead.
    pause_ms: Option<u64>,
    /// When it last was the first to be asked, was probed, or died.
    tried_ms: Option<u64>,
}

impl Health {
    /// Whom to ask now. A dead server whose pause is over is named once in each pause.
    pub fn plan(&mut self, servers: &[SocketAddr], now_ms: u64) -> Plan {
        let mut alive: Vec<_> = servers.iter().copied().filter(|server| self.is_up(*server)).collect();
        if alive.is_empty() {
            let due = |server: &&SocketAddr| self.is_due(**server, DNS_DOWN_MS_MIN, now_ms);
            let due: Vec<_> = servers.iter().filter(due).copied().collect();
            due.iter().for_each(|server| self.tries(*server, now_ms));
            return Plan { servers: due, probe: None };
        }
        // Stable: among equals, and before anything is known, the order of the file.
        alive.sort_by_key(|server| self.rank(*server));
        if let Some(first) = alive.first() {
            self.tries(*first, now_ms);
        }
        let probe = servers.iter().copied().find(|server| self.wants_probe(*server, now_ms));
        if let Some(server) = probe {
            self.tries(server, now_ms);
        }
        Plan { servers: alive, probe }
    }

    /// Whether [`Self::plan`] would name nobody.
    #[must_use]
    pub fn all_dead(&self, servers: &[SocketAddr], now_ms: u64) -> bool {
        !servers.iter().any(|server| self.is_up(*server) || self.is_due(*server, DNS_DOWN_MS_MIN, now_ms))
    }

    /// How long to wait for this server before another one is asked too.
    #[must_use]
    pub fn hedge_after_ms(&self, server: SocketAddr) -> u64 {
        let rtt_us = self.servers.get(&server).and_then(|known| known.rtt_us);
        rtt_us.map_or(DNS_HEDGE_MS_DEFAULT, |rtt_us| {
            (rtt_us.saturating_mul(3) / 1000).clamp(DNS_HEDGE_MS_MIN, DNS_TRY_MS)
        })
    }

    /// It said something; `is_useful`: what was asked, or that there is no such thing.
    pub fn answered(&mut self, server: SocketAddr, took_us: u64, is_useful: bool, now_ms: u64) {
        let known = self.servers.entry(server).or_default();
        // What was only waited for says little about how fast it is.
        let rtt_us = known.rtt_us.filter(|_| known.silences == 0);
        let useless = if is_useful { 0 } else { known.useless.saturating_add(1) };
        *known = Server {
            rtt_us: Some(smoothed(rtt_us, took_us)),
            useless,
            tried_ms: known.tried_ms,
            heard_ms: Some(now_ms),
            ..Server::default()
        };
    }

    /// It has said nothing. `true`: it is to be checked; [`Self::answered`] or [`Self::check_failed`]
    /// comes next. One that has answered others meanwhile is not dead: a packet was lost, or the name is
    /// at fault.
    pub fn silent(&mut self, server: SocketAddr, waited_us: u64, now_ms: u64) -> bool {
        let known = self.servers.entry(server).or_default();
        let put_ms = now_ms.saturating_sub(waited_us / 1000);
        if known.heard_ms.is_some_and(|heard_ms| heard_ms > put_ms) {
            return false;
        }
        known.silences = known.silences.saturating_add(1);
        // It would have taken at least so long.
        known.rtt_us = Some(smoothed(known.rtt_us, waited_us.max(known.rtt_us.unwrap_or(0))));
        let is_due = known.silences >= DNS_SILENCES_MAX && !known.is_checked && known.pause_ms.is_none();
        known.is_checked |= is_due;
        is_due
    }

    /// Another server's answer came first. As [`Self::silent`], when it had the time that it usually needs.
    pub fn overtaken(&mut self, server: SocketAddr, waited_us: u64, now_ms: u64) -> bool {
        waited_us / 1000 >= self.hedge_after_ms(server) && self.silent(server, waited_us, now_ms)
    }

    /// It did not answer what it has answered before.
    pub fn check_failed(&mut self, server: SocketAddr, now_ms: u64) {
        let known = self.servers.entry(server).or_default();
        known.is_checked = false;
        // It may have answered another question meanwhile.
        if known.silences >= DNS_SILENCES_MAX && known.pause_ms.is_none() {
            known.pause_ms = Some(DNS_DOWN_MS_MIN);
            known.tried_ms = Some(now_ms);
        }
    }

    /// It could not be checked: that is to be done yet.
    pub fn not_checked(&mut self, server: SocketAddr) {
        self.servers.entry(server).or_default().is_checked = false;
    }

    /// Makes a server known. `false`: there is no room.
    pub fn admit(&mut self, server: SocketAddr, now_ms: u64) -> bool {
        if self.servers.len() >= DNS_UPSTREAM_SERVERS_MAX && !self.servers.contains_key(&server) {
            self.servers
                .retain(|_, known| now_ms < known.tried_ms.unwrap_or(0).saturating_add(DNS_SERVER_IDLE_MS));
        }
        let has_room = self.servers.len() < DNS_UPSTREAM_SERVERS_MAX || self.servers.contains_key(&server);
        if has_room {
            self.servers.entry(server).or_default();
        }
        has_room
    }

    /// Whether it is known.
    #[must_use]
    pub fn knows(&self, server: SocketAddr) -> bool {
        self.servers.contains_key(&server)
    }

    /// All that are known, by address.
    pub fn standings(&self) -> impl Iterator<Item = (SocketAddr, Standing)> + '_ {
        self.servers.iter().map(|(address, known)| {
            (*address, Standing { is_up: known.pause_ms.is_none(), rtt_us: known.rtt_us })
        })
    }

    fn is_up(&self, server: SocketAddr) -> bool {
        self.servers.get(&server).is_none_or(|known| known.pause_ms.is_none())
    }

    /// A dead one may be tried.
    fn is_due(&self, server: SocketAddr, pause_ms_max: u64, now_ms: u64) -> bool {
        self.servers.get(&server).is_some_and(|known| {
            let pause_ms = known.pause_ms.map(|pause_ms| pause_ms.min(pause_ms_max));
            pause_ms.is_some_and(|pause_ms| now_ms >= known.tried_ms.unwrap_or(0).saturating_add(pause_ms))
        })
    }

    fn wants_probe(&self, server: SocketAddr, now_ms: u64) -> bool {
        if !self.is_up(server) {
            return self.is_due(server, u64::MAX, now_ms);
        }
        let tried_ms = self.servers.get(&server).and_then(|known| known.tried_ms);
        tried_ms.is_none_or(|tried_ms| now_ms >= tried_ms.saturating_add(DNS_REMEASURE_MS))
    }

    fn tries(&mut self, server: SocketAddr, now_ms: u64) {
        let known = self.servers.entry(server).or_default();
        known.tried_ms = Some(now_ms);
        // Until it answers: then there is no pause.
        known.pause_ms = known.pause_ms.map(|pause_ms| pause_ms.saturating_mul(2).min(DNS_DOWN_MS_MAX));
    }

    /// The least is asked first.
    fn rank(&self, server: SocketAddr) -> (bool, u64) {
        let known = self.servers.get(&server);
        let is_useless = known.is_some_and(|known| known.useless >= DNS_SILENCES_MAX);
        let rtt_us = known.and_then(|known| known.rtt_us);
        (is_useless, rtt_us.unwrap_or(DNS_HEDGE_MS_DEFAULT.saturating_mul(1000)))
    }
}

fn smoothed(before_us: Option<u64>, now_us: u64) -> u64 {
    before_us.map_or(now_us, |before_us| {
        before_us.saturating_mul(OLD_WEIGHT).saturating_add(now_us) / (OLD_WEIGHT + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(last: u8) -> SocketAddr {
        ([192, 0, 2, last], 53).into()
    }

    fn servers(lasts: &[u8]) -> Vec<SocketAddr> {
        lasts.iter().map(|last| server(*last)).collect()
    }

    /// Whom a plan names, by the last number of the address.
    fn plan(health: &mut Health, lasts: &[u8], now_ms: u64) -> (Vec<u8>, Option<u8>) {
        let last = |server: SocketAddr| match server.ip() {
            std::net::IpAddr::V4(ip) => ip.octets()[3],
            std::net::IpAddr::V6(_) => 0,
        };
        let Plan { servers, probe } = health.plan(&servers(lasts), now_ms);
        (servers.into_iter().map(last).collect(), probe.map(last))
    }

    /// Silent until it is dead.
    fn die(health: &mut Health, last: u8, now_ms: u64) {
        for nth in 1..=DNS_SILENCES_MAX {
            assert_eq!(
                health.silent(server(last), 330_000, now_ms.max(330)),
                nth == DNS_SILENCES_MAX,
                "{nth}"
            );
        }
        health.check_failed(server(last), now_ms);
    }

    #[test]
    fn the_fastest_is_first_and_equals_are_in_the_order_of_the_file() {
        for (round_trips, order) in [
            (&[][..], [3, 1, 2]),
            (&[(1, 9_000), (2, 5_000), (3, 7_000)], [2, 3, 1]),
            (&[(1, 5_000), (2, 5_000), (3, 5_000)], [3, 1, 2]),
            // What is not known may be fast, or slow.
            (&[(1, 1_000), (2, 90_000)], [1, 3, 2]),
        ] {
            let mut health = Health::default();
            for (last, took_us) in round_trips {
                health.answered(server(*last), *took_us, true, 0);
            }
            assert_eq!(plan(&mut health, &[3, 1, 2], 0).0, order, "{round_trips:?}");
        }
    }

    #[test]
    fn round_trips_are_smoothed() {
        let mut health = Health::default();
        let mut rtt_us = |took_us| {
            health.answered(server(1), took_us, true, 0);
            health.standings().map(|(_, standing)| standing.rtt_us).collect::<Vec<_>>()
        };
        assert_eq!(rtt_us(8_000), [Some(8_000)]);
        assert_eq!(rtt_us(16_000), [Some(9_000)]);
        assert_eq!(rtt_us(1_000), [Some(8_000)]);
    }

    #[test]
    fn the_second_is_asked_after_three_round_trips() {
        for (took_us, hedge_ms) in [
            (None, DNS_HEDGE_MS_DEFAULT),
            (Some(200), DNS_HEDGE_MS_MIN),
            (Some(20_000), 60),
            (Some(300_000), DNS_TRY_MS),
        ] {
            let mut health = Health::default();
            if let Some(took_us) = took_us {
                health.answered(server(1), took_us, true, 0);
            }
            assert_eq!(health.hedge_after_ms(server(1)), hedge_ms, "{took_us:?}");
        }
    }

    #[test]
    fn who_is_overtaken_after_its_time_loses_its_place() {
        let mut health = Health::default();
        health.answered(server(1), 1_000, true, 0);
        health.answered(server(2), 2_000, true, 0);
        // Nothing is known of who had less time than it needs.
        assert!(!health.overtaken(server(1), 9_999, 9));
        assert_eq!(plan(&mut health, &[1, 2], 0).0, [1, 2]);
        assert!(!health.overtaken(server(1), 12_000, 12));
        assert_eq!(plan(&mut health, &[1, 2], 1).0, [2, 1]);
        // It answers: what was waited for is forgotten.
        health.answered(server(1), 1_000, true, 0);
        assert_eq!(plan(&mut health, &[1, 2], 2).0, [1, 2]);
    }

    #[test]
    fn a_check_comes_once_and_an_answer_meanwhile_outweighs_it() {
        let mut health = Health::default();
        let silences: Vec<_> = (0..5).map(|_| health.silent(server(1), 1, 0)).collect();
        assert_eq!(silences, [false, false, true, false, false]);
        health.answered(server(1), 1_000, false, 0);
        health.check_failed(server(1), 0);
        assert_eq!(plan(&mut health, &[1], 0).0, [1]);
        assert!(!health.silent(server(1), 1, 0), "it is counted from the start");
    }

    #[test]
    fn who_has_answered_others_meanwhile_is_not_dead() {
        let mut health = Health::default();
        health.answered(server(1), 1_000, true, 1_000);
        for (put_ms, is_due) in [(998, false), (999, false), (999, false), (1_000, false), (1_001, false)] {
            assert_eq!(health.silent(server(1), 330_000, put_ms + 330), is_due, "{put_ms}");
        }
        assert!(health.silent(server(1), 330_000, 1_332), "the third that was put after the answer");
    }

    #[test]
    fn a_check_that_could_not_be_made_comes_again() {
        let mut health = Health::default();
        let mut silences = [false; 5];
        for is_due in &mut silences {
            *is_due = health.silent(server(1), 1, 0);
            health.not_checked(server(1));
        }
        assert_eq!(silences, [false, false, true, true, true]);
    }

    #[test]
    fn a_dead_one_is_probed_now_and_then_beside_the_living() {
        let mut health = Health::default();
        health.answered(server(2), 1_000, true, 0);
        die(&mut health, 1, 0);
        assert_eq!(plan(&mut health, &[1, 2], 0), (vec![2], None));
        let mut probes = Vec::new();
        for now_ms in (0..200_000).step_by(500) {
            let (asked, probe) = plan(&mut health, &[1, 2], now_ms);
            assert_eq!(asked, [2]);
            probes.extend(probe.map(|last| (last, now_ms)));
        }
        let most = DNS_DOWN_MS_MAX;
        let pauses = [1_000, 2_000, 4_000, 8_000, 16_000, most, most, most, most, most];
        let mut at_ms = 0;
        let pauses = pauses.map(|pause_ms| {
            at_ms += pause_ms;
            at_ms
        });
        assert_eq!(probes, pauses.map(|now_ms| (1, now_ms)));
        // Any answer will do.
        health.answered(server(1), 500, false, 0);
        assert_eq!(plan(&mut health, &[1, 2], 200_000), (vec![1, 2], None));
        // Its pause begins small again.
        die(&mut health, 1, 201_000);
        assert_eq!(plan(&mut health, &[1, 2], 202_000).1, Some(1));
    }

    #[test]
    fn when_all_are_dead_one_question_in_a_second_waits() {
        let mut health = Health::default();
        die(&mut health, 1, 0);
        die(&mut health, 2, 0);
        let all = servers(&[1, 2]);
        let mut asked = Vec::new();
        for now_ms in (0..100_000).step_by(250) {
            let all_dead = health.all_dead(&all, now_ms);
            let (named, probe) = plan(&mut health, &[1, 2], now_ms);
            assert_eq!((named.is_empty(), probe), (all_dead, None));
            if !named.is_empty() {
                assert_eq!(named, [1, 2]);
                asked.push(now_ms);
            }
        }
        assert_eq!(asked, (1..100).map(|s| s * 1_000).collect::<Vec<_>>());
        health.answered(server(2), 1_000, true, 0);
        assert_eq!(plan(&mut health, &[1, 2], 100_000).0, [2]);
    }

    #[test]
    fn the_others_are_measured_again_now_and_then() {
        let mut health = Health::default();
        let probes: Vec<_> = (0..30_000)
            .step_by(1_000)
            .filter_map(|now_ms| {
                health.answered(server(1), 1_000, true, now_ms);
                plan(&mut health, &[1, 2, 3], now_ms).1.map(|last| (last, now_ms))
            })
            .collect();
        let again_ms = DNS_REMEASURE_MS;
        assert_eq!(
            probes,
            [
                (2, 0),
                (3, 1_000),
                (2, again_ms),
                (3, again_ms + 1_000),
                (2, 2 * again_ms),
                (3, 2 * again_ms + 1_000)
            ]
        );
    }

    #[test]
    fn who_answers_nothing_is_asked_last() {
        let mut health = Health::default();
        health.answered(server(2), 90_000, true, 0);
        for nth in 1..=DNS_SILENCES_MAX {
            health.answered(server(1), 1_000, false, 0);
            let order = if nth < DNS_SILENCES_MAX { [1, 2] } else { [2, 1] };
            assert_eq!(plan(&mut health, &[1, 2], 0).0, order, "{nth}");
        }
        health.answered(server(1), 1_000, true, 0);
        assert_eq!(plan(&mut health, &[1, 2], 0).0, [1, 2]);
    }

    #[test]
    fn there_is_room_for_so_many_and_the_idle_make_way() {
        let mut health = Health::default();
        let address = |nth: usize| SocketAddr::from(([127, 0, 0, 1], u16::try_from(nth).unwrap()));
        for nth in 0..DNS_UPSTREAM_SERVERS_MAX {
            assert!(health.admit(address(nth), 0));
            health.plan(&[address(nth)], u64::from(nth == 7) * 50_000);
        }
        assert!(!health.admit(address(1_000), DNS_SERVER_IDLE_MS - 1));
        assert!(health.admit(address(7), 0), "it is known");
        assert!(health.admit(address(1_000), DNS_SERVER_IDLE_MS));
        assert_eq!(health.standings().count(), 2);
        assert!(health.knows(address(7)) && !health.knows(address(8)));
    }
}
