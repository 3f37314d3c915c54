//! Pure. The order of a group's members for one call: tiers lowest first, by weight inside a tier.
//!
//! The order is a function of the call, so that a retransmission gets it again from any node. It is
//! drawn over all members whether they are alive or not: taking a dead one out moves no other call.

use super::{scratch::Work, stable::choice_draw};
use crate::route::Group;

/// Puts the members of `group` into `work.order`, first choice first.
pub(super) fn order_members(group: &Group, call_draw: u64, work: &mut Work) {
    work.order.clear();
    let mut from = 0;
    // The loader sorts members by tier.
    while let Some(first) = group.members.get(from) {
        let tier_len = group.members[from..].iter().take_while(|member| member.tier == first.tier).count();
        work.tier.clear();
        work.tier.extend(group.members[from..from + tier_len].iter().map(|m| (m.gateway, m.weight)));
        draw_tier(group.name.as_bytes(), call_draw, work);
        from += tier_len;
    }
}

/// Draws without replacement: each member's share of the first places is its share of the weight.
fn draw_tier(name: &[u8], call_draw: u64, work: &mut Work) {
    let mut total: u64 = work.tier.iter().map(|&(_, weight)| u64::from(weight)).sum();
    while !work.tier.is_empty() {
        let step = work.order.len() as u64;
        let chosen = if total == 0 || work.tier.len() == 1 {
            0
        } else {
            choose(&work.tier, below(choice_draw(call_draw, name, step), total))
        };
        let (gateway, weight) = work.tier.remove(chosen);
        total -= u64::from(weight);
        work.order.push(gateway);
    }
}

/// The member into whose share of the weight `point` falls.
fn choose<T>(members: &[(T, u32)], mut point: u64) -> usize {
    for (index, &(_, weight)) in members.iter().enumerate() {
        match point.checked_sub(u64::from(weight)) {
            Some(rest) => point = rest,
            None => return index,
        }
    }
    members.len() - 1
}

/// A draw as a number below `bound`, without the bias of a remainder worth speaking of (Lemire).
fn below(draw: u64, bound: u64) -> u64 {
    u64::try_from((u128::from(draw) * u128::from(bound)) >> 64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::{Member, Place};

    fn group(members: &[(usize, u16, u32)]) -> Group {
        let members =
            members.iter().map(|&(gateway, tier, weight)| Member { gateway, tier, weight }).collect();
        Group { name: "g".into(), place: Place::default(), members }
    }

    #[test]
    fn a_hundred_thousand_calls_split_by_weight_within_one_percent() {
        let group = group(&[(0, 1, 5), (1, 1, 3), (2, 1, 2), (3, 2, 1)]);
        let mut work = Work::default();
        let mut firsts = [0_u32; 4];
        for call in 0..100_000_u64 {
            let draw = choice_draw(7, b"call", call);
            order_members(&group, draw, &mut work);
            assert_eq!(work.order.len(), 4);
            assert_eq!(work.order[3], 3, "the second tier comes last");
            firsts[work.order[0]] += 1;
        }
        for (gateway, weight) in [(0, 50_000), (1, 30_000), (2, 20_000)] {
            let off = firsts[gateway].abs_diff(weight);
            assert!(off <= 1000, "gateway {gateway} got {} of 100000, {weight} expected", firsts[gateway]);
        }
    }

    #[test]
    fn a_member_of_weight_nought_comes_last_in_its_tier() {
        let group = group(&[(0, 1, 0), (1, 1, 1), (2, 1, 0)]);
        let mut work = Work::default();
        for draw in 0..100 {
            order_members(&group, draw, &mut work);
            assert_eq!(work.order[0], 1);
        }
    }

    #[test]
    fn the_order_is_the_same_for_the_same_call() {
        let group = group(&[(0, 1, 1), (1, 1, 1), (2, 1, 1)]);
        let (mut a, mut b) = (Work::default(), Work::default());
        for draw in 0..100 {
            order_members(&group, draw, &mut a);
            order_members(&group, draw, &mut b);
            assert_eq!(a.order, b.order);
        }
    }
}
