//! Pure. Keeps an answer to a stranger short beside what the stranger sent: the source of a UDP packet may be
//! forged, and then the answer is a blow at somebody else.
//!
//! In:    an answer, how many bytes its request has, what is still known of both.
//! Out:   the answer, a shorter one, or silence.
//! Never: leaves out a Contact, which would send the call elsewhere, nor a header that RFC 3261 demands.
//!
//! ```text
//!  longer than the cap ─→ without headers that may be missing ─→ without words and body ─→ 403 ─→ silence
//! ```

use super::{
    Arrival, Reply, Settings, Silence, Trace, Verdict,
    answer::{Plain, write_plain},
};
use crate::{
    route::Transport,
    sip::{NO_CONTENT, Request, reason_phrase},
};

/// What the cap has made of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capped {
    /// Headers that may be missing were left out, and perhaps the words of its status.
    Shortened,
    /// It became a 403: it was too long even so.
    Refused,
}

impl Capped {
    /// Every way.
    pub const ALL: [Self; 2] = [Self::Shortened, Self::Refused];

    /// Its metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Shortened => "shortened",
            Self::Refused => "refused",
        }
    }
}

/// Makes an answer in `out` to a source that nobody has named as short as it has to be.
#[inline]
pub(super) fn cap<T: Trace>(
    verdict: &mut Verdict,
    request_len: usize,
    request: &Request<'_>,
    arrival: &Arrival<'_>,
    settings: &Settings,
    trace: &mut T,
    out: &mut [u8],
) {
    let Verdict::Reply(reply) = verdict else { return };
    let Some(most) = settings.amplification_max_milli.filter(|_| is_forgeable(arrival)) else { return };
    let len_max = usize::try_from(most).unwrap_or(usize::MAX).saturating_mul(request_len) / 1000;
    if reply.len <= len_max {
        return;
    }
    if T::ON {
        trace.note(&format!(
            "{} bytes to a source that no access list names, and to {request_len} bytes over UDP {len_max} may be \
             said (amplification_max)",
            reply.len
        ));
    }
    *verdict = shorten_or_refuse(*reply, len_max, request, arrival, settings, out);
}

/// Whether somebody else may have sent this in the name of its source. Whoever has a connection gets its packets; and a
/// packet from elsewhere with a loopback address is dropped before it is ours (RFC 1122 §3.2.1.3).
fn is_forgeable(arrival: &Arrival<'_>) -> bool {
    arrival.transport == Transport::Udp && !arrival.source.ip().to_canonical().is_loopback()
}

#[cold]
fn shorten_or_refuse(
    reply: Reply,
    len_max: usize,
    request: &Request<'_>,
    arrival: &Arrival<'_>,
    settings: &Settings,
    out: &mut [u8],
) -> Verdict {
    let reply = shortened(reply, len_max, out);
    if reply.len <= len_max {
        return Verdict::Reply(Reply { capped: Some(Capped::Shortened), ..reply });
    }
    // RFC 3261 §21.4.4: understood, and not done. Not 5xx: another server says the same, and a client that takes
    // this one for broken would be steered by whoever forges its address.
    match write_plain(&Plain::status(403), request, arrival, settings, out) {
        Verdict::Reply(refusal) => {
            let refusal = shortened(refusal, len_max, out);
            if refusal.len <= len_max {
                return Verdict::Reply(Reply { capped: Some(Capped::Refused), ..refusal });
            }
            Verdict::Silence(Silence::Amplification)
        }
        other => other,
    }
}

/// An answer without as many of the headers that may be missing as it takes, the first ones first, then with the
/// usual words of its status, then without its body.
fn shortened(reply: Reply, len_max: usize, out: &mut [u8]) -> Reply {
    let Some(written) = out.get(..reply.len) else { return reply };
    let head_len = find(written, b"\r\n\r\n").map_or(0, |at| at + b"\r\n".len());
    let (head, rest) = written.split_at_checked(head_len).unwrap_or_default();
    let (mut kept, mut excess) = (Vec::with_capacity(reply.len), reply.len.saturating_sub(len_max));
    let (mut left_out, mut has_challenge) = (0_u8, false);
    for line in head.split_inclusive(|&byte| byte == b'\n') {
        if excess > 0 && !kept.is_empty() && !is_needed(line, reply.status, has_challenge) {
            excess = excess.saturating_sub(line.len());
            left_out = left_out.saturating_add(1);
            continue;
        }
        has_challenge |= line.starts_with(CHALLENGE);
        kept.extend_from_slice(line);
    }
    kept.extend_from_slice(rest);
    if excess > 0 {
        with_usual_words(reply.status, &mut kept);
    }
    if kept.len() > len_max {
        without_body(&mut kept);
    }
    // Never longer than before: there is room.
    if let Some(room) = out.get_mut(..kept.len()) {
        room.copy_from_slice(&kept);
    }
    Reply { len: kept.len(), headers_trimmed: reply.headers_trimmed.saturating_add(left_out), ..reply }
}

const CHALLENGE: &[u8] = b"WWW-Authenticate:";

/// Whether an answer of this status is none without this line.
fn is_needed(line: &[u8], status: u16, has_challenge: bool) -> bool {
    // RFC 3261 §8.2.6.2, and what belongs to the Contacts and the body.
    const ALWAYS: [&[u8]; 8] =
        [b"Via:", b"From:", b"To:", b"Call-ID:", b"CSeq:", b"Contact:", b"Content-Type:", b"Content-Length:"];
    let of_the_status: &[&[u8]] = match status {
        // RFC 3261 §22.1: at least one. The first is the one we prefer (RFC 8760 §2.3).
        401 if !has_challenge => &[CHALLENGE],
        // §8.2.1, §8.2.3, §8.2.2.3. The headers of a 200 to OPTIONS are a SHOULD (§11.2).
        405 => &[b"Allow:"],
        415 => &[b"Accept:", b"Accept-Encoding:"],
        420 => &[b"Unsupported:"],
        _ => &[],
    };
    ALWAYS.iter().chain(of_the_status).any(|name| line.starts_with(name))
}

/// RFC 3261 §7.2: the words of a status are for human eyes.
fn with_usual_words(status: u16, answer: &mut Vec<u8>) {
    let usual = reason_phrase(status).as_bytes();
    let words = b"SIP/2.0 302 ".len()..answer.iter().position(|&byte| byte == b'\r').unwrap_or_default();
    if usual.len() < words.len() {
        answer.splice(words, usual.iter().copied());
    }
}

/// The body of a 380 says what its Contact `urn:service:sos` says, too: an emergency call is better off with that
/// than with 403.
fn without_body(answer: &mut Vec<u8>) {
    let Some(at) = find(answer, b"\r\nContent-Type: ") else { return };
    answer.truncate(at + b"\r\n".len());
    answer.extend_from_slice(NO_CONTENT);
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}
