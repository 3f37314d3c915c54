//! Pure. NAPTR records (RFC 3403): flags and services. What the regexp field does is in
//! `substitution`.

/// NAPTR data. Flags, services and regexp are bytes until proven text. The replacement is in lower
/// case, with its final dot.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Naptr {
    pub order: u16,
    pub preference: u16,
    pub flags: Box<[u8]>,
    pub services: Box<[u8]>,
    pub regexp: Box<[u8]>,
    pub replacement: Box<str>,
}

impl Naptr {
    /// Whether the result of the regexp field is the URI (RFC 6116 §3.4.2: flag `u`).
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.flags.eq_ignore_ascii_case(b"u")
    }

    /// The enumservices, left to right, without `E2U`. A field of another application has none.
    pub fn enumservices(&self) -> impl Iterator<Item = &[u8]> {
        let field = &*self.services;
        let is_e2u = |token: Option<&[u8]>| token.is_some_and(|token| token.eq_ignore_ascii_case(b"E2U"));
        let plus = |byte: &u8| *byte == b'+';
        // RFC 6116 §3.4.3: E2U stands first. §5.2: RFC 2916 had it last (`sip+E2U`), and zones still do.
        let services = if is_e2u(field.split(plus).next()) {
            field.get(4..)
        } else if is_e2u(field.rsplit(plus).next()) {
            field.len().checked_sub(4).and_then(|end| field.get(..end))
        } else {
            None
        };
        services.into_iter().flat_map(move |services| services.split(plus)).filter(|token| !token.is_empty())
    }

    /// Whether one of the enumservices is wanted, in any case. RFC 6116 §5.2: those of a compound
    /// field that are not known are passed over.
    #[must_use]
    pub fn has_service(&self, wanted: &[Box<str>]) -> bool {
        let is_wanted = |service: &[u8]| is_one_of(service, wanted);
        // RFC 6116 §3.4.3.1: a record of a private network MUST be discarded whole, unless that network
        // is ours: who asks for the service by its name says so.
        let is_of_strangers = |service: &[u8]| is_private(service) && !is_wanted(service);
        self.enumservices().any(is_wanted) && !self.enumservices().any(is_of_strangers)
    }

    /// The same of a field with [`Self::has_one_service`].
    pub(super) fn has_the_service(&self, wanted: &[Box<str>]) -> bool {
        self.services.get(E2U.len()..).is_some_and(|service| is_one_of(service, wanted))
    }

    /// The enumservice of such a field; `None` of another.
    pub(super) fn the_service(&self) -> Option<&[u8]> {
        if self.has_one_service() { self.services.get(E2U.len()..) } else { None }
    }

    /// Whether the field is `E2U` and one enumservice, as nearly all are. That one is wanted, or the record is not,
    /// of a private network or not.
    pub(super) fn has_one_service(&self) -> bool {
        let halves = self.services.split_at_checked(E2U.len());
        halves.is_some_and(|(start, service)| {
            start.eq_ignore_ascii_case(E2U) && !service.is_empty() && !service.contains(&b'+')
        })
    }
}

/// What stands before the enumservices.
const E2U: &[u8] = b"E2U+";

/// Whether a service is wanted, in any case.
pub(super) fn is_one_of(service: &[u8], wanted: &[Box<str>]) -> bool {
    wanted.iter().any(|wanted| service.eq_ignore_ascii_case(wanted.as_bytes()))
}

/// Whether the type of an enumservice begins with `P-`.
fn is_private(service: &[u8]) -> bool {
    service.get(..2).is_some_and(|facet| facet.eq_ignore_ascii_case(b"P-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naptr(flags: &str, services: &str) -> Naptr {
        Naptr {
            order: 100,
            preference: 10,
            flags: flags.as_bytes().into(),
            services: services.as_bytes().into(),
            regexp: Box::default(),
            replacement: ".".into(),
        }
    }

    #[test]
    fn services_are_read_left_to_right() {
        let table: &[(&str, &[&str])] = &[
            ("E2U+sip", &["sip"]),
            ("e2u+SIP", &["SIP"]),
            ("E2U+pstn:sip", &["pstn:sip"]),
            ("E2U+voice:tel+sms:tel", &["voice:tel", "sms:tel"]),
            ("sip+E2U", &["sip"]),
            ("E2U+sip+E2U", &["sip", "E2U"]),
            ("E2U", &[]),
            ("E2U+", &[]),
            ("+E2U", &[]),
            ("", &[]),
            ("SIP+D2U", &[]),
            ("E2Usip", &[]),
            ("E2U+sip++tel", &["sip", "tel"]),
        ];
        for (field, services) in table {
            let naptr = naptr("u", field);
            let read: Vec<_> =
                naptr.enumservices().map(|service| std::str::from_utf8(service).unwrap()).collect();
            assert_eq!(&read, services, "{field}");
        }
    }

    #[test]
    fn a_service_matches_in_any_case_and_whole() {
        let wanted = ["sip".into(), "pstn:sip".into()];
        for (field, has) in [
            ("E2U+sip", true),
            ("e2U+SiP", true),
            ("E2U+PSTN:sip", true),
            ("E2U+email:mailto+sip", true),
            ("E2U+sips", false),
            ("E2U+pstn", false),
            ("E2U+pstn:tel", false),
            ("E2U+x-sip", false),
        ] {
            assert_eq!(naptr("u", field).has_service(&wanted), has, "{field}");
        }
    }

    #[test]
    fn a_record_of_a_private_network_is_discarded_unless_its_service_is_wanted() {
        let (sip, private) = (["sip".into()], ["sip".into(), "p-pbx:sip".into()]);
        for (field, of_strangers, of_ours) in [
            ("E2U+P-pbx:sip", false, true),
            ("E2U+sip+P-pbx:sip", false, true),
            ("E2U+p-PBX:sip+sip", false, true),
            ("P-pbx:sip+sip+E2U", false, true),
            ("E2U+sip+P-other", false, false),
            ("E2U+sip+P-", false, false),
            ("E2U+sip+X-trial", true, true),
            ("E2U+sip+P", true, true),
            ("E2U+sip+pstn:P-", true, true),
        ] {
            assert_eq!(naptr("u", field).has_service(&sip), of_strangers, "{field}");
            assert_eq!(naptr("u", field).has_service(&private), of_ours, "{field}");
        }
    }

    #[test]
    fn one_service_is_wanted_or_not() {
        let wanted = ["sip".into(), "p-pbx:sip".into()];
        for (field, is_one) in [
            ("E2U+sip", true),
            ("e2u+SIP", true),
            ("E2U+tel", true),
            ("E2U+P-pbx:sip", true),
            ("E2U+P-other", true),
            ("E2U+e2u", true),
            ("E2U+", false),
            ("E2U", false),
            ("E2U++sip", false),
            ("E2U+sip+tel", false),
            ("sip+E2U", false),
            ("SIP+D2U", false),
            ("", false),
        ] {
            let naptr = naptr("u", field);
            assert_eq!(naptr.has_one_service(), is_one, "{field}");
            assert!(!is_one || naptr.has_the_service(&wanted) == naptr.has_service(&wanted), "{field}");
        }
    }

    #[test]
    fn only_flag_u_is_terminal() {
        for (flags, terminal) in
            [("u", true), ("U", true), ("", false), ("s", false), ("uu", false), ("a", false)]
        {
            assert_eq!(naptr(flags, "").is_terminal(), terminal, "{flags:?}");
        }
    }
}
