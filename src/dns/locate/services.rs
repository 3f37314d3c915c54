//! Pure. The services of a domain (RFC 3263 §4.1): under which names it keeps SRV records, for which
//! transport.

use smallvec::SmallVec;

use super::TargetTransport;
use crate::{
    dns::{Naptr, Record},
    limits::NAPTR_SERVICES_MAX,
};

/// Where the SRV records of one transport are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Service<'s> {
    /// What stands before the domain; nothing where a NAPTR record has the whole name.
    prefix: &'static str,
    domain: &'s str,
    pub(super) transport: TargetTransport,
}

/// Services of one domain, on the stack.
pub(super) type Services<'s> = SmallVec<[Service<'s>; NAPTR_SERVICES_MAX]>;
/// Room for a name; a longer one than is usual takes memory.
pub(super) type NameRoom = SmallVec<[u8; 128]>;

impl<'s> Service<'s> {
    /// The name of the SRV records, put together in `room` if need be.
    pub(super) fn name<'r>(&self, room: &'r mut NameRoom) -> &'r str
    where
        's: 'r,
    {
        if self.prefix.is_empty() {
            return self.domain;
        }
        room.clear();
        room.extend_from_slice(self.prefix.as_bytes());
        room.extend_from_slice(self.domain.as_bytes());
        std::str::from_utf8(room).unwrap_or_default()
    }
}

/// Those that NAPTR records name, in their order: as many as may be.
pub(super) fn of_naptr(records: &[Record], is_secure: bool) -> Services<'_> {
    let mut services = Services::new();
    for record in records {
        let Some(service) = service(record, is_secure).filter(|service| !services.contains(service)) else {
            continue;
        };
        if services.len() >= NAPTR_SERVICES_MAX {
            break;
        }
        services.push(service);
    }
    services
}

/// Those that a domain has without NAPTR records, in our order of preference.
pub(super) fn of_domain(host: &str, wanted: Option<TargetTransport>, is_secure: bool) -> Services<'_> {
    let transports: &[TargetTransport] = match (wanted, is_secure) {
        (Some(TargetTransport::Udp), _) => &[TargetTransport::Udp],
        (Some(TargetTransport::Tcp), _) => &[TargetTransport::Tcp],
        (Some(TargetTransport::Tls), _) | (None, true) => &[TargetTransport::Tls],
        (None, false) => &[TargetTransport::Udp, TargetTransport::Tcp],
    };
    let service = |transport: &TargetTransport| Service {
        prefix: srv_prefix(*transport),
        domain: host,
        transport: *transport,
    };
    transports.iter().map(service).collect()
}

/// What a NAPTR record names, when it is for us.
fn service(record: &Record, is_secure: bool) -> Option<Service<'_>> {
    let Record::Naptr(Naptr { flags, services, regexp, replacement, .. }) = record else { return None };
    // RFC 3263 §4.1: "an empty regular expression and a replacement value, which is the SRV record".
    if !flags.eq_ignore_ascii_case(b"s") || !regexp.is_empty() || &**replacement == "." {
        return None;
    }
    let known: [(&[u8], TargetTransport, bool); 3] = [
        (b"SIP+D2U", TargetTransport::Udp, false),
        (b"SIP+D2T", TargetTransport::Tcp, false),
        (b"SIPS+D2T", TargetTransport::Tls, true),
    ];
    // §4.1: a sips: URI MUST discard what is not SIPS. For a sip: URI, SIPS+D2T is passed over too: its
    // Contact would have to say transport=tls, which RFC 5630 §5.4 forbids us, or sips:, which asks for TLS on
    // every hop when the call did not.
    let (_, transport, _) = known
        .into_iter()
        .find(|(name, _, of_sips)| *of_sips == is_secure && services.eq_ignore_ascii_case(name))?;
    Some(Service { prefix: "", domain: replacement, transport })
}

/// RFC 3263 §4.2: what stands before the domain in an SRV question.
fn srv_prefix(transport: TargetTransport) -> &'static str {
    match transport {
        TargetTransport::Udp => "_sip._udp.",
        TargetTransport::Tcp => "_sip._tcp.",
        TargetTransport::Tls => "_sips._tcp.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naptr(flags: &str, services: &str, regexp: &str, replacement: &str) -> Record {
        Record::Naptr(Naptr {
            order: 1,
            preference: 1,
            flags: flags.as_bytes().into(),
            services: services.as_bytes().into(),
            regexp: regexp.as_bytes().into(),
            replacement: replacement.into(),
        })
    }

    #[test]
    fn records_of_no_use_are_discarded() {
        for (flags, services, regexp, replacement, for_sip, for_sips) in [
            ("s", "SIP+D2U", "", "_sip._udp.a.", Some(TargetTransport::Udp), None),
            ("S", "sip+d2t", "", "_sip._tcp.a.", Some(TargetTransport::Tcp), None),
            ("s", "SIPS+D2T", "", "_sips._tcp.a.", None, Some(TargetTransport::Tls)),
            ("s", "SIP+D2S", "", "_sip._sctp.a.", None, None),
            ("s", "SIPS+D2S", "", "_sips._sctp.a.", None, None),
            ("s", "SIP+D2W", "", "_sip._ws.a.", None, None),
            ("s", "SIPS+D2U", "", "_sips._udp.a.", None, None),
            ("s", "E2U+sip", "", "_sip._udp.a.", None, None),
            ("s", "SIP+D2U+D2T", "", "_sip._udp.a.", None, None),
            ("a", "SIP+D2U", "", "a.", None, None),
            ("u", "SIP+D2U", "!.*!sip:a@b!", ".", None, None),
            ("", "SIP+D2U", "", "b.", None, None),
            ("s", "SIP+D2U", "!.*!b!", "_sip._udp.a.", None, None),
            ("s", "SIP+D2U", "", ".", None, None),
            ("s", "", "", "_sip._udp.a.", None, None),
        ] {
            let record = [naptr(flags, services, regexp, replacement)];
            let transport = |is_secure| of_naptr(&record, is_secure).first().map(|service| service.transport);
            assert_eq!(
                (transport(false), transport(true)),
                (for_sip, for_sips),
                "{flags} {services} {regexp}"
            );
        }
    }

    #[test]
    fn services_are_taken_to_the_limit_each_once() {
        let names: Vec<_> = (0..NAPTR_SERVICES_MAX + 1).map(|index| format!("_sip._udp.n{index}.")).collect();
        let records: Vec<_> = names
            .iter()
            .flat_map(|name| [naptr("s", "SIP+D2U", "", name), naptr("s", "sip+D2U", "", name)])
            .collect();
        let found: Vec<_> =
            of_naptr(&records, false).into_iter().map(|service| service.domain.to_owned()).collect();
        assert_eq!(found, names[..NAPTR_SERVICES_MAX]);
    }
}
