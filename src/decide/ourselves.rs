//! Pure. Requests that no route sees: what we answer as the user agent server we are, and what is
//! never answered.
//!
//! A request to be redirected keeps its unknown methods, headers and Require tags (RFC 3261 §8.3);
//! here are only those for ourselves (§8.2), and those that belong to a dialog we cannot have.

use super::{
    Arrival, CancelPolicy, Context, Silence, Verdict,
    answer::{Plain, write_plain},
    call::push_unfolded,
};
use crate::sip::{HeaderName, Method, Request, Scheme, reason_phrase};

const ALLOW: &[u8] = b"Allow: INVITE, ACK, CANCEL, OPTIONS, MESSAGE, SUBSCRIBE, PUBLISH, REFER\r\n";

/// RFC 3261 §11.2: what an OPTIONS is answered with. We support no extension and read no body.
const CAPABILITIES: &[&[u8]] = &[
    ALLOW,
    b"Accept: application/sdp\r\n",
    b"Accept-Encoding: identity\r\n",
    b"Accept-Language: en\r\n",
    b"Supported:\r\n",
];

/// The verdict on a request that the routes need not see; `None` for one that they must.
pub(super) fn answer_for_ourselves(
    request: &Request<'_>,
    arrival: &Arrival<'_>,
    context: &Context<'_>,
    out: &mut [u8],
) -> Option<Verdict> {
    let method = request.method();
    match method {
        // RFC 3261 §8.2.7: a stateless UAS ignores ACK.
        Method::Ack => return Some(Verdict::Silence(Silence::Ack)),
        // §8.2.7 against §8.3: see CancelPolicy.
        Method::Cancel if context.settings.cancel == CancelPolicy::Ignore => {
            return Some(Verdict::Silence(Silence::Cancel));
        }
        _ => {}
    }
    let plain = plain_answer(request, context)?;
    let requires = request.values(HeaderName::Require).any(|value| !value.is_empty());
    if method == Method::Options && plain.status == 200 && requires {
        return Some(refuse_extensions(request, arrival, context, out));
    }
    Some(write_plain(&plain, request, arrival, context.settings, out))
}

fn plain_answer(request: &Request<'_>, context: &Context<'_>) -> Option<Plain<'static>> {
    let uri = request.request_uri();
    Some(match request.method() {
        Method::Cancel => Plain::status(200),
        // RFC 3261 §12.2.2: a request inside a dialog, and we have none.
        _ if request.to().tag().is_some() => Plain::status(481),
        Method::Bye | Method::Prack | Method::Update | Method::Info | Method::Notify => Plain::status(481),
        // RFC 3261 §8.2.1: 405 lists what is allowed.
        Method::Register => Plain { status: 405, reason: reason_phrase(405).as_bytes(), lines: &[ALLOW] },
        // RFC 3261 §8.2.2.1.
        _ if uri.scheme == Scheme::Other => Plain::status(416),
        Method::Options if uri.user.is_none() && context.draining => Plain::status(503),
        Method::Options if uri.user.is_none() => Plain { status: 200, reason: b"OK", lines: CAPABILITIES },
        // An unknown method for nobody but ourselves: RFC 3261 §21.5.2.
        Method::Other if uri.user.is_none() => {
            Plain { status: 501, reason: reason_phrase(501).as_bytes(), lines: &[ALLOW] }
        }
        _ => return None,
    })
}

/// RFC 3261 §8.2.2.3: 420 names the extensions that we do not have, which is all of them.
fn refuse_extensions(
    request: &Request<'_>,
    arrival: &Arrival<'_>,
    context: &Context<'_>,
    out: &mut [u8],
) -> Verdict {
    // Not the hot path: nobody asks for extensions of a redirect server twice.
    let mut lines = Vec::new();
    for value in request.values(HeaderName::Require) {
        lines.extend_from_slice(b"Unsupported: ");
        push_unfolded(value, &mut lines);
        lines.extend_from_slice(b"\r\n");
    }
    let plain = Plain { status: 420, reason: reason_phrase(420).as_bytes(), lines: &[&lines] };
    write_plain(&plain, request, arrival, context.settings, out)
}
