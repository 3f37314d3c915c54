//! A wholesale deck: what carriers ask for a minute to each destination. All of them have the countries,
//! the large ones also the finest breakouts; prices of neighbours are the same, and none has more than four
//! decimals.

use super::{
    prefixes::{Prefix, prefixes},
    random::{Random, mix},
};

/// Carriers per prefix, on average, as a part of all.
const SHARE: u64 = 3;
/// Weight of a prefix by its depth in the tree, for how many carriers have it.
const WEIGHTS: [f64; DEPTHS] = [40.0, 16.0, 12.0, 8.0, 6.0, 4.0, 3.0];
const DEPTHS: usize = 7;
/// Days on which a carrier's prices became valid.
const ISSUES: u64 = 5;

/// One row. Prices are in ten-thousandths, days count from the first of January 2026.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) prefix: u64,
    pub(crate) carrier: u32,
    pub(crate) cost: u64,
    /// Per cent of calls that were answered; not every carrier says it.
    pub(crate) quality: Option<u64>,
    pub(crate) from_day: u64,
    /// The last day, when the price is not valid until further notice.
    pub(crate) until_day: Option<u64>,
}

/// How many carriers make a deck of how many rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deck {
    pub(crate) seed: u64,
    pub(crate) rows: u64,
    pub(crate) carriers: u32,
}

impl Deck {
    /// All rows to `row`, by prefix, then by carrier, then by day. A carrier has a prefix once, or twice with
    /// the second price from the day after the first one ends.
    pub(crate) fn offers(self, row: &mut dyn FnMut(Offer)) {
        let carriers = u64::from(self.carriers.max(1));
        let wanted = (self.rows * SHARE).div_ceil(carriers);
        let mut counts = [0; DEPTHS];
        prefixes(self.seed, wanted, &mut |prefix| counts[depth_of(&prefix)] += 1);
        let shares = self.shares(counts);
        let (mut due_all, mut given, mut prefixes_left) = (0.0, 0_u64, wanted);
        let mut prices = vec![0; 32];
        let mut chosen = Vec::new();
        prefixes(self.seed, wanted, &mut |prefix| {
            due_all += shares[depth_of(&prefix)];
            prefixes_left -= 1;
            // What a prefix could not take goes to the next one.
            let due = if prefixes_left == 0 { self.rows } else { self.rows.min(due_all as u64) } - given;
            let price = self.price(&prefix, &mut prices);
            self.choose(&prefix, due.min(carriers) as usize, &mut chosen);
            let mut left = due;
            for &(_, carrier) in &chosen {
                for offer in self.of_carrier(&prefix, carrier, price).into_iter().flatten() {
                    if left > 0 {
                        left -= 1;
                        given += 1;
                        row(offer);
                    }
                }
            }
        });
    }

    /// How many carriers a prefix of each depth has, on average: all of them at the top.
    fn shares(self, counts: [u64; DEPTHS]) -> [f64; DEPTHS] {
        let carriers = f64::from(self.carriers.max(1));
        let shares_at = |scale: f64| WEIGHTS.map(|weight| (weight * scale).min(carriers));
        let rows_at = |scale: f64| -> f64 {
            shares_at(scale).iter().zip(counts).map(|(share, count)| share * count as f64).sum()
        };
        // The scale that makes the rows that are wanted, by halves.
        let (mut low, mut high) = (0.0, carriers);
        for _ in 0..64 {
            let middle = (low + high) / 2.0;
            if rows_at(middle) < self.rows as f64 { low = middle } else { high = middle }
        }
        shares_at(high)
    }

    /// The price of a destination, in ten-thousandths: often that of the prefix above it.
    fn price(self, prefix: &Prefix, above: &mut [u64]) -> u64 {
        let mut random = Random::new(self.seed, mix(prefix.digits) ^ 9);
        let depth = prefix.depth as usize;
        let price = match depth.checked_sub(1).and_then(|depth| above.get(depth)).copied() {
            Some(price) if random.percent(75) => price,
            // A mobile network, or a special number: dearer than the country.
            Some(price) => (price * random.within(60, 240) / 100).clamp(4, 60_000),
            None => 10_u64.pow(random.within(1, 3) as u32) * random.within(2, 12),
        };
        if let Some(place) = above.get_mut(depth) {
            *place = price;
        }
        price
    }

    /// The carriers that have this prefix, ascending: deep prefixes are those of carriers with deep decks.
    fn choose(self, prefix: &Prefix, count: usize, chosen: &mut Vec<(u64, u32)>) {
        chosen.clear();
        chosen.extend((0..self.carriers).map(|carrier| {
            let deep = mix(u64::from(carrier) ^ self.seed) % 100;
            let taste = mix((prefix.digits / 10) ^ (u64::from(carrier) << 48)) % 60;
            (deep + taste, carrier)
        }));
        if count < chosen.len() {
            chosen.select_nth_unstable(count);
            chosen.truncate(count);
        }
        chosen.sort_unstable_by_key(|&(_, carrier)| carrier);
    }

    /// What one carrier asks: today, and from the day of its next list when that is known.
    fn of_carrier(self, prefix: &Prefix, carrier: u32, price: u64) -> [Option<Offer>; 2] {
        let mut own = Random::new(self.seed, 1_000_000 + u64::from(carrier));
        let markup = own.within(80, 140);
        let (says_quality, quality, issue) = (own.percent(60), own.within(35, 80), own.below(28));
        // The same for a country and for what lies near below it.
        let near = prefix.digits / 10_u64.pow(prefix.len.saturating_sub(3));
        let mut random = Random::new(self.seed, mix(near) ^ u64::from(carrier));
        let cost = (price * markup * random.within(95, 105)).div_ceil(10_000);
        // Dear destinations are priced in coarser steps.
        let step = if cost >= 1_000 {
            50
        } else if cost >= 100 {
            5
        } else {
            1
        };
        let cost = cost.next_multiple_of(step);
        let quality = says_quality.then(|| quality + random.below(4) * 5);
        let from_day = issue + random.below(ISSUES) * 30;
        let offer = Offer { prefix: prefix.digits, carrier, cost, quality, from_day, until_day: None };
        let changes = mix(prefix.digits ^ u64::from(carrier) ^ self.seed).is_multiple_of(50);
        if !changes {
            return [Some(offer), None];
        }
        let next = issue + ISSUES * 30;
        let dearer = Offer { cost: cost + cost.div_ceil(20), from_day: next, ..offer };
        [Some(Offer { until_day: Some(next - 1), ..offer }), Some(dearer)]
    }
}

fn depth_of(prefix: &Prefix) -> usize {
    (prefix.depth as usize).min(DEPTHS - 1)
}
