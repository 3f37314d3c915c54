//! Pure. `admin:`, in its short form and its long one.
//!
//! In:    [`WrittenAdmin`].
//! Out:   an [`Admin`], `None` for `off`, or what is wrong with it.
//! Never: reads the token.

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor},
};

use super::{
    Tls,
    meaning::{Faults, path},
};

/// The admin port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// Where it is.
    pub place: AdminPlace,
    /// The file of the token that callers must show.
    pub token_file: Option<PathBuf>,
    /// Its certificate; without one it speaks plain HTTP. Clients are not asked for theirs.
    pub tls: Option<Tls>,
}

/// Where an admin port is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminPlace {
    /// `ADDRESS:PORT`.
    Tcp(SocketAddr),
    /// `unix:PATH`.
    Unix(PathBuf),
}

impl Admin {
    /// A port here, with nothing else said.
    #[must_use]
    pub fn at(place: AdminPlace) -> Self {
        Self { place, token_file: None, tls: None }
    }
}

impl AdminPlace {
    /// `ADDRESS:PORT` or `unix:PATH`. The error is a sentence without place.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "found \"{text}\", expected ADDRESS:PORT with an IP address, such as 127.0.0.1:9560, unix:PATH, such as unix:/run/waypost/admin.sock, or off"
            )
        };
        match text.strip_prefix("unix:") {
            Some("") => Err(wrong()),
            Some(path) => Ok(Self::Unix(path.into())),
            None => text.parse().map(Self::Tcp).map_err(|_| wrong()),
        }
    }

    /// Whether only this machine reaches it.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }

    /// The path of a socket.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Tcp(_) => None,
            Self::Unix(path) => Some(path),
        }
    }
}

impl fmt::Display for AdminPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// `"127.0.0.1:9560"` or `{address: …, token_file: …, tls: …}`.
#[derive(Debug)]
pub(super) struct WrittenAdmin {
    address: String,
    long: Option<Long>,
}

/// What only the long form has.
#[derive(Debug)]
struct Long {
    token_file: Option<String>,
    tls: Option<WrittenAdminTls>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenAdminTls {
    certificate: String,
    key: String,
}

impl<'de> Deserialize<'de> for WrittenAdmin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AdminVisitor)
    }
}

/// Not `#[serde(untagged)]`, for the messages' sake.
struct AdminVisitor;

impl<'de> Visitor<'de> for AdminVisitor {
    type Value = WrittenAdmin;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"ADDRESS:PORT\", \"unix:PATH\", off or {address: …, token_file: FILE, tls: {certificate: FILE, key: FILE}}")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(WrittenAdmin { address: text.to_owned(), long: None })
    }

    /// A port alone is no address, and is told so with the rest.
    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Written {
            address: String,
            token_file: Option<String>,
            tls: Option<WrittenAdminTls>,
        }
        let Written { address, token_file, tls } =
            Written::deserialize(de::value::MapAccessDeserializer::new(map))?;
        Ok(WrittenAdmin { address, long: Some(Long { token_file, tls }) })
    }
}

/// What it means; `None` outside: it is wrong, and that is noted.
pub(super) fn admin(written: &WrittenAdmin, faults: &mut Faults<'_>) -> Option<Option<Admin>> {
    let Some(long) = &written.long else {
        if written.address == "off" {
            return Some(None);
        }
        let place = faults.take("admin", AdminPlace::parse(&written.address))?;
        return Some(Some(Admin::at(place)));
    };
    let place = faults.take("admin.address", AdminPlace::parse(&written.address));
    let token_file = long
        .token_file
        .as_deref()
        .and_then(|text| faults.take("admin.token_file", path(text, "/etc/waypost/admin.token")));
    let tls = long.tls.as_ref().map(|written| {
        let certificate = faults.take("admin.tls.certificate", path(&written.certificate, "./tls.pem"));
        let key = faults.take("admin.tls.key", path(&written.key, "./tls.key"));
        Some(Tls { certificate: certificate?, key: key?, client_ca: None, client_required: false })
    });
    let place = place?;
    if tls.is_some() && place.path().is_some() {
        faults.note("admin.tls", "a Unix socket does not leave this machine and has no TLS; leave tls out");
    }
    Some(Some(Admin { place, token_file, tls: tls.flatten() }))
}
