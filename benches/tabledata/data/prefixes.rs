//! Prefixes of all countries: a tree that is deep where numbers are many. Each prefix comes once, before
//! those that begin with it.

use std::collections::HashMap;

use super::random::{Random, mix};

/// Country codes, and how much of all breakouts a country has: some networks with mobile and special
/// numbers make most of a deck.
const COUNTRIES: &[(u64, u64)] = &[
    (1, 900),
    (7, 300),
    (20, 40),
    (27, 60),
    (30, 40),
    (31, 90),
    (32, 60),
    (33, 250),
    (34, 160),
    (36, 40),
    (39, 250),
    (40, 50),
    (41, 60),
    (43, 200),
    (44, 500),
    (45, 50),
    (46, 70),
    (47, 50),
    (48, 120),
    (49, 600),
    (51, 40),
    (52, 300),
    (53, 20),
    (54, 200),
    (55, 400),
    (56, 50),
    (57, 90),
    (58, 50),
    (60, 60),
    (61, 120),
    (62, 150),
    (63, 90),
    (64, 30),
    (65, 20),
    (66, 40),
    (81, 150),
    (82, 60),
    (84, 60),
    (86, 500),
    (90, 120),
    (91, 500),
    (92, 80),
    (93, 30),
    (94, 30),
    (95, 20),
    (98, 60),
];
/// The codes of three digits that are in use, with few breakouts each.
const SMALL: &[(u64, u64)] = &[
    (211, 213),
    (216, 218),
    (220, 229),
    (230, 269),
    (290, 291),
    (297, 299),
    (350, 359),
    (370, 378),
    (380, 383),
    (385, 387),
    (389, 389),
    (420, 421),
    (423, 423),
    (500, 509),
    (590, 599),
    (670, 670),
    (672, 692),
    (850, 850),
    (852, 853),
    (855, 856),
    (880, 880),
    (886, 886),
    (960, 968),
    (970, 977),
    (992, 998),
];
const SMALL_WEIGHT: u64 = 6;
/// Longest prefix.
const DIGITS_MAX: u32 = 11;
/// As many as one table may name as targets, with room.
const GATEWAYS: u64 = 200;

/// One prefix without its `+`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prefix {
    pub(crate) digits: u64,
    pub(crate) len: u32,
    /// How many prefixes of the tree it begins with.
    pub(crate) depth: u32,
    /// Where its calls go, by number.
    pub(crate) gateway: u32,
}

/// The name of a gateway.
pub(crate) fn gateway(number: u32) -> String {
    format!("gw-{number:04}")
}

/// So many prefixes to `row`, in the order of their text.
pub(crate) fn prefixes(seed: u64, rows: u64, row: &mut dyn FnMut(Prefix)) {
    let mut countries: Vec<(u64, u64)> = COUNTRIES.to_vec();
    for &(first, last) in SMALL {
        countries.extend((first..=last).map(|code| (code, SMALL_WEIGHT)));
    }
    countries.sort_by_key(|&(code, _)| code.to_string());
    let mut weight_left: u64 = countries.iter().map(|&(_, weight)| weight).sum();
    let mut rows_left = rows;
    let mut random = Random::new(seed, 7);
    for (code, weight) in countries {
        // Rounded so that the last country gets exactly what is left.
        let here = (u128::from(rows_left) * u128::from(weight)).div_ceil(u128::from(weight_left)) as u64;
        weight_left -= weight;
        rows_left -= here;
        let gateway = random.skewed_below(GATEWAYS) as u32;
        tree(&mut random, Prefix { digits: code, len: code.ilog10() + 1, depth: 0, gateway }, here, row);
    }
}

/// Calls that begin with a prefix of the table, each with the gateway of its longest match, and among them
/// `misses_percent` of a country that has none. Holds all prefixes, twice.
pub(crate) fn prefix_calls(
    seed: u64,
    series: u64,
    of: u64,
    rows: u64,
    misses_percent: u64,
) -> impl Iterator<Item = (u64, Option<u32>)> {
    let (mut all, mut by_text) = (Vec::new(), HashMap::new());
    prefixes(seed, of, &mut |prefix| {
        all.push(prefix);
        by_text.insert((prefix.digits, prefix.len), prefix.gateway);
    });
    let mut random = Random::new(mix(series) ^ seed, 8);
    (0..rows).map(move |_| {
        if all.is_empty() || random.percent(misses_percent) {
            // 28x is no country code.
            return (280_000_000_000 + random.below(10_000_000_000), None);
        }
        let prefix = all[random.below(all.len() as u64) as usize];
        let more = 12 - prefix.len;
        let number = prefix.digits * 10_u64.pow(more) + random.below(10_u64.pow(more));
        let longest =
            (1..=DIGITS_MAX).rev().find_map(|len| by_text.get(&(number / 10_u64.pow(12 - len), len)));
        (number, longest.copied())
    })
}

/// This prefix and those below it, `budget` in all as far as digits go.
fn tree(random: &mut Random, prefix: Prefix, budget: u64, row: &mut dyn FnMut(Prefix)) {
    if budget == 0 {
        return;
    }
    row(prefix);
    let mut left = (budget - 1).min(capacity(prefix.len) - 1);
    let room = capacity(prefix.len + 1);
    // Some digits take most: networks differ in size.
    let weights: [u64; 10] =
        std::array::from_fn(|_| if random.percent(30) { 0 } else { random.within(1, 100) });
    let mut weight_left: u64 = weights.iter().sum();
    for (digit, weight) in (0..10).zip(weights) {
        if left == 0 {
            break;
        }
        let share = if weight_left == 0 { left } else { (left * weight).div_ceil(weight_left) };
        weight_left -= weight;
        // What the later digits cannot take goes here.
        let least = left.saturating_sub(room * (9 - digit));
        let here = share.clamp(least.min(room), room).min(left);
        left -= here;
        let gateway = if random.percent(30) { prefix.gateway } else { random.skewed_below(GATEWAYS) as u32 };
        let (digits, len, depth) = (prefix.digits * 10 + digit, prefix.len + 1, prefix.depth + 1);
        tree(random, Prefix { digits, len, depth, gateway }, here, row);
    }
}

/// Prefixes that there can be from one of this length on.
fn capacity(len: u32) -> u64 {
    if len > DIGITS_MAX { 0 } else { (10_u64.pow(DIGITS_MAX - len + 1) - 1) / 9 }
}
