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
use crate::access::{AccessPolicy, Standing};
use crate::sip::{HeaderName, Method, Request, Scheme, list_values, reason_phrase};

const ALLOW: &[u8] = b"Allow: INVITE, ACK, CANCEL, OPTIONS, MESSAGE, SUBSCRIBE, PUBLISH, REFER\r\n";

/// RFC 3261 §11.2: what an OPTIONS is answered with. We support no extension.
const CAPABILITIES: &[&[u8]] =
    &[ALLOW, ACCEPT, ACCEPT_ENCODING, b"Accept-Language: en\r\n", b"Supported:\r\n"];
/// The one body that a request may bring, though we have no use for it.
const MEDIA_TYPE: &[u8] = b"application/sdp";
const ACCEPT: &[u8] = b"Accept: application/sdp\r\n";
const ACCEPT_ENCODING: &[u8] = b"Accept-Encoding: identity\r\n";

/// The verdict on a request that the routes need not see; `None` for one that they must.
pub(super) fn answer_for_ourselves(
    request: &Request<'_>,
    arrival: &Arrival<'_>,
    context: &Context<'_>,
    standing: Standing,
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
    if standing.policy == AccessPolicy::Refuse {
        return Some(write_plain(&Plain::status(403), request, arrival, context.settings, out));
    }
    let plain = plain_answer(request, context)?;
    // RFC 3261 §8.2: Require comes before the body.
    if method == Method::Options && plain.status == 200 {
        if required(request).next().is_some() {
            return Some(refuse_extensions(request, arrival, context, out));
        }
        if let Some(lines) = not_understood(request) {
            let plain = Plain { status: 415, reason: reason_phrase(415).as_bytes(), lines };
            return Some(write_plain(&plain, request, arrival, context.settings, out));
        }
    }
    Some(write_plain(&plain, request, arrival, context.settings, out))
}

fn plain_answer(request: &Request<'_>, context: &Context<'_>) -> Option<Plain<'static>> {
    let uri = request.request_uri();
    Some(match request.method() {
        Method::Cancel => Plain::status(200),
        // RFC 3261 §8.2: the method is judged before the headers. §8.2.1: 405 lists what is allowed.
        Method::Register => Plain { status: 405, reason: reason_phrase(405).as_bytes(), lines: &[ALLOW] },
        // RFC 3261 §12.2.2: a request inside a dialog, and we have none.
        _ if request.to().tag().is_some() => Plain::status(481),
        Method::Bye | Method::Prack | Method::Update | Method::Info | Method::Notify => Plain::status(481),
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
    let mut line = b"Unsupported: ".to_vec();
    for (at, tag) in required(request).enumerate() {
        line.extend_from_slice(if at == 0 { b"" } else { b", " });
        push_unfolded(tag, &mut line);
    }
    line.extend_from_slice(b"\r\n");
    let plain = Plain { status: 420, reason: reason_phrase(420).as_bytes(), lines: &[&line] };
    write_plain(&plain, request, arrival, context.settings, out)
}

/// The option tags of all Require lines.
fn required<'r>(request: &'r Request<'_>) -> impl Iterator<Item = &'r [u8]> {
    request.values(HeaderName::Require).flat_map(list_values).filter(|tag| !tag.is_empty())
}

/// RFC 3261 §8.2.3: what we would understand instead of a body that we do not. Its language never
/// matters: we read no text.
fn not_understood(request: &Request<'_>) -> Option<&'static [&'static [u8]]> {
    let first = |name: &'static [u8]| request.values_named(name).next().filter(|value| !value.is_empty());
    if request.body().is_empty() || first(b"Content-Disposition").is_some_and(is_optional) {
        return None;
    }
    if first(b"Content-Encoding").is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity")) {
        return Some(&[ACCEPT_ENCODING]);
    }
    first(b"Content-Type").is_some_and(|media_type| !is_sdp(media_type)).then_some(&[ACCEPT])
}

/// `application "/" "sdp" *( ";" parameter )`, white space around each.
fn is_sdp(media_type: &[u8]) -> bool {
    let name = media_type.split(|&byte| byte == b';').next().unwrap_or_default();
    plain(name).eq(MEDIA_TYPE.iter().copied())
}

/// RFC 3261 §20.11: a body is required unless `handling` says that it is not.
fn is_optional(disposition: &[u8]) -> bool {
    disposition.split(|&byte| byte == b';').skip(1).any(|param| plain(param).eq(*b"handling=optional"))
}

/// Letters in lower case, without white space and folding.
fn plain(text: &[u8]) -> impl Iterator<Item = u8> + '_ {
    text.iter().filter(|byte| !byte.is_ascii_whitespace()).map(u8::to_ascii_lowercase)
}
