//! Pure. What a written configuration means, or everything that is wrong with it.
//!
//! In:    [`Written`] and the places of its values.
//! Out:   a [`Config`], or one diagnostic for each fault.
//! Never: stops at the first fault; whoever repairs a file wants to see them all.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use crate::{
    decide::CancelPolicy,
    dns::{Lives, server_address},
    limits::{
        CONFIG_TEXT_BYTES_MAX, CONNECTION_IDLE_S_MAX, CONNECTIONS_MAX, DNS_CACHE_ENTRIES_MAX,
        DNS_CACHE_ENTRIES_MIN, DNS_SERVERS_MAX, DNS_STALE_S_MAX, DNS_TTL_S_MAX, LAME_DUCK_S_MAX,
        LISTENERS_MAX, OWN_NAMES_MAX, WORKERS_MAX,
    },
    route::{
        Transport,
        file::{Diagnostic, Severity},
    },
};

use super::{
    Batching, Config, Confinement, Connections, KeySource, Listen, Log, LogFormat, LogLevel, Tls,
    amplification, answers, looking_on,
    overload::overload,
    places::Places,
    source,
    written::{
        Written, WrittenBatching, WrittenConnections, WrittenDns, WrittenListen, WrittenLog, WrittenTls,
    },
};

/// Turns what is written into what is meant.
pub(super) fn of(written: Written, file: &str, places: &Places) -> Result<Config, Vec<Diagnostic>> {
    let mut faults = Faults { file, places, found: Vec::new() };
    let mut config = Config::default();
    if let Some(listen) = written.listen {
        config.listen_on(listeners(listen, &mut faults));
    }
    if let Some(found) = written.workers {
        config.workers = faults.take("workers", up_to(found, WORKERS_MAX)).unwrap_or(config.workers);
    }
    if let Some(admin) = written.admin {
        config.admin = super::admin::admin(&admin, &mut faults).unwrap_or(config.admin);
    }
    if let Some(routes) = written.routes {
        config.routes = faults.take("routes", path(&routes, "./routes")).unwrap_or(config.routes);
    }
    config.source = written.source.and_then(|written| source::of(written, &mut faults));
    if let Some(state) = written.state {
        config.state = faults.take("state", path(&state, "/var/lib/waypost"));
    }
    if let Some(found) = written.stop.unwrap_or_default().lame_duck_s {
        config.stop.lame_duck_s =
            faults.take("stop.lame_duck_s", lame_duck_s(found)).unwrap_or(config.stop.lame_duck_s);
    }
    key(written.key, written.key_file, &mut config, &mut faults);
    if let Some(cancel) = written.cancel {
        config.settings.cancel = faults.take("cancel", cancel_policy(&cancel)).unwrap_or_default();
    }
    if let Some(server) = written.server {
        config.settings.server = faults.take("server", header_text(&server));
    }
    if let Some(factor) = written.amplification_max {
        config.settings.amplification_max_milli =
            faults.take("amplification_max", amplification::max_milli(&factor)).flatten();
    }
    if let Some(names) = written.names {
        config.call_ourselves(own_names(&names, &mut faults));
    }
    config.connections = connections(&written.connections.unwrap_or_default(), &mut faults);
    config.overload = overload(&written.overload.unwrap_or_default(), &mut faults);
    config.batching = batching(&written.batching.unwrap_or_default());
    config.tls = written.tls.and_then(|written| tls(&written, &mut faults));
    let tls_place = config.listen.iter().position(|listen| listen.transport == Transport::Tls);
    if let (Some(index), None, true) = (tls_place, &config.tls, faults.found.is_empty()) {
        faults.note(
            &format!("listen[{index}]"),
            "\"tls:\" needs a certificate; name one and its key as tls: {certificate: FILE, key: FILE}",
        );
    }
    let dns = written.dns.unwrap_or_default();
    config.settings.dns_policy = answers::policy(&dns, &mut faults);
    config.settings.lives = lives(&dns, &mut faults);
    config.settings.cache_entries_max =
        dns.cache_entries.and_then(|found| faults.take("dns.cache_entries", cache_entries(found)));
    if let Some(servers) = dns.servers {
        config.dns_servers = dns_servers(&servers, &mut faults);
    }
    config.log = log(written.log.unwrap_or_default(), &mut faults);
    config.hep = written.hep.and_then(|written| looking_on::hep(&written, &mut faults));
    if let Some(found) = written.top.unwrap_or_default().sample {
        config.top_one_in = looking_on::sample("top.sample", found, &mut faults);
    }
    if let Some(sandbox) = written.sandbox {
        config.sandbox = faults.take("sandbox", confinement(&sandbox)).unwrap_or_default();
    }
    if faults.found.is_empty() { Ok(config) } else { Err(faults.found) }
}

/// `udp:ADDRESS:PORT`, and `tcp:` and `tls:` likewise. The error is a sentence without place.
pub fn parse_listen(text: &str) -> Result<(Transport, SocketAddr), String> {
    let expected = "expected udp:, tcp: or tls:ADDRESS:PORT with an IP address, such as \"udp:0.0.0.0:5060\" or \"tcp:[::]:5060\"";
    let fault = || format!("found \"{text}\", {expected}");
    let (transport, address) = text.split_once(':').ok_or_else(fault)?;
    let transport = Transport::from_name(transport).ok_or_else(fault)?;
    Ok((transport, address.parse().map_err(|_| fault())?))
}

/// 32 hexadecimal digits. The error is a sentence without place and without the key.
pub fn parse_key(text: &str) -> Result<[u8; 16], String> {
    let expected = "expected 32 hexadecimal digits; make a key with: openssl rand -hex 16";
    let text = text.trim();
    if text.chars().any(|c| !c.is_ascii_hexdigit()) {
        return Err(format!("the key has a character that is no hexadecimal digit, {expected}"));
    }
    if text.len() != 32 {
        return Err(format!("the key has {} digits, {expected}", text.len()));
    }
    u128::from_str_radix(text, 16).map(u128::to_be_bytes).map_err(|_| expected.to_owned())
}

/// What is wrong so far.
pub(super) struct Faults<'a> {
    file: &'a str,
    places: &'a Places,
    found: Vec<Diagnostic>,
}

impl Faults<'_> {
    /// Notes a fault of the value at `path`.
    pub(super) fn note(&mut self, path: &str, message: impl AsRef<str>) {
        let (line, column) = self.places.find(path);
        let message = format!("{path}: {}", message.as_ref());
        self.found.push(Diagnostic {
            file: self.file.to_owned(),
            line,
            column,
            severity: Severity::Error,
            message,
        });
    }

    /// The value, or its fault noted.
    pub(super) fn take<T>(&mut self, path: &str, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.note(path, message)).ok()
    }

    /// Whether a list is short enough; if not, that is noted.
    pub(super) fn fits(&mut self, path: &str, len: usize, max: usize) -> bool {
        if len > max {
            self.note(path, format!("{len} items, expected at most {max}"));
        }
        len <= max
    }
}

fn listeners(written: Vec<WrittenListen>, faults: &mut Faults<'_>) -> Vec<Listen> {
    let mut listen: Vec<Listen> = Vec::new();
    if written.is_empty() {
        faults.note(
            "listen",
            "an empty list, expected at least one \"udp:ADDRESS:PORT\"; leave the key out for the default",
        );
    }
    if !faults.fits("listen", written.len(), LISTENERS_MAX) {
        return listen;
    }
    for (index, item) in written.into_iter().enumerate() {
        let item_path = format!("listen[{index}]");
        let address_path =
            if item.name.is_some() { format!("{item_path}.address") } else { item_path.clone() };
        let Some((transport, address)) = faults.take(&address_path, parse_listen(&item.address)) else {
            continue;
        };
        // Port 0 asks for any free one: that may be asked for twice.
        let shares_ports = |other: &Listen| {
            other.address == address && (other.transport == Transport::Udp) == (transport == Transport::Udp)
        };
        if address.port() != 0 && listen.iter().any(shares_ports) {
            faults.note(&address_path, format!("\"{}\" is listed twice; remove one", item.address));
            continue;
        }
        let name_path = if item.name.is_some() { format!("{item_path}.name") } else { item_path };
        let name = item.name.unwrap_or(item.address);
        if let Some(name) = faults.take(&name_path, printable(&name)) {
            if listen.iter().any(|other| other.name == name) {
                faults.note(&name_path, format!("\"{name}\" names two listeners; give each its own name"));
            }
            listen.push(Listen { name, transport, address });
        }
    }
    listen
}

/// A number of something, at least one.
fn up_to(found: u64, max: usize) -> Result<usize, String> {
    let taken = usize::try_from(found).ok().filter(|found| (1..=max).contains(found));
    taken.ok_or_else(|| format!("found {found}, expected 1 to {max}"))
}

fn lame_duck_s(found: u64) -> Result<u64, String> {
    let taken = Some(found).filter(|found| *found <= LAME_DUCK_S_MAX);
    taken.ok_or_else(|| format!("found {found}, expected 0 to {LAME_DUCK_S_MAX}"))
}

pub(super) fn path(text: &str, example: &str) -> Result<PathBuf, String> {
    if text.is_empty() {
        Err(format!("an empty path, expected one such as {example}"))
    } else {
        Ok(PathBuf::from(text))
    }
}

fn key(written: Option<String>, file: Option<String>, config: &mut Config, faults: &mut Faults<'_>) {
    match (written, file) {
        (Some(_), Some(_)) => faults.note("key_file", "key is set, too; keep one of key and key_file"),
        (Some(key), None) => {
            if let Some(key) = faults.take("key", parse_key(&key)) {
                config.settings.key = key;
                config.key = KeySource::Written;
            }
        }
        (None, Some(file)) => {
            if let Some(file) = faults.take("key_file", path(&file, "./routes")) {
                config.key = KeySource::File(file);
            }
        }
        (None, None) => {}
    }
}

fn cancel_policy(text: &str) -> Result<CancelPolicy, String> {
    match text {
        "ignore" => Ok(CancelPolicy::Ignore),
        "ok" => Ok(CancelPolicy::Ok),
        _ => Err(format!(
            "found \"{text}\", expected ignore (RFC 3261 §8.2.7, the default) or ok (answer 200, §8.3)"
        )),
    }
}

fn confinement(text: &str) -> Result<Confinement, String> {
    match text {
        "auto" => Ok(Confinement::Auto),
        "off" => Ok(Confinement::Off),
        "required" => Ok(Confinement::Required),
        _ => Err(format!(
            "found \"{text}\", expected auto (as far as the kernel has it, the default), required (not without) or off"
        )),
    }
}

fn header_text(text: &str) -> Result<Box<str>, String> {
    // RFC 3261 §25.1: a header's value has no control characters; one would start a header of its own.
    if text.trim() != text {
        return Err("begins or ends with white space, expected a text such as \"Waypost\"".to_owned());
    }
    printable(text)
}

pub(super) fn printable(text: &str) -> Result<Box<str>, String> {
    if text.is_empty() || text.len() > CONFIG_TEXT_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(format!(
            "found {text:?}, expected 1 to {CONFIG_TEXT_BYTES_MAX} bytes of text without control characters"
        ));
    }
    Ok(text.into())
}

fn own_names(names: &[String], faults: &mut Faults<'_>) -> Vec<Box<str>> {
    if !faults.fits("names", names.len(), OWN_NAMES_MAX) {
        return Vec::new();
    }
    let mut own = Vec::new();
    for (index, name) in names.iter().enumerate() {
        own.extend(faults.take(&format!("names[{index}]"), own_name(name)));
    }
    own
}

fn own_name(name: &str) -> Result<Box<str>, String> {
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let host = name.strip_suffix('.').unwrap_or(name);
    if !address && (host.len() > 253 || !host.split('.').all(label)) {
        return Err(format!(
            "found \"{name}\", expected the host part of our own SIP URIs, such as sip.example.net, without sip: and port"
        ));
    }
    Ok(host.to_ascii_lowercase().into())
}

fn batching(written: &WrittenBatching) -> Batching {
    let default = Batching::default();
    Batching {
        gso: written.gso.unwrap_or(default.gso),
        connected: written.connected.unwrap_or(default.connected),
    }
}

fn connections(written: &WrittenConnections, faults: &mut Faults<'_>) -> Connections {
    let mut number = |key: &str, written: Option<u64>, max: usize, default: usize| {
        let Some(found) = written else { return default };
        faults.take(&format!("connections.{key}"), up_to(found, max)).unwrap_or(default)
    };
    let default = Connections::default();
    let seconds = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    let idle = number("idle_s", written.idle_s, seconds(CONNECTION_IDLE_S_MAX), seconds(default.idle_s));
    Connections {
        max: number("max", written.max, CONNECTIONS_MAX, default.max),
        per_source: number("per_source", written.per_source, CONNECTIONS_MAX, default.per_source),
        idle_s: u64::try_from(idle).unwrap_or(default.idle_s),
    }
}

fn tls(written: &WrittenTls, faults: &mut Faults<'_>) -> Option<Tls> {
    let file = |text: &str| path(text, "./tls.pem");
    let certificate = faults.take("tls.certificate", file(&written.certificate));
    let key = faults.take("tls.key", file(&written.key));
    let client_ca = written.client_ca.as_deref().and_then(|text| faults.take("tls.client_ca", file(text)));
    // A file with issuers and no word on what it is for asks for the strict reading.
    let default = if client_ca.is_some() { "required" } else { "none" };
    let known = [("none", None), ("optional", Some(false)), ("required", Some(true))];
    let client = faults.take("tls.client", one_of(written.client.as_deref().unwrap_or(default), &known))?;
    if client.is_some() && client_ca.is_none() {
        faults.note("tls.client", "clients cannot be checked without client_ca: name the file with the certificates of those who issue theirs");
    }
    Some(Tls {
        certificate: certificate?,
        key: key?,
        client_ca: client_ca.filter(|_| client.is_some()),
        client_required: client == Some(true),
    })
}

fn dns_servers(servers: &[String], faults: &mut Faults<'_>) -> Vec<SocketAddr> {
    if servers.is_empty() {
        faults.note("dns.servers", "an empty list, expected at least one ADDRESS:PORT; leave the key out for those of /etc/resolv.conf");
    }
    if !faults.fits("dns.servers", servers.len(), DNS_SERVERS_MAX) {
        return Vec::new();
    }
    let mut addresses = Vec::new();
    for (index, text) in servers.iter().enumerate() {
        let address = server_address(text).ok_or_else(|| {
            format!(
                "found \"{text}\", expected ADDRESS or ADDRESS:PORT with an IP address, such as 127.0.0.1:53"
            )
        });
        addresses.extend(faults.take(&format!("dns.servers[{index}]"), address));
    }
    addresses
}

fn cache_entries(found: u64) -> Result<usize, String> {
    let range = DNS_CACHE_ENTRIES_MIN..=DNS_CACHE_ENTRIES_MAX;
    let taken = usize::try_from(found).ok().filter(|found| range.contains(found));
    taken.ok_or_else(|| format!("found {found}, expected {DNS_CACHE_ENTRIES_MIN} to {DNS_CACHE_ENTRIES_MAX}"))
}

fn lives(written: &WrittenDns, faults: &mut Faults<'_>) -> Lives {
    let mut seconds = |key: &str, written: Option<u64>, least: u32, most: u32, default: u32| {
        let Some(found) = written else { return default };
        let fault = || format!("found {found}, expected {least} to {most}");
        let taken =
            u32::try_from(found).ok().filter(|found| (least..=most).contains(found)).ok_or_else(fault);
        faults.take(&format!("dns.{key}"), taken).unwrap_or(default)
    };
    let usual = Lives::default();
    let ttl_s_max = seconds("ttl_s_max", written.ttl_s_max, 1, DNS_TTL_S_MAX, usual.ttl_s_max);
    let lives = Lives {
        ttl_s_min: seconds("ttl_s_min", written.ttl_s_min, 1, DNS_TTL_S_MAX, usual.ttl_s_min.min(ttl_s_max)),
        ttl_s_max,
        negative_s_max: seconds(
            "negative_s_max",
            written.negative_s_max,
            1,
            DNS_TTL_S_MAX,
            usual.negative_s_max,
        ),
        stale_s: seconds("stale_s", written.stale_s, 0, DNS_STALE_S_MAX, usual.stale_s),
    };
    if lives.ttl_s_min > lives.ttl_s_max {
        let message = format!(
            "found {}, expected no more than ttl_s_max, which is {}",
            lives.ttl_s_min, lives.ttl_s_max
        );
        faults.note("dns.ttl_s_min", message);
    }
    lives
}

fn log(written: WrittenLog, faults: &mut Faults<'_>) -> Log {
    let mut log = Log::default();
    if let Some(format) = written.format {
        log.format = faults
            .take("log.format", one_of(&format, &[("human", LogFormat::Human), ("json", LogFormat::Json)]))
            .unwrap_or_default();
    }
    if let Some(level) = written.level {
        let levels = LogLevel::ALL.map(|level| (level.name(), level));
        log.level = faults.take("log.level", one_of(&level, &levels)).unwrap_or_default();
    }
    log.decisions = written.decisions.and_then(|written| looking_on::decisions(&written, faults));
    log
}

pub(super) fn one_of<T: Copy>(text: &str, known: &[(&str, T)]) -> Result<T, String> {
    known.iter().find(|(name, _)| *name == text).map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        format!("found \"{text}\", expected one of {}", names.join(", "))
    })
}
