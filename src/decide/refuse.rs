//! Pure. The refusal of a message that there is no time for: read as far as its answer needs, and no further.
//!
//! In:    the message, and what its sender is told to wait for.
//! Out:   503 (RFC 3261 §21.5.4), or nothing where no answer is due.
//! Never: asks the routes, an access list or DNS; answers an ACK.

use super::{
    Arrival, CancelPolicy, Scratch, Settings, Silence, Verdict,
    answer::{Plain, write_plain},
    read,
};
use crate::sip::{Method, Parsed, Writer, reason_phrase};

/// Room for a Retry-After line of any number of seconds.
const RETRY_AFTER_LINE_BYTES: usize = b"Retry-After: 4294967295\r\n".len();

/// Refuses one message. `retry_after_s`: how long its sender is to leave us alone; `None`: nothing is said of that.
pub fn refuse(
    message: &[u8],
    arrival: &Arrival<'_>,
    settings: &Settings,
    retry_after_s: Option<u32>,
    scratch: &mut Scratch,
    out: &mut [u8],
) -> Verdict {
    let request = match read(message, arrival.transport, &mut scratch.index, &mut scratch.models) {
        Parsed::Sound(request) => request,
        // What is wrong with it is not worth an answer now.
        Parsed::Faulty(..) => return Verdict::Silence(Silence::Malformed),
        Parsed::Unanswerable(reason) => return Verdict::Silence(Silence::Unanswerable(reason)),
    };
    match request.method() {
        // RFC 3261 §17.1.1.3: an ACK has no response.
        Method::Ack => return Verdict::Silence(Silence::Ack),
        Method::Cancel if settings.cancel == CancelPolicy::Ignore => {
            return Verdict::Silence(Silence::Cancel);
        }
        _ => {}
    }
    // RFC 7339 §5.10.2: who regulates himself by what the Via says is not to be told to go away.
    let retry_after_s =
        retry_after_s.filter(|_| settings.feedback.is_none() || !request.offers_overload_control());
    let mut room = [0; RETRY_AFTER_LINE_BYTES];
    let line = retry_after_s.map_or(&[][..], |seconds| retry_after(seconds, &mut room));
    let plain = Plain { status: 503, reason: reason_phrase(503).as_bytes(), lines: &[line] };
    write_plain(&plain, &request, arrival, settings, out)
}

/// RFC 3261 §20.33.
fn retry_after(seconds: u32, room: &mut [u8; RETRY_AFTER_LINE_BYTES]) -> &[u8] {
    let mut line = Writer::new(room);
    line.put(b"Retry-After: ");
    line.put_number(seconds.into());
    line.put(b"\r\n");
    let len = line.len();
    room.get(..len).unwrap_or_default()
}
