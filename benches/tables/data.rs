//! Data of carrier size, the same at every run: ported numbers in blocks, prefixes of rate decks.

/// Routing numbers of a country with portability.
pub(crate) const ROUTING_NUMBERS: u64 = 20_000;
/// Numbers that are given out together; a block is mostly with one operator.
const BLOCK: u64 = 1_000;
/// One number in twenty is ported.
const SPACE_PER_NUMBER: u64 = 20;
const COUNTRY: u64 = 49;
/// The first national number of ten digits.
const FIRST: u64 = 1_500_000_000;

/// SplitMix64: every bit of the result depends on every bit of `value`.
pub(crate) fn mixed(value: u64) -> u64 {
    let mut it = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    it = (it ^ (it >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    it ^ (it >> 31)
}

/// Whether the national number `FIRST + offset` is ported: in two blocks of five, of which one in four
/// came over as a whole (two numbers of five, say), and the others number by number.
fn is_ported(offset: u64) -> bool {
    let block = mixed(offset / BLOCK);
    let share = match block % 20 {
        0 | 1 => 400,
        2..8 => 30,
        _ => return false,
    };
    mixed(offset ^ (1 << 40)) % 1_000 < share
}

/// The routing number of a ported one: mostly that of its block.
fn routing_number(offset: u64) -> u64 {
    let own = mixed(offset ^ (1 << 41));
    let source = if own % 10 < 6 { mixed((offset / BLOCK) ^ (1 << 42)) } else { own >> 8 };
    source % ROUTING_NUMBERS
}

/// Ported numbers with their routing numbers, in order: about `count`.
pub(crate) fn ported(count: u64) -> impl Iterator<Item = (u64, u64)> {
    let offsets = (0..count * SPACE_PER_NUMBER).filter(|&offset| is_ported(offset));
    offsets.map(|offset| (number(offset), routing_number(offset)))
}

fn number(offset: u64) -> u64 {
    COUNTRY * 10_000_000_000 + FIRST + offset
}

/// Numbers to look up: one in five is not ported.
pub(crate) fn calls_ported(count: u64, calls: usize) -> Vec<u64> {
    let mut state = 0;
    (0..calls)
        .map(|call| {
            let wanted = call % 5 != 0;
            loop {
                state += 1;
                let offset = mixed(state ^ (1 << 43)) % (count * SPACE_PER_NUMBER);
                if is_ported(offset) == wanted {
                    break number(offset);
                }
            }
        })
        .collect()
}

/// A prefix: its digits and how many.
pub(crate) type Prefix = (u64, u32);

/// Prefixes of a world-wide deck, in order of their text: two digits of country, then three to seven more,
/// in clusters as numbering plans have them; some lie in others.
pub(crate) fn prefixes(count: usize) -> Vec<Prefix> {
    // Left-aligned to ten digits, and the length: sorts as text does.
    let mut all: Vec<(u64, u32)> = Vec::with_capacity(count + count / 4);
    let mut at = 0_u64;
    while all.len() < count {
        let missing = (count - all.len()) as u64;
        for _ in 0..missing + missing / 50 + 16 {
            at += 1;
            let draw = mixed(at);
            let country = 20 + (draw % 1000).pow(2) / 13_000;
            let area = mixed(country ^ ((draw >> 10) % 90) << 8) % 10_000;
            let length = [5, 6, 6, 7, 7, 7, 8, 8, 8, 9, 9, 10][(draw >> 32) as usize % 12];
            let rest = (draw >> 40) % 10_000;
            let digits = country * 100_000_000 + area * 10_000 + rest;
            let unit = 10_u64.pow(10 - length);
            all.push((digits / unit * unit, length));
        }
        all.sort_unstable();
        all.dedup();
        if at > 40 * count as u64 + 1_000_000 {
            break;
        }
    }
    // Too many are thinned out evenly, not cut off at the end.
    let surplus = all.len().saturating_sub(count);
    if let Some(step) = all.len().checked_div(surplus) {
        let (mut index, mut left) = (0, surplus);
        all.retain(|_| {
            index += 1;
            let goes = left > 0 && index % step.max(1) == 0;
            left -= usize::from(goes);
            !goes
        });
    }
    all.into_iter().map(|(digits, length)| (digits / 10_u64.pow(10 - length), length)).collect()
}

/// Numbers to look up among prefixes: four of five begin with one.
pub(crate) fn calls_prefixed(prefixes: &[Prefix], calls: usize) -> Vec<u64> {
    (0..calls as u64)
        .map(|call| {
            let draw = mixed(call ^ (1 << 44));
            if call % 5 == 0 {
                return 100_000_000_000 + draw % 100_000_000_000;
            }
            let (digits, length) = prefixes[draw as usize % prefixes.len()];
            let unit = 10_u64.pow(12 - length);
            digits * unit + mixed(draw) % unit
        })
        .collect()
}

/// The carriers of a prefix with their costs in hundred-thousandths: 50 to 150 of 200.
pub(crate) fn offers(prefix: Prefix) -> impl Iterator<Item = (u64, u64)> {
    let draw = mixed(prefix.0 ^ (u64::from(prefix.1) << 50));
    let carriers = 50 + draw % 101;
    let country = prefix.0 / 10_u64.pow(prefix.1 - 2);
    (0..carriers).map(move |index| {
        let carrier = (index + draw % 200) % 200;
        // A carrier has some forty prices for a country.
        let price = mixed((carrier << 32) ^ (country << 8) ^ (mixed(draw ^ carrier) % 40));
        (carrier, 100 + price % 2_000)
    })
}
