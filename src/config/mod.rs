//! Pure. The server's own configuration: YAML as written → [`Config`] as meant. Routes are elsewhere.
//!
//! In:    the text of `waypost.yaml` and the name to show it by.
//! Out:   a [`Config`], or every fault with line, column, what was found, what was expected.
//! Never: reads a file (`key_file` is named here and read outside), resolves a name.

use std::{
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroU32,
    path::PathBuf,
};

use crate::{
    decide::Settings,
    limits::{
        AMPLIFICATION_MILLI_DEFAULT, CONNECTION_IDLE_S_DEFAULT, CONNECTIONS_DEFAULT,
        CONNECTIONS_PER_SOURCE_DEFAULT, LAME_DUCK_S_DEFAULT, TOP_ONE_IN_DEFAULT,
    },
    route::{Ourselves, Transport, file::Diagnostic},
};

mod admin;
mod amplification;
mod answers;
mod looking_on;
mod meaning;
mod overload;
mod places;
mod source;
mod written;

pub use admin::{Admin, AdminPlace};
pub use looking_on::{Decisions, Hep, Numbers, parse_hep_key};
pub use meaning::{parse_key, parse_listen};
pub use overload::{Overload, Rate, Refuse};
pub use source::{Origin, Source, origin};

/// A place to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// What the condition `listener` and the metrics call it.
    pub name: Box<str>,
    /// The transport.
    pub transport: Transport,
    /// Where it is bound.
    pub address: SocketAddr,
}

/// Where the key of To tags and weighted choices came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// It was not set: [`DEFAULT_KEY`].
    Default,
    /// `key:`.
    Written,
    /// `key_file:`; whoever reads files reads it, with [`parse_key`].
    File(PathBuf),
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// The least urgent lines that are logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

impl LogLevel {
    /// Every level, the most urgent first.
    pub const ALL: [Self; 5] = [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// Its name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// `connections:`. What TCP and TLS may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// Connections in all. Each of several workers takes its share, rounded up.
    pub max: usize,
    /// Connections of one source (an IPv4 address, an IPv6 /64) with each worker.
    pub per_source: usize,
    /// How long one may be without a message, in seconds.
    pub idle_s: u64,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            max: CONNECTIONS_DEFAULT,
            per_source: CONNECTIONS_PER_SOURCE_DEFAULT,
            idle_s: CONNECTION_IDLE_S_DEFAULT,
        }
    }
}

/// `tls:`. PEM files, read outside, at the start and with every reload of the routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Our certificate and those between it and its root.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Whose certificates clients may show. `None`: they are not asked for one.
    pub client_ca: Option<PathBuf>,
    /// Whether a client without a certificate is refused.
    pub client_required: bool,
}

/// `batching:`. How UDP answers leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batching {
    /// Whether answers to one peer leave as one message, which the kernel cuts (UDP GSO). Shorter ones are made as long
    /// as the others by spaces before the value of Content-Length.
    pub gso: bool,
    /// Whether peers that have many answers get a socket that is connected to them, for sending, where a listener is bound to
    /// one address. Not seen on the wire.
    pub connected: bool,
}

impl Default for Batching {
    fn default() -> Self {
        Self { gso: false, connected: true }
    }
}

/// `stop:`. How the server ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// How long calls are answered after it was told to, in seconds.
    pub lame_duck_s: u64,
}

impl Default for Stop {
    fn default() -> Self {
        Self { lame_duck_s: LAME_DUCK_S_DEFAULT }
    }
}

/// `sandbox:`. What the kernel is asked to refuse to this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Confinement {
    /// What it can.
    #[default]
    Auto,
    /// Nothing.
    Off,
    /// All of it: without, the server does not start.
    Required,
}

/// `log:`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Log {
    pub format: LogFormat,
    pub level: LogLevel,
    /// `None`: no decision is logged.
    pub decisions: Option<Decisions>,
}

/// All settings of one server.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where requests come in.
    pub listen: Vec<Listen>,
    /// Threads that answer, from 1; each has all listeners.
    pub workers: usize,
    /// Where metrics, probes and the API are; `None` for `off`.
    pub admin: Option<Admin>,
    /// The directory of the route files.
    pub routes: PathBuf,
    /// Where the route files come from; `None`: whoever puts them there.
    pub source: Option<Source>,
    /// Where the last table that served is kept for a start without; `None`: nowhere.
    pub state: Option<PathBuf>,
    /// How the server ends.
    pub stop: Stop,
    /// What decisions depend on. Its key is [`DEFAULT_KEY`] while [`Config::key`] names a file.
    pub settings: Settings,
    /// Where the key came from.
    pub key: KeySource,
    /// What TCP and TLS may take.
    pub connections: Connections,
    /// What is refused so that the rest is answered.
    pub overload: Overload,
    /// How UDP answers leave.
    pub batching: Batching,
    /// `None`: TLS cannot be listened on.
    pub tls: Option<Tls>,
    /// DNS servers; empty: those of /etc/resolv.conf.
    pub dns_servers: Vec<SocketAddr>,
    /// What is logged.
    pub log: Log,
    /// Where messages are shown; `None`: nowhere.
    pub hep: Option<Hep>,
    /// One message in so many is counted for the top talkers; `None`: none.
    pub top_one_in: Option<NonZeroU32>,
    /// What the kernel is asked to refuse to this process.
    pub sandbox: Confinement,
    /// The file it was read from, if there was one: whoever replaces this server reads it again.
    pub file: Option<PathBuf>,
}

/// The key of a server that was given none. It is no secret: with it a stranger can foresee To tags
/// and weighted choices. It makes two servers without configuration give the same answers.
pub const DEFAULT_KEY: [u8; 16] = *b"waypost-open-key";

/// The directory of the route files where the configuration names none.
pub const DEFAULT_ROUTES: &str = "./routes";

impl Default for Config {
    fn default() -> Self {
        let mut config = Self {
            listen: Vec::new(),
            workers: 1,
            admin: Some(Admin::at(AdminPlace::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 9560))))),
            routes: PathBuf::from(DEFAULT_ROUTES),
            source: None,
            state: None,
            stop: Stop::default(),
            settings: Settings {
                key: DEFAULT_KEY,
                amplification_max_milli: Some(AMPLIFICATION_MILLI_DEFAULT),
                ..Settings::default()
            },
            key: KeySource::Default,
            connections: Connections::default(),
            overload: Overload::default(),
            batching: Batching::default(),
            tls: None,
            dns_servers: Vec::new(),
            log: Log::default(),
            hep: None,
            top_one_in: NonZeroU32::new(TOP_ONE_IN_DEFAULT),
            sandbox: Confinement::default(),
            file: None,
        };
        config.listen_on(vec![Listen {
            name: "default".into(),
            transport: Transport::Udp,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 5060)),
        }]);
        config
    }
}

impl Config {
    /// Sets the listeners, and with them the addresses that are ourselves.
    pub fn listen_on(&mut self, listen: Vec<Listen>) {
        self.settings.ourselves.listeners =
            listen.iter().map(|l| (l.address.ip(), l.address.port())).collect();
        self.listen = listen;
    }

    /// Sets the names that are ourselves.
    fn call_ourselves(&mut self, names: Vec<Box<str>>) {
        let listeners = std::mem::take(&mut self.settings.ourselves.listeners);
        self.settings.ourselves = Ourselves { listeners, names };
    }
}

/// Reads a configuration. `file` is the name that faults are shown with.
pub fn parse(file: &str, text: &str) -> Result<Config, Vec<Diagnostic>> {
    let written = written::read(file, text).map_err(|fault| vec![fault])?;
    meaning::of(written, file, &places::of(text))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{
        decide::CancelPolicy,
        dns::{Family, Lives},
        limits::{
            CONFIG_TEXT_BYTES_MAX, CONNECTION_IDLE_S_MAX, CONNECTIONS_MAX, DNS_RANGES_MAX, DNS_SERVERS_MAX,
            LAME_DUCK_S_MAX, LISTENERS_MAX, OWN_NAMES_MAX, WORKERS_MAX,
        },
    };

    fn faults(text: &str) -> Vec<String> {
        let faults = parse("w.yaml", text).expect_err(text);
        faults.iter().map(|d| format!("{}:{}:{}: {}", d.file, d.line, d.column, d.message)).collect()
    }

    #[test]
    fn as_many_answers_are_kept_as_the_file_says() {
        use crate::limits::{DNS_CACHE_ENTRIES_MAX, DNS_CACHE_ENTRIES_MIN};
        let entries = |entries: usize| parse("w", &format!("dns: {{cache_entries: {entries}}}"));
        for least_and_most in [DNS_CACHE_ENTRIES_MIN, DNS_CACHE_ENTRIES_MAX] {
            assert_eq!(entries(least_and_most).unwrap().settings.cache_entries_max, Some(least_and_most));
        }
        let faults = entries(DNS_CACHE_ENTRIES_MAX + 1).unwrap_err();
        assert_eq!(faults[0].message, "dns.cache_entries: found 4194305, expected 1024 to 4194304");
        assert!(entries(DNS_CACHE_ENTRIES_MIN - 1).is_err());
    }

    #[test]
    fn there_may_be_workers_to_the_limit() {
        let workers = |workers: usize| parse("w", &format!("workers: {workers}"));
        assert_eq!(workers(WORKERS_MAX).unwrap().workers, WORKERS_MAX);
        assert!(workers(WORKERS_MAX + 1).is_err());
    }

    #[test]
    fn stale_answers_may_be_kept_to_the_limit() {
        use crate::limits::DNS_STALE_S_MAX;
        let stale_s = |stale_s: u32| parse("w", &format!("dns: {{stale_s: {stale_s}}}"));
        assert_eq!(stale_s(DNS_STALE_S_MAX).unwrap().settings.lives.stale_s, DNS_STALE_S_MAX);
        assert!(stale_s(DNS_STALE_S_MAX + 1).is_err());
    }

    #[test]
    fn a_lame_duck_lives_to_its_limit() {
        let lame_duck_s = |seconds: u64| parse("w", &format!("stop: {{lame_duck_s: {seconds}}}"));
        assert_eq!(lame_duck_s(LAME_DUCK_S_MAX).unwrap().stop.lame_duck_s, LAME_DUCK_S_MAX);
        let faults = lame_duck_s(LAME_DUCK_S_MAX + 1).unwrap_err();
        assert_eq!(faults[0].message, "stop.lame_duck_s: found 3601, expected 0 to 3600");
        assert_eq!(parse("w", "stop:").unwrap().stop.lame_duck_s, LAME_DUCK_S_DEFAULT);
    }

    #[test]
    fn nothing_written_is_the_default() {
        for text in ["", "# nothing\n", "---\n", "listen:\nadmin:\n", "{}"] {
            let config = parse("w.yaml", text).expect(text);
            assert_eq!(config.listen, Config::default().listen);
            assert_eq!(config.workers, 1);
            assert_eq!(config.admin, Some(Admin::at(AdminPlace::Tcp("127.0.0.1:9560".parse().unwrap()))));
            assert_eq!(config.routes, PathBuf::from("./routes"));
            assert_eq!((config.settings.key, config.key), (DEFAULT_KEY, KeySource::Default));
            assert_eq!(config.settings.ourselves.listeners, [("127.0.0.1".parse().unwrap(), 5060)]);
            assert_eq!(config.log, Log::default());
            assert_eq!((config.hep, config.top_one_in), (None, NonZeroU32::new(TOP_ONE_IN_DEFAULT)));
        }
    }

    #[test]
    fn every_key_is_read() {
        let config = parse(
            "w.yaml",
            r#"
listen:
  - "udp:0.0.0.0:5060"
  - {name: edge, address: "tls:[::]:5061"}
workers: 4
admin: off
routes: /etc/waypost/routes
state: /var/lib/waypost
stop: {lame_duck_s: 0}
key: 00112233445566778899aabbccddeeff
cancel: ok
server: Waypost
amplification_max: 2.5
names: [SIP.example.net., 198.51.100.7, "[2001:db8::1]"]
connections: {max: 100, per_source: 10, idle_s: 60}
tls: {certificate: tls/cert.pem, key: tls/key.pem, client_ca: tls/ca.pem, client: optional}
dns:
  servers: ["127.0.0.1:5353", "::1"]
  ttl_s_max: 20
  stale_s: 0
  addresses: [ipv6, ipv4]
  deny_answers: [10.0.0.0/8, "::1"]
  allow_answers: [10.9.0.0/16]
log: {format: json, level: debug}
sandbox: required
"#,
        )
        .unwrap();
        let names: Vec<&str> = config.listen.iter().map(|l| &*l.name).collect();
        assert_eq!(names, ["udp:0.0.0.0:5060", "edge"]);
        let edge = &config.listen[1];
        assert_eq!((edge.transport, edge.address), (Transport::Tls, "[::]:5061".parse().unwrap()));
        assert_eq!((config.workers, config.admin), (4, None));
        assert_eq!(config.routes, PathBuf::from("/etc/waypost/routes"));
        assert_eq!((config.state, config.stop.lame_duck_s), (Some("/var/lib/waypost".into()), 0));
        assert_eq!(config.key, KeySource::Written);
        assert_eq!(config.settings.key[..3], [0x00, 0x11, 0x22]);
        assert_eq!(config.settings.cancel, CancelPolicy::Ok);
        assert_eq!(config.settings.server.as_deref(), Some("Waypost"));
        assert_eq!(config.settings.amplification_max_milli, Some(2500));
        let own: Vec<&str> = config.settings.ourselves.names.iter().map(|n| &**n).collect();
        assert_eq!(own, ["sip.example.net", "198.51.100.7", "[2001:db8::1]"]);
        assert_eq!(config.settings.ourselves.listeners.len(), 2);
        assert_eq!(config.connections, Connections { max: 100, per_source: 10, idle_s: 60 });
        let tls = config.tls.unwrap();
        assert_eq!((&*tls.certificate, &*tls.key), (Path::new("tls/cert.pem"), Path::new("tls/key.pem")));
        assert_eq!((tls.client_ca, tls.client_required), (Some("tls/ca.pem".into()), false));
        let lives = Lives { ttl_s_min: 20, ttl_s_max: 20, stale_s: 0, ..Lives::default() };
        assert_eq!(config.settings.lives, lives);
        assert_eq!(config.dns_servers, ["127.0.0.1:5353".parse().unwrap(), "[::1]:53".parse().unwrap()]);
        let policy = config.settings.dns_policy;
        assert_eq!(policy.addresses, [Family::Ipv6, Family::Ipv4]);
        assert_eq!(policy.deny, ["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]);
        assert_eq!(policy.allow, ["10.9.0.0/16".parse().unwrap()]);
        assert_eq!(config.log, Log { format: LogFormat::Json, level: LogLevel::Debug, decisions: None });
        assert_eq!(config.sandbox, Confinement::Required);
    }

    #[test]
    fn the_admin_port_has_a_short_form_and_a_long_one() {
        let admin = |text: &str| parse("w.yaml", text).unwrap().admin;
        assert_eq!(admin("admin: \"[::1]:1\""), Some(Admin::at(AdminPlace::Tcp("[::1]:1".parse().unwrap()))));
        assert_eq!(admin("admin: unix:/run/a"), Some(Admin::at(AdminPlace::Unix("/run/a".into()))));
        assert_eq!(admin("admin: {address: unix:/run/a}"), admin("admin: unix:/run/a"));
        let tls = Tls { certificate: "c".into(), key: "k".into(), client_ca: None, client_required: false };
        let place = AdminPlace::Tcp("0.0.0.0:9560".parse().unwrap());
        assert_eq!(
            admin("admin: {address: \"0.0.0.0:9560\", token_file: t, tls: {certificate: c, key: k}}"),
            Some(Admin { place, token_file: Some("t".into()), tls: Some(tls) })
        );
        for (text, expected) in [
            (
                "admin: {address: off}\n",
                "w.yaml:1:18: admin.address: found \"off\", expected ADDRESS:PORT with an IP address, such as 127.0.0.1:9560, unix:PATH, such as unix:/run/waypost/admin.sock, or off",
            ),
            ("admin: {token_file: t}\n", "w.yaml:1:8: admin: missing field `address`"),
            (
                "admin: {address: unix:/a, token_file: \"\"}\n",
                "w.yaml:1:39: admin.token_file: an empty path, expected one such as /etc/waypost/admin.token",
            ),
            (
                "admin: {address: unix:/a, tls: {certificate: c, key: k}}\n",
                "w.yaml:1:32: admin.tls: a Unix socket does not leave this machine and has no TLS; leave tls out",
            ),
            (
                "admin: {address: unix:/a, user: me}\n",
                "w.yaml:1:27: admin: unknown field `user`, expected one of `address`, `token_file`, `tls`",
            ),
        ] {
            assert_eq!(faults(text), [expected]);
        }
    }

    #[test]
    fn a_key_of_digits_only_stays_a_text() {
        let config = parse("w.yaml", "key: 00000000000000000000000000000001\n").unwrap();
        assert_eq!(config.settings.key, 1_u128.to_be_bytes());
        let config = parse("w.yaml", "key_file: secret/key\n").unwrap();
        assert_eq!(config.key, KeySource::File("secret/key".into()));
        assert_eq!(config.settings.key, DEFAULT_KEY);
    }

    #[test]
    fn the_shipped_file_is_the_default() {
        let config = parse("deploy/waypost.yaml", include_str!("../../deploy/waypost.yaml")).unwrap();
        let default = Config { routes: "/etc/waypost/routes".into(), ..Config::default() };
        assert_eq!(format!("{config:?}"), format!("{default:?}"));
    }

    #[test]
    fn each_fault_has_its_place_and_remedy() {
        for (text, expected) in [
            (
                "lisen: []\n",
                "w.yaml:1:1: unknown field `lisen`, expected one of `listen`, `workers`, `admin`, `routes`, `source`, `state`, `stop`, `key`, `key_file`, `cancel`, `server`, `amplification_max`, `names`, `connections`, `overload`, `batching`, `tls`, `dns`, `log`, `hep`, `top`, `sandbox`",
            ),
            ("admin: off\nadmin: off\n", "w.yaml:1:1: duplicate field `admin`"),
            (
                "log: {colour: red}\n",
                "w.yaml:1:7: log: unknown field `colour`, expected one of `format`, `level`, `decisions`",
            ),
            (
                "listen: udp:0.0.0.0:5060\n",
                "w.yaml:1:9: listen: invalid type: string \"udp:0.0.0.0:5060\", expected a sequence",
            ),
            (
                "listen: [5060]\n",
                "w.yaml:1:10: listen[0]: invalid type: integer `5060`, expected \"TRANSPORT:ADDRESS:PORT\" or {name: NAME, address: \"TRANSPORT:ADDRESS:PORT\"}",
            ),
            ("listen: [{name: edge}]\n", "w.yaml:1:10: listen[0]: missing field `address`"),
            (
                "listen: []\n",
                "w.yaml:1:9: listen: an empty list, expected at least one \"udp:ADDRESS:PORT\"; leave the key out for the default",
            ),
            (
                "listen:\n  - 0.0.0.0:5060\n",
                "w.yaml:2:5: listen[0]: found \"0.0.0.0:5060\", expected udp:, tcp: or tls:ADDRESS:PORT with an IP address, such as \"udp:0.0.0.0:5060\" or \"tcp:[::]:5060\"",
            ),
            (
                "listen: [{name: a, address: \"udp:sip.example.net:5060\"}]\n",
                "w.yaml:1:29: listen[0].address: found \"udp:sip.example.net:5060\", expected udp:, tcp: or tls:ADDRESS:PORT with an IP address, such as \"udp:0.0.0.0:5060\" or \"tcp:[::]:5060\"",
            ),
            (
                "listen: [nonsense]\n",
                "w.yaml:1:10: listen[0]: found \"nonsense\", expected udp:, tcp: or tls:ADDRESS:PORT with an IP address, such as \"udp:0.0.0.0:5060\" or \"tcp:[::]:5060\"",
            ),
            (
                "listen: [\"tls:0.0.0.0:5061\"]\n",
                "w.yaml:1:10: listen[0]: \"tls:\" needs a certificate; name one and its key as tls: {certificate: FILE, key: FILE}",
            ),
            (
                "listen: [\"tcp:0.0.0.0:5061\", \"tls:0.0.0.0:5061\"]\ntls: {certificate: c, key: k}\n",
                "w.yaml:1:30: listen[1]: \"tls:0.0.0.0:5061\" is listed twice; remove one",
            ),
            ("tls: {certificate: c}\n", "w.yaml:1:6: tls: missing field `key`"),
            (
                "tls: {certificate: \"\", key: k}\n",
                "w.yaml:1:20: tls.certificate: an empty path, expected one such as ./tls.pem",
            ),
            (
                "tls: {certificate: c, key: k, client: required}\n",
                "w.yaml:1:39: tls.client: clients cannot be checked without client_ca: name the file with the certificates of those who issue theirs",
            ),
            (
                "tls: {certificate: c, key: k, client_ca: a, client: maybe}\n",
                "w.yaml:1:53: tls.client: found \"maybe\", expected one of none, optional, required",
            ),
            ("workers: 0\n", "w.yaml:1:10: workers: found 0, expected 1 to 64"),
            ("admin: off\nworkers: 65\n", "w.yaml:2:10: workers: found 65, expected 1 to 64"),
            ("connections: {max: 0}\n", "w.yaml:1:20: connections.max: found 0, expected 1 to 65536"),
            (
                "connections: {per_source: 70000}\n",
                "w.yaml:1:27: connections.per_source: found 70000, expected 1 to 65536",
            ),
            (
                "connections: {idle_s: 86401}\n",
                "w.yaml:1:23: connections.idle_s: found 86401, expected 1 to 86400",
            ),
            (
                "listen: [\"udp:[::1]:5060\", \"udp:[::1]:5060\"]\n",
                "w.yaml:1:28: listen[1]: \"udp:[::1]:5060\" is listed twice; remove one",
            ),
            (
                "listen:\n  - {name: a, address: \"udp:127.0.0.1:1\"}\n  - {name: a, address: \"udp:127.0.0.1:2\"}\n",
                "w.yaml:3:12: listen[1].name: \"a\" names two listeners; give each its own name",
            ),
            (
                "listen: [{name: \"\", address: \"udp:127.0.0.1:1\"}]\n",
                "w.yaml:1:17: listen[0].name: found \"\", expected 1 to 128 bytes of text without control characters",
            ),
            (
                "admin: localhost:9560\n",
                "w.yaml:1:8: admin: found \"localhost:9560\", expected ADDRESS:PORT with an IP address, such as 127.0.0.1:9560, unix:PATH, such as unix:/run/waypost/admin.sock, or off",
            ),
            ("routes: \"\"\n", "w.yaml:1:9: routes: an empty path, expected one such as ./routes"),
            (
                "key: 0011\n",
                "w.yaml:1:6: key: the key has 4 digits, expected 32 hexadecimal digits; make a key with: openssl rand -hex 16",
            ),
            (
                "key: secret\n",
                "w.yaml:1:6: key: the key has a character that is no hexadecimal digit, expected 32 hexadecimal digits; make a key with: openssl rand -hex 16",
            ),
            (
                "key: 00112233445566778899aabbccddeeff\nkey_file: k\n",
                "w.yaml:2:11: key_file: key is set, too; keep one of key and key_file",
            ),
            ("key_file: \"\"\n", "w.yaml:1:11: key_file: an empty path, expected one such as ./routes"),
            (
                "cancel: 200\n",
                "w.yaml:1:9: cancel: found \"200\", expected ignore (RFC 3261 §8.2.7, the default) or ok (answer 200, §8.3)",
            ),
            (
                "sandbox: on\n",
                "w.yaml:1:10: sandbox: found \"on\", expected auto (as far as the kernel has it, the default), required (not without) or off",
            ),
            (
                "server: \"a\\r\\nEvil: b\"\n",
                "w.yaml:1:9: server: found \"a\\r\\nEvil: b\", expected 1 to 128 bytes of text without control characters",
            ),
            (
                "server: \" a\"\n",
                "w.yaml:1:9: server: begins or ends with white space, expected a text such as \"Waypost\"",
            ),
            (
                "names: [\"sip:example.net\"]\n",
                "w.yaml:1:9: names[0]: found \"sip:example.net\", expected the host part of our own SIP URIs, such as sip.example.net, without sip: and port",
            ),
            (
                "dns: {servers: []}\n",
                "w.yaml:1:16: dns.servers: an empty list, expected at least one ADDRESS:PORT; leave the key out for those of /etc/resolv.conf",
            ),
            ("dns: {stale_s: 259201}\n", "w.yaml:1:16: dns.stale_s: found 259201, expected 0 to 259200"),
            ("dns: {ttl_s_min: 0}\n", "w.yaml:1:18: dns.ttl_s_min: found 0, expected 1 to 86400"),
            (
                "dns: {ttl_s_min: 90, ttl_s_max: 60}\n",
                "w.yaml:1:18: dns.ttl_s_min: found 90, expected no more than ttl_s_max, which is 60",
            ),
            (
                "dns: {servers: [dns.example.net]}\n",
                "w.yaml:1:17: dns.servers[0]: found \"dns.example.net\", expected ADDRESS or ADDRESS:PORT with an IP address, such as 127.0.0.1:53",
            ),
            (
                "dns: {addresses: [ipv5]}\n",
                "w.yaml:1:19: dns.addresses[0]: found \"ipv5\", expected one of ipv4, ipv6",
            ),
            (
                "dns: {addresses: [ipv6, ipv6]}\n",
                "w.yaml:1:25: dns.addresses[1]: \"ipv6\" is listed twice; remove one",
            ),
            (
                "dns: {addresses: []}\n",
                "w.yaml:1:18: dns.addresses: an empty list, expected ipv4, ipv6 or both, the preferred one first",
            ),
            (
                "dns: {deny_answers: [10.0.0.0/33]}\n",
                "w.yaml:1:22: dns.deny_answers[0]: found \"10.0.0.0/33\", expected a range of addresses such as \"10.0.0.0/8\" or \"fc00::/7\"",
            ),
            (
                "dns: {deny_answers: [10.0.0.0/8], allow_answers: [ten]}\n",
                "w.yaml:1:51: dns.allow_answers[0]: found \"ten\", expected a range of addresses such as \"10.0.0.0/8\" or \"fc00::/7\"",
            ),
            (
                "dns: {allow_answers: [10.0.0.0/8]}\n",
                "w.yaml:1:22: dns.allow_answers: nothing is denied, so this has no effect; it makes exceptions from deny_answers",
            ),
            ("log: {format: xml}\n", "w.yaml:1:15: log.format: found \"xml\", expected one of human, json"),
            (
                "log: {level: loud}\n",
                "w.yaml:1:14: log.level: found \"loud\", expected one of error, warn, info, debug, trace",
            ),
        ] {
            assert_eq!(faults(text), [expected], "{text}");
        }
    }

    #[test]
    fn yaml_that_is_none_has_its_place() {
        let found = faults("listen: [\nadmin: off\n");
        assert!(found[0].starts_with("w.yaml:2:"), "{found:?}");
        assert!(!found[0].contains(" at line "), "{found:?}");
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let found = faults("cancel: maybe\nlog: {level: loud}\nadmin: 9560\n");
        assert_eq!(found.len(), 3, "{found:?}");
    }

    #[test]
    fn lists_end_at_their_limits() {
        let listen = |n: usize| {
            format!("listen: {:?}", (1..=n).map(|p| format!("udp:127.0.0.1:{p}")).collect::<Vec<_>>())
        };
        assert_eq!(parse("w", &listen(LISTENERS_MAX)).unwrap().listen.len(), LISTENERS_MAX);
        assert_eq!(faults(&listen(LISTENERS_MAX + 1)), ["w.yaml:1:9: listen: 33 items, expected at most 32"]);

        let dns = |n: usize| {
            format!("dns: {{servers: {:?}}}", (1..=n).map(|p| format!("127.0.0.{p}")).collect::<Vec<_>>())
        };
        assert_eq!(parse("w", &dns(DNS_SERVERS_MAX)).unwrap().dns_servers.len(), DNS_SERVERS_MAX);
        assert_eq!(
            faults(&dns(DNS_SERVERS_MAX + 1)),
            ["w.yaml:1:16: dns.servers: 9 items, expected at most 8"]
        );

        let ranges = |n: usize| {
            let ranges: Vec<_> = (1..=n).map(|p| format!("10.0.{p}.0/24")).collect();
            format!("dns: {{deny_answers: {ranges:?}, allow_answers: {ranges:?}}}")
        };
        let policy = parse("w", &ranges(DNS_RANGES_MAX)).unwrap().settings.dns_policy;
        assert_eq!((policy.deny.len(), policy.allow.len()), (DNS_RANGES_MAX, DNS_RANGES_MAX));
        assert_eq!(faults(&ranges(DNS_RANGES_MAX + 1)).len(), 2);

        let names = |n: usize| format!("names: {:?}", (1..=n).map(|p| format!("n{p}")).collect::<Vec<_>>());
        assert_eq!(parse("w", &names(OWN_NAMES_MAX)).unwrap().settings.ourselves.names.len(), OWN_NAMES_MAX);
        assert_eq!(faults(&names(OWN_NAMES_MAX + 1)), ["w.yaml:1:8: names: 65 items, expected at most 64"]);

        let connections = |max: usize, idle_s: u64| {
            format!("connections: {{max: {max}, per_source: {max}, idle_s: {idle_s}}}")
        };
        let most = parse("w", &connections(CONNECTIONS_MAX, CONNECTION_IDLE_S_MAX)).unwrap().connections;
        assert_eq!(
            (most.max, most.per_source, most.idle_s),
            (CONNECTIONS_MAX, CONNECTIONS_MAX, CONNECTION_IDLE_S_MAX)
        );
        assert_eq!(faults(&connections(CONNECTIONS_MAX + 1, CONNECTION_IDLE_S_MAX + 1)).len(), 3);

        assert!(parse("w", &format!("server: {}", "x".repeat(CONFIG_TEXT_BYTES_MAX))).is_ok());
        assert!(parse("w", &format!("server: {}", "x".repeat(CONFIG_TEXT_BYTES_MAX + 1))).is_err());
    }

    #[test]
    fn two_listeners_may_ask_for_any_port() {
        let config = parse(
            "w",
            "listen: [{name: a, address: \"udp:127.0.0.1:0\"}, {name: b, address: \"udp:127.0.0.1:0\"}]",
        );
        assert_eq!(config.unwrap().listen.len(), 2);
    }
}
