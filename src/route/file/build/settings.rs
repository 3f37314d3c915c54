//! Pure. `set:` and parameters.

use super::{Builder, names::shown};
use crate::{
    limits::USER_PARAMS_MAX,
    route::{
        ParamValue, Setting,
        file::{
            marks::At,
            written::{ParamWritten, SetWritten},
        },
    },
};

impl Builder<'_> {
    /// In the order that the language promises: variables, number, normalisation, parameters.
    pub(super) fn settings(&mut self, at: At<'_>, written: &SetWritten) -> Vec<Setting> {
        let mut settings = Vec::new();
        let vars = at.key("var");
        for (index, (name, value)) in written.var.0.iter().enumerate() {
            let (key, value_at) = vars.entry(index);
            self.set_var(key, name);
            let template = self.template(value_at, &value.0);
            settings.extend(template.map(|template| Setting::Var(name.as_str().into(), template)));
        }
        if let Some(number) = &written.number {
            settings.extend(self.template(at.key("number"), &number.0).map(Setting::Number));
        }
        if let Some(normalise) = &written.normalise {
            let id = self.names.numbers.find_or_say("normalisation", "numbers", &normalise.0);
            settings.extend(self.findings.ok(&at.key("normalise").place(), id).map(Setting::Normalise));
        }
        let params = self.set_params(at, written);
        settings.extend(params.into_iter().map(|(name, value)| Setting::Param(name, value)));
        settings
    }

    /// Notes that routes set a variable; whether its name is one.
    pub(super) fn set_var(&mut self, at: At<'_>, name: &str) -> bool {
        let is_name = is_token(name) && !name.contains('.');
        if !is_name {
            self.error(at, format!("`{name}` cannot name a variable; expected letters, digits, `-` and `_`"));
        }
        if self.vars_set.insert(name.to_owned()) && self.vars_set.len() > USER_PARAMS_MAX {
            self.error(at, format!("more than {USER_PARAMS_MAX} variables in all; a decision keeps no more"));
        }
        is_name
    }

    fn set_params(&mut self, at: At<'_>, written: &SetWritten) -> Vec<(Box<str>, ParamValue)> {
        let named = [
            ("rn", &written.rn),
            ("npdi", &written.npdi),
            ("cic", &written.cic),
            ("tgrp", &written.tgrp),
            ("trunk-context", &written.trunk_context),
        ];
        let mut params = Vec::new();
        for (name, value) in named {
            if let Some(value) = value {
                params.extend(self.param(at.key(name), name, value));
            }
        }
        for (name, value) in self.params(at.key("params"), &written.params.0) {
            if params.iter().any(|(known, _)| *known == name) {
                let place = shown(&at.key(&name).place());
                self.error(at.key("params"), format!("`{name}` is set twice; the first is at {place}"));
            }
            params.push((name, value));
        }
        for (name, _) in &params {
            if self.params_set.insert(name.clone()) && self.params_set.len() > USER_PARAMS_MAX {
                self.error(
                    at,
                    format!("more than {USER_PARAMS_MAX} parameters in all; a decision keeps no more"),
                );
            }
        }
        self.check_trunk_group(at, &params);
        self.check_dip(at, &params);
        params
    }

    /// RFC 4694 §5.2.1: who adds rn MUST add npdi, or the next hop looks the number up again.
    fn check_dip(&mut self, at: At<'_>, params: &[(Box<str>, ParamValue)]) {
        let has_rn =
            params.iter().any(|(name, value)| **name == *"rn" && !matches!(value, ParamValue::Remove));
        if has_rn && !params.iter().any(|(name, _)| **name == *"npdi") {
            self.findings.warning(
                &at.key("rn").place(),
                "`rn` without `npdi`: the next hop will look the number up again (RFC 4694 §5.2.1); \
                 add `npdi: true`, or `npdi: false` if it must not be there",
            );
        }
    }

    pub(super) fn params(
        &mut self,
        at: At<'_>,
        written: &[(String, ParamWritten)],
    ) -> Vec<(Box<str>, ParamValue)> {
        let mut params = Vec::new();
        for (index, (name, value)) in written.iter().enumerate() {
            let (key, value_at) = at.entry(index);
            if !is_token(name) {
                self.error(
                    key,
                    format!("`{name}` cannot name a parameter; expected letters, digits and `-`"),
                );
                continue;
            }
            params.extend(self.param(value_at, &name.to_ascii_lowercase(), value));
        }
        params
    }

    fn param(&mut self, at: At<'_>, name: &str, written: &ParamWritten) -> Option<(Box<str>, ParamValue)> {
        let value = match (name, written) {
            (_, ParamWritten::Switch(false)) => ParamValue::Remove,
            // RFC 4694 §5, RFC 4904 §4: these have a value, npdi has none.
            ("rn" | "cic" | "tgrp" | "trunk-context", ParamWritten::Switch(true)) => {
                self.error(
                    at,
                    format!("`{name}` needs a value; `true` is for parameters without one, such as npdi"),
                );
                return None;
            }
            ("npdi", ParamWritten::Value(text)) => {
                let message = format!("`npdi` has no value, but is `{}`; expected true or false", text.0);
                self.error(at, message);
                return None;
            }
            (_, ParamWritten::Switch(true)) => ParamValue::Flag,
            (_, ParamWritten::Value(text)) if text.0.is_empty() => {
                self.error(at, format!("`{name}` has an empty value; write false to take it off"));
                return None;
            }
            (_, ParamWritten::Value(text)) => ParamValue::Value(self.template(at, &text.0)?),
        };
        Some((name.into(), value))
    }

    /// RFC 4904 §5: a trunk group is named by both or not at all.
    pub(super) fn check_trunk_group(&mut self, at: At<'_>, params: &[(Box<str>, ParamValue)]) {
        let given = |name: &str| {
            params.iter().any(|(known, value)| **known == *name && !matches!(value, ParamValue::Remove))
        };
        let (has, lacks) = match (given("tgrp"), given("trunk-context")) {
            (true, false) => ("tgrp", "trunk-context"),
            (false, true) => ("trunk-context", "tgrp"),
            _ => return,
        };
        self.error(
            at,
            format!("`{has}` without `{lacks}`: a trunk group is named by both (RFC 4904 §5); add `{lacks}`"),
        );
    }
}

/// RFC 3261 §25.1: token, as far as parameter and header names use it.
pub(super) fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte))
}
