//! Pure. The order among SRV records of equal priority (RFC 2782), drawn by the call's stable hash.

use smallvec::SmallVec;

use crate::dns::Srv;

/// The servers of one service, on the stack unless they are many.
pub(super) type Servers<'s> = SmallVec<[&'s Srv; 16]>;

/// RFC 2782: the records of each priority in an order drawn by weight. `records` come by priority,
/// then weight, as the cache has them, so that those of weight 0 stand first among equals.
pub(super) fn weighted_order(mut records: Servers<'_>, draw: u64) -> Servers<'_> {
    let mut ordered = Servers::with_capacity(records.len());
    let mut state = draw;
    while let Some(priority) = records.first().map(|srv| srv.priority) {
        let same = records.iter().take_while(|srv| srv.priority == priority);
        let sum: u64 = same.clone().map(|srv| u64::from(srv.weight)).sum();
        // "A uniform random number between 0 and the sum (inclusive)", of which the first record
        // whose running sum reaches it is chosen.
        state = mix(state);
        let chosen = state % (sum + 1);
        let mut running = 0;
        let index = same.map(|srv| u64::from(srv.weight)).position(|weight| {
            running += weight;
            running >= chosen
        });
        ordered.push(records.remove(index.unwrap_or(0)));
    }
    ordered
}

/// SplitMix64: a published sequence, so that every node draws alike.
pub(super) fn mix(state: u64) -> u64 {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn srv(priority: u16, weight: u16, port: u16) -> Srv {
        Srv { priority, weight, port, target: "a.".into() }
    }

    #[test]
    fn weights_split_the_calls() {
        let records = [srv(1, 0, 0), srv(1, 10, 1), srv(1, 30, 3), srv(1, 60, 6), srv(2, 0, 9)];
        let mut first = [0_u32; 10];
        for draw in 0..100_000_u64 {
            // Hashes, as calls have them.
            let order = weighted_order(records.iter().collect(), mix(draw));
            first[usize::from(order[0].port)] += 1;
            assert_eq!(order.len(), 5);
            assert_eq!(order[4].priority, 2);
        }
        // Of 101 draws one is 0, which is the record of weight 0.
        for (port, share) in [(0, 1.0 / 101.0), (1, 10.0 / 101.0), (3, 30.0 / 101.0), (6, 60.0 / 101.0)] {
            let got = f64::from(first[port]) / 100_000.0;
            assert!((got - share).abs() < 0.01, "port {port}: {got} for {share}");
        }
    }
}
