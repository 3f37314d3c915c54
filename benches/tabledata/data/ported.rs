//! Ported numbers of one country: they lie in the blocks of 10,000 in which numbers are allotted, some
//! dense, most sparse, with whole runs where a company took its extensions along. National numbers have
//! nine or ten digits; the shorter ones come first, so that the order is that of length, then digits.

use super::random::{Random, mix};

/// Country code of all numbers.
const COUNTRY: u64 = 44;
const BLOCK: u64 = 10_000;
/// Rows that a block of 10,000 has on average.
const ROWS_PER_BLOCK: u64 = 1_500;
/// Area and network codes: three digits.
const CODES: (u64, u64) = (100, 999);
/// Blocks of a code, by the length of its national numbers.
const BLOCKS_OF_SHORT: u64 = 100;
const BLOCKS_OF_LONG: u64 = 1_000;
/// Routing numbers and the operators behind them.
const NETWORKS: u64 = 20_000;
const OPERATORS: u64 = 300;

/// One row: a number without its `+`, and the network that has it now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number {
    pub(crate) digits: u64,
    pub(crate) network: Network,
}

/// One of the country's routing numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network(u16);

impl Network {
    /// The digits of the routing number, without `+`.
    pub(crate) fn routing_number(self) -> u64 {
        COUNTRY * 10_000_000_000 + 9_700_000_000 + u64::from(self.0) * 1_000
    }

    /// The operator's identity: 1000 and up.
    pub(crate) fn operator(self) -> u64 {
        // Large operators have many routing numbers, most have a few.
        1_000 + Random::new(u64::from(self.0), 99).skewed_below(OPERATORS)
    }
}

/// One line of a daily update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Add(Number),
    Remove(u64),
}

/// So many numbers, each once, in ascending order.
pub(crate) fn ported(seed: u64, rows: u64) -> impl Iterator<Item = Number> {
    let mut numbers = Vec::with_capacity(BLOCK as usize);
    blocks(seed, rows)
        .flat_map(move |block| {
            fill(seed, block, &mut numbers);
            std::mem::take(&mut numbers)
        })
        .take(usize::try_from(rows).unwrap_or(usize::MAX))
}

/// The same numbers in no order; holds 16 bytes for each.
pub(crate) fn shuffled(seed: u64, rows: u64) -> Vec<Number> {
    let mut all: Vec<Number> = ported(seed, rows).collect();
    let mut random = Random::new(seed, 3);
    for last in (1..all.len()).rev() {
        let other = random.below(last as u64 + 1) as usize;
        all.swap(last, other);
    }
    all
}

/// An update of [`ported`]: about six new numbers in ten lines, two or three that move on, one or two
/// that go back to where they were allotted. No number comes twice. Holds 16 bytes for each number of the
/// table; there are fewer changes than asked for only when the table is not several times as large.
pub(crate) fn changes(seed: u64, series: u64, of: u64, rows: u64) -> Vec<Change> {
    let all: Vec<Number> = ported(seed, of).collect();
    let mut random = Random::new(mix(series) ^ seed, 4);
    let mut seen = std::collections::HashSet::new();
    let mut changes = Vec::new();
    // Each try finds a number that was not seen before, or is spent.
    for _ in 0..rows.saturating_mul(8) {
        if changes.len() as u64 == rows || all.is_empty() {
            break;
        }
        let at = random.below(all.len() as u64) as usize;
        let kind = random.below(100);
        let network = any_network(&mut random);
        let change = if kind < 60 {
            let Some(digits) = gap_after(&all, at) else { continue };
            Change::Add(Number { digits, network })
        } else if kind < 85 {
            Change::Add(Number { digits: all[at].digits, network })
        } else {
            Change::Remove(all[at].digits)
        };
        let (Change::Add(Number { digits, .. }) | Change::Remove(digits)) = change;
        if seen.insert(digits) {
            changes.push(change);
        }
    }
    changes
}

/// Calls to numbers of the table, with the network that has them, and among them `misses_percent` that the
/// table does not have: half of them beside one that it has, half anywhere. Holds 16 bytes for each number.
pub(crate) fn ported_calls(
    seed: u64,
    series: u64,
    of: u64,
    rows: u64,
    misses_percent: u64,
) -> impl Iterator<Item = (u64, Option<Network>)> {
    let all: Vec<Number> = ported(seed, of).collect();
    let mut random = Random::new(mix(series) ^ seed, 5);
    (0..rows).map(move |_| {
        let at = random.below(all.len() as u64) as usize;
        if !random.percent(misses_percent) {
            return (all[at].digits, Some(all[at].network));
        }
        let near = if random.percent(50) { gap_after(&all, at) } else { None };
        let digits = near.unwrap_or_else(|| {
            let anywhere = random.below(9_000_000_000);
            let far = COUNTRY * 10_000_000_000 + 1_000_000_000 + anywhere;
            let is_ported = all.binary_search_by_key(&far, |number| number.digits).is_ok();
            // The country after this one has no ported numbers.
            if is_ported { far + 10_000_000_000 } else { far }
        });
        (digits, None)
    })
}

/// A block: its first number.
#[derive(Clone, Copy, Debug)]
struct Block(u64);

/// The blocks in use, ascending: neighbours within a code, codes here and there, until nobody asks.
fn blocks(seed: u64, rows: u64) -> impl Iterator<Item = Block> {
    let wanted = rows / ROWS_PER_BLOCK + 1;
    // One in ten has the shorter numbers.
    let short = codes(seed, wanted / 10, BLOCKS_OF_SHORT, COUNTRY * 1_000_000_000, 1_000_000);
    let long = codes(seed, wanted, BLOCKS_OF_LONG, COUNTRY * 10_000_000_000, 10_000_000);
    let short_wanted = usize::try_from(wanted / 10).unwrap_or(usize::MAX);
    short.take(short_wanted).chain(long)
}

/// The blocks of all codes. Codes are in use to a part that makes `wanted` blocks of the whole country;
/// what is missing when chance made it fewer comes after the last code, in longer numbers.
fn codes(
    seed: u64,
    wanted: u64,
    blocks_per_code: u64,
    base: u64,
    code_size: u64,
) -> impl Iterator<Item = Block> {
    let (first, last) = CODES;
    let room = (last - first + 1) * blocks_per_code;
    // In thousandths: how much of the numbering is in use. At least one block of most codes.
    let codes_share = (wanted * 4_000 / room).clamp(100, 1_000);
    let blocks_share = (wanted * 1_000_000 / (room * codes_share)).clamp(1, 1_000);
    let spread = (first..=last).flat_map(move |code| {
        let mut random = Random::new(seed, base + code);
        let used = random.below(1_000) < codes_share;
        let here = (blocks_per_code * blocks_share).div_ceil(1_000);
        let first_block = random.below(blocks_per_code - here + 1);
        let range = if used { first_block..first_block + here } else { 0..0 };
        range.map(move |block| Block(base + code * code_size + block * BLOCK))
    });
    let after = base * 10 + first * code_size * 10;
    spread.chain((0..).map(move |block| Block(after + block * BLOCK)))
}

/// The ported numbers of a block of 10,000.
fn fill(seed: u64, Block(first): Block, out: &mut Vec<Number>) {
    let mut random = Random::new(seed, first);
    let networks: Vec<Network> = (0..8).map(|_| any_network(&mut random)).collect();
    // A block of a mobile network loses many numbers; one of an area is divided into thousands.
    let mobile = random.percent(25);
    let mobile_density = random.within(15, 55);
    for thousand in 0..10 {
        let density = match random.below(100) {
            _ if mobile => mobile_density,
            0..4 => 95,
            4..30 => 0,
            30..80 => random.within(1, 5),
            _ => random.within(5, 25),
        };
        let mut offset = 0;
        while offset < 1_000 {
            let network = networks[random.skewed_below(networks.len() as u64) as usize];
            // Extensions of a company: ten or a hundred numbers that moved together.
            let run = if density > 0 && offset % 10 == 0 && random.percent(1) {
                if offset % 100 == 0 { 100 } else { 10 }
            } else {
                u64::from(random.percent(density))
            };
            let digits = first + thousand * 1_000 + offset;
            out.extend((0..run).map(|number| Number { digits: digits + number, network }));
            offset += run.max(1);
        }
    }
}

fn any_network(random: &mut Random) -> Network {
    // The busy ones are spread: the factor has no divisor in common with their number.
    Network((random.skewed_below(NETWORKS) * 7_919 % NETWORKS) as u16)
}

/// The number after the one at this place, if it is not ported itself.
fn gap_after(all: &[Number], at: usize) -> Option<u64> {
    let digits = all.get(at)?.digits + 1;
    all.get(at + 1).is_none_or(|next| next.digits != digits).then_some(digits)
}
