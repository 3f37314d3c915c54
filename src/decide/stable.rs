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
    let mut fields = Fields::new(key);
    // RFC 3261 §17.2.3: branch and sent-by name the transaction; a client of RFC 2543 has no branch,
    // and its whole top Via stands for it.
    fields.put(via.branch.unwrap_or(via.value));
    fields.put(via.host);
    fields.push(&via.port.unwrap_or(0).to_le_bytes());
    fields.put(request.call_id());
    fields.put(request.from().tag().unwrap_or_default());
    // RFC 3261 §9.2: the answer to a CANCEL has the To tag of the answer to its request, whose CSeq
    // differs from its own in the method.
    let cseq = request.cseq();
    let digits = cseq.iter().take_while(|byte| byte.is_ascii_digit()).count();
    fields.put(cseq.get(..digits).unwrap_or_default());
    fields.put(request.request_uri_bytes());
    hexadecimal(fields.finish())
}

/// The draw of a call: the same for its retransmissions, and for its next attempt with credentials.
pub(super) fn call_draw(key: &[u8; 16], request: &Request<'_>) -> u64 {
    let mut fields = Fields::new(key);
    fields.push(b"w");
    fields.put(request.call_id());
    fields.put(request.from().tag().unwrap_or_default());
    fields.finish()
}

/// The draw of one choice of a call, told apart by `name` and `step`.
pub(super) fn choice_draw(call_draw: u64, name: &[u8], step: u64) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(call_draw, step);
    hasher.write(name);
    hasher.finish()
}

/// Fields to be hashed, gathered: a hasher takes long texts at a fraction of what many pieces cost.
struct Fields {
    hasher: SipHasher13,
    room: [u8; FIELDS_ROOM],
    len: usize,
}

/// Room for the fields of a usual request; longer ones are hashed in pieces.
const FIELDS_ROOM: usize = 320;

impl Fields {
    fn new(key: &[u8; 16]) -> Self {
        Self { hasher: SipHasher13::new_with_key(key), room: [0; FIELDS_ROOM], len: 0 }
    }

    /// Appends a field so that no two lists of fields look alike. Numbers go in as little-endian bytes:
    /// the integer methods of a hasher follow the machine's own order.
    fn put(&mut self, field: &[u8]) {
        self.push(&(field.len() as u64).to_le_bytes());
        self.push(field);
    }

    fn push(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        match self.room.get_mut(self.len..end) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.len = end;
            }
            None => self.push_long(bytes),
        }
    }

    #[cold]
    fn push_long(&mut self, bytes: &[u8]) {
        self.hasher.write(self.room.get(..self.len).unwrap_or_default());
        self.hasher.write(bytes);
        self.len = 0;
    }

    fn finish(&self) -> u64 {
        self.hasher.hash(self.gathered())
    }

    fn gathered(&self) -> &[u8] {
        self.room.get(..self.len).unwrap_or_default()
    }
}

fn hexadecimal(mut hash: u64) -> [u8; 16] {
    let mut text = [0; 16];
    for digit in text.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(hash & 15) as usize];
        hash >>= 4;
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn gathered_or_in_pieces_a_hash_is_the_same(
            key: [u8; 16],
            fields in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..FIELDS_ROOM + 2), 0..8),
        ) {
            let (mut gathered, mut hasher) = (Fields::new(&key), SipHasher13::new_with_key(&key));
            for field in &fields {
                gathered.put(field);
                hasher.write(&(field.len() as u64).to_le_bytes());
                hasher.write(field);
            }
            prop_assert_eq!(gathered.finish(), hasher.finish());
        }
    }
}
