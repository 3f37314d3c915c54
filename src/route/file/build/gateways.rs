//! Pure. `gateways:` and `groups:` of all files.

use super::{Builder, DraftFile, with_roots};
use crate::{
    limits::GROUP_MEMBERS_MAX,
    route::{
        Gateway, Group, Member,
        file::{
            marks::At,
            scalar::Text,
            written::{GatewaySettings, GatewayWritten, MemberSettings, MemberWritten},
        },
        pattern::number_fault,
    },
    sip::Scheme,
};

impl Builder<'_> {
    pub(super) fn gateways(&mut self, files: &[DraftFile]) {
        for (file, root) in with_roots(files) {
            let section = root.key("gateways");
            for (index, (name, written)) in file.written.gateways.iter().flat_map(|it| &it.0).enumerate() {
                let (key, value) = section.entry(index);
                let gateway = match written {
                    GatewayWritten::Uri(Text(uri_text)) => {
                        self.uri_template(value, uri_text).map(|uri| Gateway {
                            name: name.as_str().into(),
                            place: key.place(),
                            written: uri_text.as_str().into(),
                            health: self.health(value, value, uri_text, &uri, None),
                            uri,
                            prefix: "".into(),
                            strip: 0,
                            params: Vec::new(),
                            expires_s: None,
                            resolve: false,
                        })
                    }
                    GatewayWritten::Settings(settings) => self.gateway(key, value, name, settings),
                };
                self.table.gateways.extend(gateway);
            }
        }
    }

    fn gateway(&mut self, key: At<'_>, at: At<'_>, name: &str, written: &GatewaySettings) -> Option<Gateway> {
        let prefix = written.prefix.as_ref().map_or("", |prefix| &prefix.0);
        if let Some(fault) = number_fault(prefix.as_bytes()).filter(|_| written.prefix.is_some()) {
            self.error(at.key("prefix"), format!("`{prefix}` {fault}"));
        }
        let params = self.params(at.key("params"), &written.params.0);
        self.check_trunk_group(at.key("params"), &params);
        let uri = self.uri_template(at.key("uri"), &written.uri.0)?;
        let of_user = written.prefix.is_some() || written.strip.is_some() || !params.is_empty();
        if uri.has_user() && of_user {
            let why = match uri.scheme() {
                Some(Scheme::Sip | Scheme::Sips) => "has one of its own",
                _ => "takes none",
            };
            let message = format!(
                "`prefix`, `strip` and `params` make the user part, but `{}` {why}; \
                 take the user part out of `uri`, or these settings",
                written.uri.0
            );
            self.error(at.key("uri"), message);
        }
        let resolve = written.resolve == Some(true);
        if resolve && matches!(uri.scheme(), Some(Scheme::Tel | Scheme::Other)) {
            let message = format!(
                "`resolve` is for sip: and sips:, and `{}` names no host; take `resolve` out",
                written.uri.0
            );
            self.error(at.key("resolve"), message);
        }
        let health =
            self.health(at.key("uri"), at.key("health"), &written.uri.0, &uri, written.health.as_ref());
        Some(Gateway {
            name: name.into(),
            place: key.place(),
            written: written.uri.0.as_str().into(),
            uri,
            prefix: prefix.into(),
            strip: written.strip.unwrap_or(0).into(),
            params,
            expires_s: written.expires,
            resolve,
            health,
        })
    }

    pub(super) fn groups(&mut self, files: &[DraftFile]) {
        for (file, root) in with_roots(files) {
            let section = root.key("groups");
            for (index, (name, written)) in file.written.groups.iter().flat_map(|it| &it.0).enumerate() {
                let (key, value) = section.entry(index);
                let members = self.members(value, written);
                self.table.groups.push(Group { name: name.as_str().into(), place: key.place(), members });
            }
        }
    }

    fn members(&mut self, at: At<'_>, written: &[MemberWritten]) -> Vec<Member> {
        if written.len() > GROUP_MEMBERS_MAX {
            let message = format!("{} members; expected at most {GROUP_MEMBERS_MAX}", written.len());
            self.error(at.item(GROUP_MEMBERS_MAX), message);
        }
        let mut members: Vec<Member> = Vec::new();
        for (index, member) in written.iter().enumerate().take(GROUP_MEMBERS_MAX) {
            let at = at.item(index);
            let (Text(name), tier, weight) = match member {
                MemberWritten::Name(name) => (name, None, None),
                MemberWritten::Settings(MemberSettings { to, tier, weight }) => (to, *tier, *weight),
            };
            let name_at = if at.text().is_some() { at } else { at.key("to") };
            let Some(gateway) = self.member_gateway(name_at, name) else { continue };
            if members.iter().any(|known| known.gateway == gateway) {
                self.error(name_at, format!("`{name}` is in this group twice; add up the weights"));
            }
            members.push(Member { gateway, tier: tier.unwrap_or(1), weight: weight.unwrap_or(1) });
        }
        members
    }

    fn member_gateway(&mut self, at: At<'_>, name: &str) -> Option<usize> {
        if self.names.gateways.find(name).is_none() && self.names.groups.find(name).is_some() {
            self.error(at, format!("`{name}` is a group, and a group has gateways only; name its gateways"));
            return None;
        }
        let gateway = self.names.gateways.find_or_say("gateway", "gateways", name);
        self.findings.ok(&at.place(), gateway)
    }
}
