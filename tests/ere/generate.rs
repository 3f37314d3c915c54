//! Made-up EREs over few characters, so that they often match, and subjects for them.

use super::Case;

/// Groups in groups. With three, or with bounds on both, the C library has spent minutes on one expression.
const DEPTH: usize = 2;

/// SplitMix64: the same cases on every machine.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) % end as u64) as usize
    }

    fn pick<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.below(of.len())]
    }
}

pub(super) fn case(dice: &mut Dice) -> Case {
    loop {
        let case = of_any_length(dice);
        // With delimiters and replacement, it is to be no longer than a string of DNS.
        if case.ere.len() < 200 {
            return case;
        }
    }
}

fn of_any_length(dice: &mut Dice) -> Case {
    let start = dice.pick(&["", "", "^", r"^\+"]);
    let ere = format!("{start}{}{}", choice(dice, 0), dice.pick(&["", "", "", "$"]));
    let len = dice.below(9);
    let digits: String = (0..len).map(|_| dice.pick(&["1", "1", "2", "2", "3", "a", "B"])).collect();
    let plus = if ere.contains('+') { "+" } else { "" };
    let flags = dice.pick(&["-", "-", "-", "i"]).to_owned();
    Case { ere, flags, subject: format!("{plus}{digits}") }
}

fn choice(dice: &mut Dice, depth: usize) -> String {
    let branches = [1, 1, 1, 2, 2, 3][dice.below(6)];
    (0..branches).map(|_| sequence(dice, depth)).collect::<Vec<_>>().join("|")
}

fn sequence(dice: &mut Dice, depth: usize) -> String {
    (0..=dice.below(3)).map(|_| item(dice, depth)).collect()
}

fn item(dice: &mut Dice, depth: usize) -> String {
    let atom = match dice.below(10) {
        0..=2 if depth < DEPTH => format!("({})", choice(dice, depth + 1)),
        3 => ".".to_owned(),
        4 => bracket(dice),
        5 if dice.below(4) == 0 => return dice.pick(&["^", "$"]).to_owned(),
        _ => dice.pick(&["1", "2", "12", "21", "A", "b", r"\+"]).to_owned(),
    };
    let kinds = if atom.matches('(').count() > 1 { 6 } else { 11 };
    let repeat = ["", "", "", "*", "+", "?", "{2}", "{1,}", "{0,2}", "{2,3}", "{,2}"][dice.below(kinds)];
    format!("{atom}{repeat}")
}

fn bracket(dice: &mut Dice) -> String {
    let negated = dice.pick(&["", "", "^"]);
    let first = dice.pick(&["", "]", "-"]);
    let members = dice.pick(&["1", "12", "1-3", "2-9", "[:digit:]", "[:alpha:]", "[:upper:]1", "a-c", "B"]);
    format!("[{negated}{first}{members}{}]", dice.pick(&["", "", "-"]))
}
