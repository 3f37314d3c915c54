//! What a gateway that is down changes, and what it does not: for any group, any deck and any call.

#![allow(missing_docs)]

use proptest::{collection::vec, prelude::*};
use waypost::{
    decide::{Arrival, Context, NoTrace, Scratch, Settings, Verdict, decide},
    dns::{Cache, DnsView},
    limits::{ANSWER_BYTES_ROOM, CONTACTS_MAX},
    route::{Down, RouteTable, Transport, file},
};

/// Calls of the test of shares.
const CALLS: u32 = 100_000;

fn table(routes: &str, deck: &str) -> RouteTable {
    let source = file::Source { path: "routes.yaml".to_owned(), bytes: routes.as_bytes().to_vec() };
    let draft = file::parse(&[source]).unwrap_or_else(|errors| panic!("{errors:#?}"));
    draft.build_from(&|_| Ok(deck.as_bytes().to_vec())).unwrap_or_else(|errors| panic!("{errors:#?}")).0
}

/// Decides calls to one table.
struct Bench {
    table: RouteTable,
    settings: Settings,
    cache: Cache,
    scratch: Scratch,
    out: Vec<u8>,
}

impl Bench {
    fn of(table: RouteTable) -> Self {
        let settings = Settings { key: *b"a fleet's secret", ..Settings::default() };
        Self {
            table,
            settings,
            cache: Cache::new(),
            scratch: Scratch::new(),
            out: vec![0; ANSWER_BYTES_ROOM],
        }
    }

    /// The whole answer to a call.
    fn answer(&mut self, call: u32, down: &Down) -> String {
        let context = Context {
            settings: &self.settings,
            table: &self.table,
            dns: DnsView::giving_up(&self.cache, 0),
            unix_s: 0,
            draining: false,
            down,
            guess: None,
        };
        let arrival = Arrival {
            source: "198.51.100.7:5060".parse().expect("address"),
            local: "192.0.2.1:5060".parse().expect("address"),
            listener: "default",
            transport: Transport::Tcp,
            identity: None,
        };
        let request = format!(
            "INVITE sip:+1@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/TCP 198.51.100.7;branch=z9hG4bK{call}\r\n\
             From: <sip:b@h>;tag=1\r\nTo: <sip:a@h>\r\nCall-ID: {call}@198.51.100.7\r\nCSeq: 1 INVITE\r\n\
             Content-Length: 0\r\n\r\n"
        );
        let (scratch, out) = (&mut self.scratch, &mut self.out);
        let verdict = decide(request.as_bytes(), &arrival, &context, scratch, &mut NoTrace, out);
        let Verdict::Reply(reply) = verdict else { panic!("{verdict:?}") };
        String::from_utf8(out[..reply.len].to_vec()).expect("text")
    }
}

/// The gateways of an answer, by their numbers.
fn gateways(answer: &str) -> Vec<usize> {
    answer
        .split("@g")
        .skip(1)
        .map(|rest| rest.split('.').next().expect("a name").parse().expect("a number"))
        .collect()
}

fn named(count: usize) -> String {
    (0..count).map(|id| format!("  g{id}: sip:g{id}.example.net\n")).collect()
}

fn group(members: &[(u16, u32)], contacts_max: usize) -> RouteTable {
    let list: String = members
        .iter()
        .enumerate()
        .map(|(id, (tier, weight))| format!("{{ to: g{id}, tier: {tier}, weight: {weight} }}, "))
        .collect();
    let gateways = named(members.len());
    table(
        &format!(
            "gateways:\n{gateways}groups: {{ all: [ {list} ] }}\n\
             routes: [ {{ answer: {{ group: all, contacts_max: {contacts_max} }} }} ]\n"
        ),
        "",
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// The order of the others is what it was, whatever is down; a later one moves up where there is room. A call
    /// whose answer named no gateway that is down has the same bytes.
    #[test]
    fn the_others_of_a_group_keep_their_order(
        members in vec((1_u16..4, 1_u32..10), 1..20),
        contacts_max in 1..=CONTACTS_MAX,
        down_bits: u32,
        call: u32,
    ) {
        let is_down = |id: &usize| down_bits >> id & 1 == 1;
        let down = Down::of((0..members.len()).filter(is_down));
        let mut bench = Bench::of(group(&members, contacts_max));
        let before = bench.answer(call, Down::NONE);
        let after = bench.answer(call, &down);
        prop_assert_eq!(&after, &bench.answer(call, &down), "the same marks, the same bytes");
        let (before_ids, after_ids) = (gateways(&before), gateways(&after));
        if (0..members.len()).all(|id| is_down(&id)) {
            prop_assert_eq!(&before, &after, "better a try than none");
            return Ok(());
        }
        let up_before: Vec<usize> = before_ids.iter().copied().filter(|id| !is_down(id)).collect();
        prop_assert!(after_ids.starts_with(&up_before), "{before_ids:?} {after_ids:?}");
        let up = (0..members.len()).filter(|id| !is_down(id)).count();
        prop_assert_eq!(after_ids.len(), up.min(contacts_max));
        prop_assert!(!after_ids.iter().any(is_down));
        if !before_ids.iter().any(is_down) {
            prop_assert_eq!(before, after);
        }
    }

    /// A deck answers as if the rows of carriers that are down were not in it.
    #[test]
    fn a_carrier_that_is_down_is_as_good_as_not_in_the_deck(
        costs in vec(1_u32..50, 2..12),
        carriers_max in 1..=CONTACTS_MAX,
        down_bits: u32,
        call: u32,
    ) {
        let is_down = |id: &usize| down_bits >> id & 1 == 1;
        prop_assume!(!(0..costs.len()).all(|id| is_down(&id)));
        let deck = |keep: &dyn Fn(&usize) -> bool| {
            let rows: String =
                costs.iter().enumerate().filter(|(id, _)| keep(id)).map(|(id, cost)| format!("+1,g{id},{cost}\n")).collect();
            table(
                &format!(
                    "gateways:\n{}tables: {{ deck: {{ file: d.csv, match: prefix, columns: [prefix, to, cost] }} }}\n\
                     routes: [ {{ answer: {{ lcr: {{ table: deck, carriers_max: {carriers_max} }} }} }} ]\n",
                    named(costs.len())
                ),
                &rows,
            )
        };
        let down = Down::of((0..costs.len()).filter(is_down));
        let marked = gateways(&Bench::of(deck(&|_| true)).answer(call, &down));
        let removed = gateways(&Bench::of(deck(&|id| !is_down(id))).answer(call, Down::NONE));
        // Carriers of one cost come in an order drawn by their row, which the removal of rows moves.
        let by_cost = |ids: &[usize]| ids.iter().map(|id| costs[*id]).collect::<Vec<_>>();
        prop_assert_eq!(by_cost(&marked), by_cost(&removed));
        prop_assert!(!marked.iter().any(is_down));
    }
}

#[test]
fn what_a_dead_gateway_had_is_shared_by_the_weights_of_the_others() {
    let mut bench = Bench::of(group(&[(1, 5), (1, 3), (1, 2), (2, 1)], 1));
    let down = Down::of([0]);
    let mut firsts = [0_u32; 4];
    for call in 0..CALLS {
        let before = gateways(&bench.answer(call, Down::NONE))[0];
        let after = gateways(&bench.answer(call, &down))[0];
        assert!(before == 0 || before == after, "call {call} moved from {before} to {after}");
        firsts[after] += 1;
    }
    for (gateway, expected) in [(0, 0), (1, 60_000), (2, 40_000), (3, 0)] {
        let off = firsts[gateway].abs_diff(expected);
        assert!(off <= CALLS / 100, "g{gateway} got {} of {CALLS}, {expected} expected", firsts[gateway]);
    }
}
