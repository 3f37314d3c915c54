//! Pure. Keyed hashes that every node of a fleet computes alike, today and after a restart: the To
//! tag, and the draw of weighted choices.
//!
//! SipHash has a published definition; ahash and the standard hasher change between builds and
//! machines, and would give a retransmission another answer.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;

use crate::sip::Request;

/// The To tag: 64 bits of a keyed hash over what a retransmission keeps.
///
/// RFC 3261 §8.2.7 wants the same tag for the same request, §19.3 at least 32 bits that nobody can
/// guess: a keyed hash is both.
pub(super) fn to_tag(key: &[u8; 16], request: &Request<'_>) -> [u8; 16] {
    let via = request.top_via();
    let mut hasher = SipHasher13::new_with_key(key);
    // RFC 3261 §17.2.3: branch and sent-by name the transaction; a client of RFC 2543 has no branch,
    // and its whole top Via stands for it.
    put(&mut hasher, via.branch.unwrap_or(via.value));
    put(&mut hasher, via.host);
    hasher.write(&via.port.unwrap_or(0).to_le_bytes());
    put(&mut hasher, request.call_id());
    put(&mut hasher, request.from().tag().unwrap_or_default());
    // RFC 3261 §9.2: the answer to a CANCEL has the To tag of the answer to its request, whose CSeq
    // differs from its own in the method.
    let cseq = request.cseq();
    let digits = cseq.iter().take_while(|byte| byte.is_ascii_digit()).count();
    put(&mut hasher, cseq.get(..digits).unwrap_or_default());
    put(&mut hasher, request.request_uri_bytes());
    hexadecimal(hasher.finish())
}

/// The draw of a call: the same for its retransmissions, and for its next attempt with credentials.
pub(super) fn call_draw(key: &[u8; 16], request: &Request<'_>) -> u64 {
    let mut hasher = SipHasher13::new_with_key(key);
    hasher.write(b"w");
    put(&mut hasher, request.call_id());
    put(&mut hasher, request.from().tag().unwrap_or_default());
    hasher.finish()
}

/// The draw of one choice of a call, told apart by `name` and `step`.
pub(super) fn choice_draw(call_draw: u64, name: &[u8], step: u64) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(call_draw, step);
    hasher.write(name);
    hasher.finish()
}

/// Appends a field so that no two lists of fields look alike. Numbers go in as little-endian bytes:
/// the integer methods of a hasher follow the machine's own order.
fn put(hasher: &mut SipHasher13, field: &[u8]) {
    hasher.write(&(field.len() as u64).to_le_bytes());
    hasher.write(field);
}

fn hexadecimal(mut hash: u64) -> [u8; 16] {
    let mut text = [0; 16];
    for digit in text.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(hash & 15) as usize];
        hash >>= 4;
    }
    text
}
