//! Pure. `defaults:` of all files.

use std::collections::HashMap;

use super::{Builder, DraftFile, codes, names::shown, with_roots};
use crate::route::{
    Place,
    file::{
        marks::At,
        written::{DefaultsWritten, LadderWritten},
    },
};

impl Builder<'_> {
    pub(super) fn defaults(&mut self, files: &[DraftFile]) {
        let mut given: HashMap<&str, Place> = HashMap::new();
        for (file, root) in with_roots(files) {
            let Some(written) = &file.written.defaults else { continue };
            let at = root.key("defaults");
            for (key, _) in at.entries() {
                let name = key.text().unwrap_or_default();
                if let Some(first) = given.insert(name, key.place()) {
                    let message =
                        format!("`{name}` of `defaults` is given twice; the first is at {}", shown(&first));
                    self.error(key, message);
                }
            }
            self.default_values(at, written);
        }
        self.check_ladder(files);
    }

    fn default_values(&mut self, at: At<'_>, written: &DefaultsWritten) {
        if let Some(code) = written.code {
            let code =
                codes::redirect(code).and_then(|code| match code {
                    380 => Err("380 cannot be the default: it says what an emergency call should do instead"
                        .to_owned()),
                    code => Ok(code),
                });
            if let Some(code) = self.findings.ok(&at.key("code").place(), code) {
                self.table.defaults.code = code;
            }
        }
        if let Some(numbers) = &written.numbers {
            let id = self.names.numbers.find_or_say("normalisation", "numbers", &numbers.0);
            self.table.defaults.normalisation = self.findings.ok(&at.key("numbers").place(), id);
        }
        if let Some(contacts_max) = written.contacts_max {
            self.table.defaults.contacts_max = contacts_max.into();
        }
        if let Some(bytes) = written.answer_bytes_max {
            self.table.defaults.answer_bytes_max = usize::try_from(bytes).unwrap_or(usize::MAX);
        }
        if let Some(code) = written.no_route
            && let Some(code) = self.findings.ok(&at.key("no_route").place(), codes::refusal(code))
        {
            self.table.defaults.no_route_code = code;
        }
        if let Some(all_down) = &written.when_all_down {
            self.table.defaults.when_all_down = self.when_all_down(at.key("when_all_down"), all_down);
        }
        self.check_health_defaults(at.key("health"), written.health.as_ref());
        if let Some(ladder) = &written.q {
            self.ladder(at.key("q"), ladder);
        }
    }

    fn ladder(&mut self, at: At<'_>, ladder: &LadderWritten) {
        if let Some(first) = ladder.first {
            self.table.defaults.q_first_milli = self.thousandths(at.key("first"), first).unwrap_or(990);
        }
        if let Some(step) = ladder.step {
            self.table.defaults.q_step_milli = self.thousandths(at.key("step"), step).unwrap_or(10);
        }
    }

    /// The ladder must not reach the ground before the last Contact: a q of 0 says "never use this".
    fn check_ladder(&mut self, files: &[DraftFile]) {
        let defaults = &self.table.defaults;
        if self.contacts_on_ladder() >= defaults.contacts_max {
            return;
        }
        let message = format!(
            "the ladder of q values ends after {} Contacts, but an answer may have {}; \
             make `step` smaller, `first` greater or `contacts_max` of `defaults` smaller",
            self.contacts_on_ladder(),
            defaults.contacts_max
        );
        if let Some((_, root)) = with_roots(files)
            .find(|(file, _)| file.written.defaults.as_ref().is_some_and(|it| it.q.is_some()))
        {
            self.error(root.key("defaults").key("q"), message);
        }
    }

    /// Contacts that get a q above 0.
    pub(super) fn contacts_on_ladder(&self) -> usize {
        let defaults = &self.table.defaults;
        let steps = (defaults.q_first_milli.saturating_sub(1)).checked_div(defaults.q_step_milli);
        usize::from(steps.unwrap_or(u16::MAX)).saturating_add(1)
    }

    /// A decimal of 0 to 1 in thousandths.
    pub(super) fn thousandths(&mut self, at: At<'_>, value: f64) -> Option<u16> {
        let milli = (0..=1000_u16).find(|&milli| (f64::from(milli) / 1000.0 - value).abs() < 1e-9);
        if milli.is_none() {
            // RFC 3261 §25.1: qvalue.
            self.error(at, format!("{value} has more than three decimals; expected one such as 0.95"));
        }
        milli
    }
}
