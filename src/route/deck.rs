//! Pure. Rate decks: the carriers of a number, cheapest first.
//!
//! In:    a number, the terms of a route, the time, a draw for ties.
//! Out:   rows, one for each carrier that may have the call.
//! Never: lets a cheap row for a short prefix stand for a carrier that has a row for a longer one.

use super::{NumberTable, Row, RowTarget, numbers::Meaning};
use crate::{limits::CARRIERS_PER_TABLE_MAX, numbers::Near};

/// What a route wants of a deck.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'w> {
    /// Carriers, the cheapest of all.
    pub count_max: usize,
    /// No carrier may cost more, in millionths; `None`: any cost.
    pub cost_max_micro: Option<u64>,
    /// No carrier may have less quality, in millionths.
    pub quality_min_micro: Option<u64>,
    /// Gateways and groups that are left out.
    pub blocked: &'w [RowTarget],
    /// Whose rows count besides those of everybody.
    pub customer: &'w [u8],
    /// The time, in seconds since 1970.
    pub unix_s: i64,
    /// What was found for the number; see [`crate::numbers::Table::look_ahead`].
    pub near: Option<&'w Near>,
}

/// One carrier's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Where it stands.
    pub row: Row,
    /// Its carrier.
    pub target: RowTarget,
    /// In millionths; 0 without a column `cost`.
    pub cost_micro: u64,
    /// Orders offers of equal cost; drawn for those that may be among the cheapest.
    draw: u64,
}

/// Appends the cheapest offers for `number`, those of equal cost in the order of `tie(row)`. Each
/// carrier bids with the row of its own longest prefix that is valid now and meant for this customer; a
/// bid that is too dear, too poor, blocked or of a carrier that is down is out, and no shorter prefix takes
/// its place.
pub fn cheapest(
    deck: &NumberTable,
    number: &[u8],
    wanted: &Wanted<'_>,
    tie: &dyn Fn(u32) -> u64,
    is_down: &dyn Fn(RowTarget) -> bool,
    out: &mut Vec<Offer>,
) {
    let start = out.len();
    let Some(targets) = &deck.terms().targets else { return };
    let mut bidders = Bidders::default();
    for hit in deck.table().matches_near(number, wanted.near) {
        let first = out.len();
        for row in deck.table().rows_of(hit.entry) {
            let carrier = deck.table().value_id(row, targets.column);
            if bidders.has(carrier) || !is_meant(deck, row, wanted) {
                continue;
            }
            let Some(&target) = targets.by_id.get(carrier as usize) else { continue };
            let offer = Offer {
                row: Row { entry: hit.entry, row },
                target,
                cost_micro: meaning(deck, deck.terms().costs_micro.as_ref(), row).unwrap_or(0),
                draw: 0,
            };
            // Two rows of one carrier for one prefix: the customer's own before everybody's, then
            // the one that came into force last.
            match out.iter_mut().skip(first).find(|other| other.target == target) {
                Some(other) if rank(deck, row) > rank(deck, other.row.row) => *other = offer,
                Some(_) => {}
                None => out.push(offer),
            }
        }
        for offer in out.iter().skip(first) {
            bidders.add(deck.table().value_id(offer.row.row, targets.column));
        }
    }
    keep_cheapest(deck, wanted, start, tie, is_down, out);
}

/// Carriers that have bid with a longer prefix.
#[derive(Default)]
struct Bidders([u64; CARRIERS_PER_TABLE_MAX.div_ceil(64)]);

impl Bidders {
    fn has(&self, carrier: u32) -> bool {
        self.0.get(carrier as usize / 64).is_none_or(|word| word >> (carrier % 64) & 1 == 1)
    }

    fn add(&mut self, carrier: u32) {
        if let Some(word) = self.0.get_mut(carrier as usize / 64) {
            *word |= 1 << (carrier % 64);
        }
    }
}

fn meaning<T: Copy>(deck: &NumberTable, of: Option<&Meaning<T>>, row: u32) -> Option<T> {
    let of = of?;
    of.by_id.get(deck.table().value_id(row, of.column) as usize).copied()
}

fn is_meant(deck: &NumberTable, row: u32, wanted: &Wanted<'_>) -> bool {
    let terms = deck.terms();
    let customer = terms.customer.map_or(&b""[..], |column| deck.table().value(row, column));
    (customer.is_empty() || customer == wanted.customer)
        && meaning(deck, terms.valid_from_s.as_ref(), row).is_none_or(|from| from <= wanted.unix_s)
        && meaning(deck, terms.valid_until_s.as_ref(), row).is_none_or(|until| wanted.unix_s < until)
}

fn rank(deck: &NumberTable, row: u32) -> (bool, i64) {
    let terms = deck.terms();
    let own = terms.customer.is_some_and(|column| !deck.table().value(row, column).is_empty());
    (own, meaning(deck, terms.valid_from_s.as_ref(), row).unwrap_or(i64::MIN))
}

fn keep_cheapest(
    deck: &NumberTable,
    wanted: &Wanted<'_>,
    start: usize,
    tie: &dyn Fn(u32) -> u64,
    is_down: &dyn Fn(RowTarget) -> bool,
    out: &mut Vec<Offer>,
) {
    let mut kept = start;
    for at in start..out.len() {
        let Some(&offer) = out.get(at) else { break };
        let poor = wanted.quality_min_micro.is_some_and(|least| {
            meaning(deck, deck.terms().qualities_micro.as_ref(), offer.row.row)
                .is_some_and(|quality| quality < least)
        });
        let dear = wanted.cost_max_micro.is_some_and(|most| offer.cost_micro > most);
        if !poor && !dear && !wanted.blocked.contains(&offer.target) && !is_down(offer.target) {
            if let Some(place) = out.get_mut(kept) {
                *place = offer;
            }
            kept += 1;
        }
    }
    out.truncate(kept);
    let count = wanted.count_max;
    let Some(offers) = out.get_mut(start..).filter(|offers| !offers.is_empty()) else { return };
    // Only those that may be among the cheapest are drawn for.
    let mut within = offers.len();
    if let Some(last) = count.checked_sub(1).filter(|&last| last < offers.len()) {
        let (_, dearest, _) = offers.select_nth_unstable_by_key(last, |offer| offer.cost_micro);
        let dearest = dearest.cost_micro;
        offers.sort_unstable_by_key(|offer| offer.cost_micro > dearest);
        within = offers.partition_point(|offer| offer.cost_micro <= dearest);
    }
    if let Some(offers) = offers.get_mut(..within) {
        offers.iter_mut().for_each(|offer| offer.draw = tie(offer.row.row));
        offers.sort_unstable_by_key(|offer| (offer.cost_micro, offer.draw, offer.row.row));
    }
    out.truncate(start + count.min(within));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        numbers::{Builder, KeyColumns, Kind, Shape},
        route::Terms,
    };

    /// Prefix, carrier, cost in millionths.
    type Bid = (String, usize, u64);

    fn deck(bids: &[Bid]) -> NumberTable {
        let columns = ["prefix", "to", "cost"].map(Into::into).to_vec();
        let mut builder = Builder::new(Shape { kind: Kind::Deck, columns, key: KeyColumns::One(0) });
        for (line, (prefix, carrier, cost_micro)) in (1..).zip(bids) {
            let (carrier, cost) = (carrier.to_string(), cost_micro.to_string());
            builder.push(&[prefix.as_bytes(), carrier.as_bytes(), cost.as_bytes()], line).expect("a row");
        }
        let table = builder.finish().table;
        let number = |cell: &[u8]| std::str::from_utf8(cell).unwrap().parse().unwrap();
        let terms = Terms {
            targets: Some(Meaning {
                column: 1,
                by_id: table.values(1).map(|cell| RowTarget::Gateway(number(cell) as usize)).collect(),
            }),
            costs_micro: Some(Meaning { column: 2, by_id: table.values(2).map(number).collect() }),
            ..Terms::default()
        };
        NumberTable::new("deck", Arc::new(table), terms)
    }

    fn bids(rows: &[(&str, usize, u64)]) -> Vec<Bid> {
        rows.iter().map(|&(prefix, carrier, cost_micro)| (prefix.to_owned(), carrier, cost_micro)).collect()
    }

    fn carriers(deck: &NumberTable, number: &str, wanted: &Wanted<'_>) -> Vec<usize> {
        let mut out = Vec::new();
        cheapest(deck, number.as_bytes(), wanted, &|row| u64::from(row), &|_| false, &mut out);
        out.iter()
            .map(|offer| match offer.target {
                RowTarget::Gateway(gateway) => gateway,
                RowTarget::Group(_) => unreachable!(),
            })
            .collect()
    }

    const ALL: Wanted<'_> = Wanted {
        count_max: 12,
        cost_max_micro: None,
        quality_min_micro: None,
        blocked: &[],
        customer: b"",
        unix_s: 0,
        near: None,
    };

    #[test]
    fn each_carrier_bids_with_its_own_longest_prefix() {
        let deck = deck(&bids(&[
            ("+44", 0, 100),
            ("+44", 1, 200),
            ("+4416", 0, 300),
            ("+44", 2, 250),
            ("+1", 3, 1),
        ]));
        // Carrier 0 has a dear row for +4416, so its cheap one for +44 does not count.
        assert_eq!(carriers(&deck, "+441632960000", &ALL), [1, 2, 0]);
        assert_eq!(carriers(&deck, "+4420", &ALL), [0, 1, 2]);
        assert_eq!(carriers(&deck, "+1", &ALL), [3]);
        assert_eq!(carriers(&deck, "+33", &ALL), [0; 0]);
    }

    #[test]
    fn a_bid_that_is_out_is_not_replaced_by_a_shorter_one() {
        let deck = deck(&bids(&[("+44", 0, 100), ("+44", 1, 200), ("+4416", 0, 300)]));
        let limit = Wanted { cost_max_micro: Some(250), ..ALL };
        assert_eq!(carriers(&deck, "+441632960000", &limit), [1]);
        let blocked = Wanted { blocked: &[RowTarget::Gateway(1)], ..ALL };
        assert_eq!(carriers(&deck, "+441632960000", &blocked), [0]);
    }

    #[test]
    fn every_carrier_of_the_largest_deck_bids() {
        let rows: Vec<Bid> =
            (0..CARRIERS_PER_TABLE_MAX).map(|carrier| ("+44".to_owned(), carrier, carrier as u64)).collect();
        let wanted = Wanted { count_max: CARRIERS_PER_TABLE_MAX, ..ALL };
        let expected: Vec<usize> = (0..CARRIERS_PER_TABLE_MAX).collect();
        assert_eq!(carriers(&deck(&rows), "+44", &wanted), expected);
    }

    proptest! {
        #[test]
        fn the_cheapest_are_those_of_a_plain_search(
            rows in proptest::collection::btree_map(("[0-3]{1,4}", 0_usize..6), 0_u64..9, 0..60),
            number in "[0-3]{0,6}",
            count_max in 0_usize..7,
            cost_max_micro in proptest::option::of(0_u64..9),
        ) {
            let rows: Vec<Bid> =
                rows.into_iter().map(|((prefix, carrier), cost)| (prefix, carrier, cost)).collect();
            let mut expected: Vec<u64> = (0..6)
                .filter_map(|carrier| {
                    let own = rows.iter().filter(|row| row.1 == carrier && number.starts_with(&row.0));
                    own.max_by_key(|row| row.0.len()).map(|row| row.2)
                })
                .filter(|cost| cost_max_micro.is_none_or(|most| *cost <= most))
                .collect();
            expected.sort_unstable();
            expected.truncate(count_max);
            let mut out = Vec::new();
            let wanted = Wanted { count_max, cost_max_micro, ..ALL };
            cheapest(&deck(&rows), number.as_bytes(), &wanted, &|row| u64::from(row % 3), &|_| false, &mut out);
            let costs: Vec<u64> = out.iter().map(|offer| offer.cost_micro).collect();
            prop_assert_eq!(costs, expected);
        }
    }
}
