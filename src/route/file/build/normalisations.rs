//! Pure. `numbers:` of all files.

use super::{Builder, DraftFile, with_roots};
use crate::{
    limits::NUMBER_BYTES_MAX,
    route::{
        Normalisation,
        file::{marks::At, scalar::Text, written::NumberRuleWritten},
        number::NumberRule,
    },
};

impl Builder<'_> {
    pub(super) fn normalisations(&mut self, files: &[DraftFile]) {
        for (file, root) in with_roots(files) {
            let section = root.key("numbers");
            for (index, (name, rules)) in file.written.numbers.iter().flat_map(|it| &it.0).enumerate() {
                let at = section.entry(index).1;
                let normalisation = Normalisation::new(name, self.number_rules(at, rules));
                self.table.normalisations.push(normalisation);
            }
        }
    }

    fn number_rules(&mut self, at: At<'_>, written: &[NumberRuleWritten]) -> Vec<NumberRule> {
        let mut rules: Vec<NumberRule> = Vec::new();
        for (index, rule) in written.iter().enumerate() {
            let at = at.item(index);
            if rules.last().is_some_and(NumberRule::matches_all) {
                self.findings
                    .warning(&at.place(), "never tried: the rule before this one matches every number");
            }
            rules.extend(self.number_rule(at, rule));
        }
        rules
    }

    fn number_rule(&mut self, at: At<'_>, written: &NumberRuleWritten) -> Option<NumberRule> {
        let NumberRuleWritten { starts, length, strip, prefix, regex, to } = written;
        let affix = starts.is_some() || length.is_some() || strip.is_some() || prefix.is_some();
        match (regex, to) {
            (Some(_) | None, Some(_)) | (Some(_), None) if affix => {
                self.error(
                    at,
                    "a rule has either `regex` and `to`, or `starts`, `length`, `strip` and `prefix`",
                );
                None
            }
            (Some(regex), Some(to)) => self.findings.ok(&at.place(), NumberRule::regex(&regex.0, &to.0)),
            (Some(_), None) => {
                self.error(at, "`regex` needs `to`: what to put in place of what it found");
                None
            }
            (None, Some(_)) => {
                self.error(at, "`to` needs `regex`: what it replaces");
                None
            }
            (None, None) if !affix => {
                self.error(
                    at,
                    "an empty rule; expected `starts`, `length`, `strip`, `prefix`, or `regex` and `to`",
                );
                None
            }
            (None, None) => {
                let lengths = length.as_ref().map(|length| self.lengths(at.key("length"), length));
                let text = |text: &Option<Text>| text.as_ref().map(|text| text.0.clone()).unwrap_or_default();
                let rule = NumberRule::affix(
                    &text(starts),
                    lengths.flatten(),
                    strip.unwrap_or(0).into(),
                    &text(prefix),
                );
                self.findings.ok(&at.place(), rule)
            }
        }
    }

    /// `10` or `6-8`.
    fn lengths(&mut self, at: At<'_>, text: &Text) -> Option<(usize, usize)> {
        let (least, most) = text.0.split_once('-').unwrap_or((&text.0, &text.0));
        let number =
            |text: &str| text.trim().parse().ok().filter(|length| (1..=NUMBER_BYTES_MAX).contains(length));
        let lengths = number(least).zip(number(most)).filter(|(least, most)| least <= most);
        if lengths.is_none() {
            let message = format!(
                "`{}` is not a length; expected a number of characters such as 10, or a span such as 6-8 \
                 (1 to {NUMBER_BYTES_MAX})",
                text.0
            );
            self.error(at, message);
        }
        lengths
    }
}
