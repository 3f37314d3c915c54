//! Pure. `access:` of all files and `unknown` of `defaults`.

use ipnet::IpNet;

use super::{Builder, DraftFile, ReadText, with_roots};
use crate::{
    access::{self, AccessLists, AccessPolicy, ListSpec, Unknown, read_networks},
    limits::ACCESS_ENTRIES_MAX,
    route::{
        Place,
        file::{
            access::{AccessWritten, MalformedWritten, PolicyWritten, UnknownWritten},
            marks::At,
        },
    },
};

impl Builder<'_> {
    pub(super) fn access(&mut self, files: &[DraftFile], read: ReadText<'_>) {
        let unknown = with_roots(files).find_map(|(file, root)| {
            let written = file.written.defaults.as_ref()?.unknown.as_ref()?;
            Some((root.key("defaults").key("unknown"), written))
        });
        let (mut specs, mut first, mut room) = (Vec::new(), None, ACCESS_ENTRIES_MAX);
        for (file, root) in with_roots(files) {
            let section = root.key("access");
            for (index, (name, written)) in file.written.access.iter().flat_map(|it| &it.0).enumerate() {
                let (key, at) = section.entry(index);
                first = first.or(Some(key));
                let spec = self.access_list(at, name, written, room, read);
                room = room.saturating_sub(spec.networks.len());
                specs.push(spec);
            }
        }
        match (first, unknown) {
            (Some(first), None) => self.error(
                first,
                "access lists, but nothing says what becomes of sources that none of them names; expected \
                 `defaults: { unknown: { policy: … } }` with `answer`, `refuse` or `silence`",
            ),
            (None, Some((at, _))) => self.error(
                at,
                "`unknown` without access lists: then every source is known; add lists (`access:`), or take it out",
            ),
            _ => {}
        }
        let unknown = unknown.map(|(_, written)| unknown_of(written)).unwrap_or_default();
        self.table.access = AccessLists::new(specs, unknown);
    }

    fn access_list(
        &mut self,
        at: At<'_>,
        name: &str,
        written: &AccessWritten,
        room: usize,
        read: ReadText<'_>,
    ) -> ListSpec {
        let AccessWritten { sources, file, listener, policy } = written;
        if sources.is_none() && file.is_none() {
            self.error(at, "a list of nobody; expected `sources`, or `file`, or both");
        }
        let mut networks = Vec::new();
        if let Some(sources) = sources {
            let at = at.key("sources");
            networks = self.each(at, sources, |text| access::network(&text.0));
            if networks.len() > room {
                self.error(at, format!("{} entries; expected at most {room} here", networks.len()));
            }
        }
        if let Some(file) = file {
            let room = room.saturating_sub(networks.len());
            networks.extend(self.access_file(at.key("file"), &file.0, room, read));
        }
        let listeners = listener.as_ref().map(|names| {
            self.each(at.key("listener"), names, |text| match text.0.as_str() {
                "" => Err("an empty name; expected that of a listener".to_owned()),
                name => Ok(name.into()),
            })
        });
        ListSpec {
            name: name.into(),
            networks,
            listeners: listeners.unwrap_or_default(),
            policy: policy_of(*policy),
        }
    }

    fn access_file(&mut self, at: At<'_>, path: &str, room: usize, read: ReadText<'_>) -> Vec<IpNet> {
        let bytes = match read(path) {
            Ok(bytes) => bytes,
            Err(why) => {
                let message =
                    format!("cannot read `{path}`: {why}; paths are relative to the routes directory");
                self.error(at, message);
                return Vec::new();
            }
        };
        match read_networks(&bytes, room) {
            Ok(networks) => {
                if networks.is_empty() {
                    self.findings.warning(&at.place(), format!("`{path}` has no entries"));
                }
                networks
            }
            Err(faults) => {
                for access::Fault { line, column, message } in faults {
                    self.findings.error(&Place { file: path.into(), line, column }, message);
                }
                Vec::new()
            }
        }
    }
}

fn policy_of(written: PolicyWritten) -> AccessPolicy {
    match written {
        PolicyWritten::Answer => AccessPolicy::Answer,
        PolicyWritten::Refuse => AccessPolicy::Refuse,
        PolicyWritten::Silence => AccessPolicy::Silence,
    }
}

fn unknown_of(written: &UnknownWritten) -> Unknown {
    let answer_malformed = written.malformed == Some(MalformedWritten::Answer);
    Unknown { policy: policy_of(written.policy), answer_malformed }
}
