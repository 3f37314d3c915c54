//! Pure. `access:` of all files and `unknown` of `defaults`.

use ipnet::IpNet;

use super::{Builder, DraftFile, ReadText, with_roots};
use crate::{
    access::{
        self, AccessLists, AccessPolicy, ListSpec, Unknown,
        digest::{Algorithm, Realm, read_users},
        read_networks,
    },
    limits::{ACCESS_ENTRIES_MAX, REALM_BYTES_MAX},
    route::{
        Place,
        file::{
            access::{
                AccessWritten, AlgorithmWritten, AuthenticateWritten, MalformedWritten, PolicyWritten,
                UnknownWritten,
            },
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
            (None, Some((at, written))) if policy_of(written.policy) != AccessPolicy::Answer => self.error(
                at.key("policy"),
                "without access lists every source is unknown, and nobody would get an answer; expected lists \
                 (`access:`) that say who may ask, or `policy: answer`",
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
        let AccessWritten { sources, file, listener, policy, authenticate } = written;
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
        let realm = authenticate.as_ref().and_then(|it| self.realm(at.key("authenticate"), it, read));
        let policy = policy_of(*policy);
        if authenticate.is_some() && policy != AccessPolicy::Answer {
            self.error(
                at.key("authenticate"),
                "nobody is asked for credentials who gets no answer; expected `policy: answer`",
            );
        }
        ListSpec { name: name.into(), networks, listeners: listeners.unwrap_or_default(), policy, realm }
    }

    fn realm(&mut self, at: At<'_>, written: &AuthenticateWritten, read: ReadText<'_>) -> Option<Realm> {
        let AuthenticateWritten { realm, users, algorithms } = written;
        let algorithms = algorithms.as_ref().map_or(&[AlgorithmWritten::Sha256][..], |it| it.as_slice());
        let mut algorithms: Vec<Algorithm> = algorithms.iter().map(|it| algorithm_of(*it)).collect();
        algorithms.sort_unstable();
        algorithms.dedup();
        let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\' | b':');
        if realm.0.is_empty() || realm.0.len() > REALM_BYTES_MAX || !realm.0.bytes().all(is_plain) {
            let message = format!(
                "`{}` is not a realm; expected 1 to {REALM_BYTES_MAX} bytes of ASCII without quotes, backslashes and colons",
                realm.0
            );
            self.error(at.key("realm"), message);
            return None;
        }
        let bytes = self.text_of(at.key("users"), &users.0, read)?;
        match read_users(&bytes, &realm.0) {
            Ok(known) => {
                if known.is_empty() {
                    let message =
                        format!("`{}` has no user of the realm `{}`: nobody gets in", users.0, realm.0);
                    self.findings.warning(&at.key("users").place(), message);
                }
                Some(Realm { name: realm.0.as_str().into(), users: known, algorithms })
            }
            Err(faults) => {
                self.faults(&users.0, faults);
                None
            }
        }
    }

    /// The bytes of a file; an error is noted.
    fn text_of(&mut self, at: At<'_>, path: &str, read: ReadText<'_>) -> Option<Vec<u8>> {
        let bytes = read(path).map_err(|why| {
            format!("cannot read `{path}`: {why}; paths are relative to the routes directory")
        });
        self.findings.ok(&at.place(), bytes)
    }

    fn faults(&mut self, path: &str, faults: Vec<access::Fault>) {
        for access::Fault { line, column, message } in faults {
            self.findings.error(&Place { file: path.into(), line, column }, message);
        }
    }

    fn access_file(&mut self, at: At<'_>, path: &str, room: usize, read: ReadText<'_>) -> Vec<IpNet> {
        let Some(bytes) = self.text_of(at, path, read) else { return Vec::new() };
        // What an editor leaves for a moment, and a full disk for longer: taken as it is, it would let in those it keeps out.
        if bytes.is_empty() {
            self.findings.error(&Place { file: path.into(), line: 1, column: 1 }, NO_BYTES);
            return Vec::new();
        }
        match read_networks(&bytes, room) {
            Ok(networks) => {
                if networks.is_empty() {
                    self.findings.warning(&at.place(), format!("`{path}` has no entries"));
                }
                networks
            }
            Err(faults) => {
                self.faults(path, faults);
                Vec::new()
            }
        }
    }
}

const NO_BYTES: &str = "the file has no bytes: is it being written, or was the disk full? Write its networks, or put a remark into it";

fn policy_of(written: PolicyWritten) -> AccessPolicy {
    match written {
        PolicyWritten::Answer => AccessPolicy::Answer,
        PolicyWritten::Refuse => AccessPolicy::Refuse,
        PolicyWritten::Silence => AccessPolicy::Silence,
    }
}

fn algorithm_of(written: AlgorithmWritten) -> Algorithm {
    match written {
        AlgorithmWritten::Sha256 => Algorithm::Sha256,
        AlgorithmWritten::Md5 => Algorithm::Md5,
    }
}

fn unknown_of(written: &UnknownWritten) -> Unknown {
    let answer_malformed = written.malformed == Some(MalformedWritten::Answer);
    Unknown { policy: policy_of(written.policy), answer_malformed }
}
