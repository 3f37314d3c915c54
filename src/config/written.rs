//! Pure. The configuration as it is written: YAML to plain values, every key known.
//!
//! In:    the text.
//! Out:   [`Written`], its values still texts.
//! Never: judges a value; that is for [`super::meaning`], which knows where it stands.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor},
};

use super::{admin::WrittenAdmin, amplification::WrittenFactor, overload::WrittenOverload};
use crate::route::file::{Diagnostic, Severity};

/// The whole file. A key without value is as good as left out.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    pub(super) listen: Option<Vec<WrittenListen>>,
    pub(super) workers: Option<u64>,
    pub(super) admin: Option<WrittenAdmin>,
    pub(super) routes: Option<String>,
    pub(super) source: Option<WrittenSource>,
    pub(super) state: Option<String>,
    pub(super) stop: Option<WrittenStop>,
    pub(super) key: Option<String>,
    pub(super) key_file: Option<String>,
    pub(super) cancel: Option<String>,
    pub(super) server: Option<String>,
    pub(super) amplification_max: Option<WrittenFactor>,
    pub(super) names: Option<Vec<String>>,
    pub(super) connections: Option<WrittenConnections>,
    pub(super) overload: Option<WrittenOverload>,
    pub(super) batching: Option<WrittenBatching>,
    pub(super) tls: Option<WrittenTls>,
    pub(super) dns: Option<WrittenDns>,
    pub(super) log: Option<WrittenLog>,
    pub(super) hep: Option<WrittenHep>,
    pub(super) top: Option<WrittenTop>,
    pub(super) sandbox: Option<String>,
}

/// `connections:`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenConnections {
    pub(super) max: Option<u64>,
    pub(super) per_source: Option<u64>,
    pub(super) idle_s: Option<u64>,
}

/// `stop:`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenStop {
    pub(super) lame_duck_s: Option<u64>,
}

/// `batching:`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenBatching {
    pub(super) gso: Option<bool>,
    pub(super) connected: Option<bool>,
}

/// `tls:`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenTls {
    pub(super) certificate: String,
    pub(super) key: String,
    pub(super) client_ca: Option<String>,
    pub(super) client: Option<String>,
}

/// `dns:`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenDns {
    pub(super) servers: Option<Vec<String>>,
    pub(super) addresses: Option<Vec<String>>,
    pub(super) deny_answers: Option<Vec<String>>,
    pub(super) allow_answers: Option<Vec<String>>,
    pub(super) ttl_s_min: Option<u64>,
    pub(super) ttl_s_max: Option<u64>,
    pub(super) negative_s_max: Option<u64>,
    pub(super) stale_s: Option<u64>,
    pub(super) cache_entries: Option<u64>,
}

/// `log:`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenLog {
    pub(super) format: Option<String>,
    pub(super) level: Option<String>,
    pub(super) decisions: Option<WrittenDecisions>,
}

/// `log: decisions:`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenDecisions {
    pub(super) sample: Option<u64>,
    pub(super) numbers: Option<String>,
}

/// `hep:`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenHep {
    pub(super) to: String,
    pub(super) agent_id: Option<u32>,
    pub(super) node: Option<String>,
    pub(super) key_file: Option<String>,
    pub(super) sample: Option<u64>,
}

/// `top:`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenTop {
    pub(super) sample: Option<u64>,
}

/// `"https://…"` or `{url: "https://…", …}`.
#[derive(Debug)]
pub(super) struct WrittenSource {
    /// Whether the URL stands alone.
    pub(super) is_short: bool,
    pub(super) keys: SourceKeys,
}

/// `source: {…}`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceKeys {
    pub(super) url: String,
    pub(super) every_s: Option<u64>,
    pub(super) signed_by: Option<String>,
    pub(super) ca: Option<String>,
    pub(super) token_file: Option<String>,
    pub(super) credentials: Option<String>,
    pub(super) insecure: Option<bool>,
}

impl<'de> Deserialize<'de> for WrittenSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SourceVisitor)
    }
}

struct SourceVisitor;

impl<'de> Visitor<'de> for SourceVisitor {
    type Value = WrittenSource;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"https://HOST/PATH/manifest.json\" or {url: \"https://HOST/PATH/manifest.json\"}")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        let keys = SourceKeys { url: text.to_owned(), ..SourceKeys::default() };
        Ok(WrittenSource { is_short: true, keys })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let keys = SourceKeys::deserialize(de::value::MapAccessDeserializer::new(map))?;
        Ok(WrittenSource { is_short: false, keys })
    }
}

/// `"udp:…"` or `{name: …, address: "udp:…"}`.
#[derive(Debug)]
pub(super) struct WrittenListen {
    pub(super) name: Option<String>,
    pub(super) address: String,
}

impl<'de> Deserialize<'de> for WrittenListen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListenVisitor)
    }
}

/// Not `#[serde(untagged)]`: that would say "did not match any variant" of every typing error.
struct ListenVisitor;

impl<'de> Visitor<'de> for ListenVisitor {
    type Value = WrittenListen;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"TRANSPORT:ADDRESS:PORT\" or {name: NAME, address: \"TRANSPORT:ADDRESS:PORT\"}")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(WrittenListen { name: None, address: text.to_owned() })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Named {
            name: Option<String>,
            address: String,
        }
        let named = Named::deserialize(de::value::MapAccessDeserializer::new(map))?;
        Ok(WrittenListen { name: named.name, address: named.address })
    }
}

/// Reads the text. A file of comments only is one where everything was left out.
pub(super) fn read(file: &str, text: &str) -> Result<Written, Diagnostic> {
    let written = serde_yaml::from_str::<Option<Written>>(text).map_err(|error| diagnostic(file, &error))?;
    Ok(written.unwrap_or_default())
}

fn diagnostic(file: &str, error: &serde_yaml::Error) -> Diagnostic {
    let (line, column) = error.location().map_or((1, 1), |place| (place.line(), place.column()));
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX).max(1);
    let mut message = error.to_string();
    // The place is told by the diagnostic; serde_yaml puts it into the text, too.
    if let Some(at) = message.rfind(" at line ") {
        message.truncate(at);
    }
    Diagnostic {
        file: file.to_owned(),
        line: number(line),
        column: number(column),
        severity: Severity::Error,
        message,
    }
}
