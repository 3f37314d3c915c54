//! Pure. Asks for credentials where the access list wants them (RFC 3261 §22).

use super::{
    Arrival, Context, Trace, Verdict,
    answer::{Plain, write_plain},
};
use crate::{
    access::{
        Standing,
        digest::{Nonce, Outcome, Realm, Subject, unquoted},
    },
    sip::{Method, Request, Uri, Writer, reason_phrase, same_uri},
};

/// Room for all challenges of one answer: two algorithms, each with realm and nonce.
const CHALLENGES_BYTES: usize = 512;

/// The user of a request, as written; `None` where nobody has to say. An error is the answer.
pub(super) fn user_of<'r, T: Trace>(
    request: &'r Request<'_>,
    standing: Standing,
    arrival: &Arrival<'_>,
    context: &Context<'_>,
    trace: &mut T,
    out: &mut [u8],
) -> Result<Option<&'r [u8]>, Verdict> {
    let Some(realm) = context.table.access.realm(standing) else { return Ok(None) };
    // RFC 3261 §22.1: neither is challenged, for neither can be sent again with credentials.
    if matches!(request.method(), Method::Ack | Method::Cancel) {
        return Ok(None);
    }
    let subject = Subject { call_id: request.call_id(), from_tag: request.from().tag().unwrap_or_default() };
    let (key, here) = (&context.settings.key, request.request_uri());
    let is_here = |uri: &[u8]| {
        uri == request.request_uri_bytes() || Uri::parse(uri).is_some_and(|uri| same_uri(&uri, here))
    };
    let lines = request.values_named(b"Authorization");
    match realm.check(request.method_token(), lines, is_here, &subject, key, context.unix_s) {
        Outcome::Granted(user) => {
            if T::ON {
                let name: Vec<u8> = unquoted(user).collect();
                trace.note(&format!("the user is {:?}", String::from_utf8_lossy(&name)));
            }
            Ok(Some(user))
        }
        Outcome::OtherUri => {
            trace.note("the credentials are for another URI");
            let plain = Plain { status: 400, reason: b"Digest URI Differs From Request-URI", lines: &[] };
            Err(write_plain(&plain, request, arrival, context.settings, out))
        }
        Outcome::Challenge { stale } => {
            trace.note(if stale {
                "the credentials are right, their nonce is not: asked for with another one"
            } else {
                "no credentials that are right: they are asked for"
            });
            let nonce = Nonce::new(realm.name.as_bytes(), &subject, key, context.unix_s);
            let mut room = [0; CHALLENGES_BYTES];
            let lines = challenges(realm, &nonce, stale, &mut room);
            let plain = Plain { status: 401, reason: reason_phrase(401).as_bytes(), lines: &[lines] };
            Err(write_plain(&plain, request, arrival, context.settings, out))
        }
    }
}

/// One line for each algorithm, the preferred one first (RFC 8760 §2.3).
fn challenges<'o>(realm: &Realm, nonce: &Nonce, stale: bool, room: &'o mut [u8]) -> &'o [u8] {
    let mut writer = Writer::new(room);
    for algorithm in &realm.algorithms {
        writer.put(b"WWW-Authenticate: Digest realm=\"");
        writer.put(realm.name.as_bytes());
        writer.put(b"\", nonce=\"");
        writer.put(nonce.as_bytes());
        writer.put(b"\", algorithm=");
        writer.put(algorithm.name().as_bytes());
        writer.put(b", qop=\"auth\"");
        writer.put(if stale { b", stale=true\r\n" } else { b"\r\n" });
    }
    let len = writer.len();
    room.get(..len).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        access::digest::{Algorithm, Users},
        limits::REALM_BYTES_MAX,
    };

    #[test]
    fn the_longest_challenges_have_room() {
        let realm = Realm {
            name: "r".repeat(REALM_BYTES_MAX).into(),
            users: Users::default(),
            algorithms: Algorithm::ALL.into(),
        };
        let nonce = Nonce::new(b"r", &Subject { call_id: b"", from_tag: b"" }, &[0; 16], 0);
        let mut room = [0; CHALLENGES_BYTES];
        let text = String::from_utf8(challenges(&realm, &nonce, true, &mut room).to_vec()).expect("text");
        assert_eq!(text.matches("stale=true\r\n").count(), 2);
        assert!(text.find("SHA-256") < text.find("algorithm=MD5"), "{text}");
    }
}
