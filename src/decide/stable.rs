//! Pure. Keyed hashes that every node of a fleet computes alike, today and after a restart: the To
//! tag, and the draw of weighted choices.
//!
//! SipHash has a published definition; ahash and the standard hasher change between builds and
//! machines, and would give a retransmission another answer.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;

use crate::{
    limits::MESSAGE_BYTES_MAX,
    sip::{Request, Via, Writer},
};

/// The To tag: 64 bits of a keyed hash over what a retransmission keeps.
///
/// RFC 3261 §8.2.7 wants the same tag for the same request, §19.3 at least 32 bits that nobody can
/// guess: a keyed hash is both.
pub(super) fn to_tag(key: &[u8; 16], request: &Request<'_>) -> [u8; 16] {
    let via = request.top_via();
    hexadecimal(match via.branch {
        Some(branch) if is_unique(branch) => hash_of_transaction(key, via, branch, request.call_id()),
        _ => hash_of_request(key, via, request),
    })
}

/// RFC 3261 §8.1.1.7: whether a branch is that of one transaction only.
fn is_unique(branch: &[u8]) -> bool {
    branch.strip_prefix(b"z9hG4bK").is_some_and(|rest| !rest.is_empty())
}

/// RFC 3261 §17.2.3: branch and sent-by name the transaction, and §9.2: a CANCEL has those of the request it cancels, so
/// that both answers have one tag. The Call-ID is for clients that use one branch again and again.
fn hash_of_transaction(key: &[u8; 16], via: &Via<'_>, branch: &[u8], call_id: &[u8]) -> u64 {
    let hasher = SipHasher13::new_with_key(key);
    // The lengths of all but the last tell where one ends. The first bit is not set in the lengths that other
    // lists of fields begin with.
    let lengths = 1 << 63 | (branch.len() as u64) << 40 | (via.host.len() as u64) << 16;
    let lengths = (lengths | u64::from(via.port.unwrap_or(0))).to_le_bytes();
    let fields: [&[u8]; 4] = [&lengths, branch, via.host, call_id];
    let mut room = [0; TRANSACTION_ROOM];
    let mut gathered = Writer::new(&mut room);
    gathered.put_all(fields);
    if gathered.overflowed() { hash_in_pieces(hasher, fields) } else { hasher.hash(gathered.written()) }
}

/// Room for the fields of a usual transaction; longer ones are hashed in pieces.
const TRANSACTION_ROOM: usize = 160;

const _: () = assert!(MESSAGE_BYTES_MAX < 1 << 23);

#[cold]
fn hash_in_pieces(mut hasher: SipHasher13, fields: [&[u8]; 4]) -> u64 {
    fields.iter().for_each(|field| hasher.write(field));
    hasher.finish()
}

/// The same for a client of RFC 2543, whose branch says nothing: its whole request names the transaction (RFC 3261
/// §17.2.3).
fn hash_of_request(key: &[u8; 16], via: &Via<'_>, request: &Request<'_>) -> u64 {
    let mut fields = Fields::new(key);
    // Without a branch, its whole top Via stands for it.
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
    fields.finish()
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

fn hexadecimal(hash: u64) -> [u8; 16] {
    let mut text = [0; 16];
    let halves = [(hash >> 32) as u32, hash as u32];
    for (place, half) in text.as_chunks_mut::<8>().0.iter_mut().zip(halves) {
        *place = eight_digits(half).to_be_bytes();
    }
    text
}

/// The hexadecimal digits of a number, a byte for each, the first one the highest.
fn eight_digits(number: u32) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // Four bits to each byte, by halves.
    let mut digits = u64::from(number);
    digits = (digits | digits << 16) & 0x0000_ffff_0000_ffff;
    digits = (digits | digits << 8) & 0x00ff_00ff_00ff_00ff;
    digits = (digits | digits << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    // Ten and above: six more reach the next bit, and their letters stand further behind.
    let letters = (digits + 6 * ONES) >> 4 & ONES;
    digits + u64::from(b'0') * ONES + u64::from(b'a' - b'0' - 10) * letters
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sip::{HeaderIndex, Parsed, parse};

    proptest! {
        #[test]
        fn digits_are_those_of_the_library(hash: u64) {
            prop_assert_eq!(&hexadecimal(hash)[..], format!("{hash:016x}").as_bytes().to_vec());
        }

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

        #[test]
        fn a_transaction_has_one_tag_and_no_other_has_it(
            key: [u8; 16],
            ends in prop::array::uniform2(("[a-b]{1,3}", "[a-b]{1,3}", 5060..5062_u16, "[a-b]{1,3}")),
            rest in prop::array::uniform2("[a-b]{1,3}"),
        ) {
            let [one, other] = ends;
            let tag = |transaction: &(String, String, u16, String), rest: &str| {
                let (branch, host, port, call_id) = transaction;
                tag_of(&key, rest, &format!("{host}:{port};branch=z9hG4bK{branch}"), call_id)
            };
            prop_assert_eq!(tag(&one, &rest[0]), tag(&one, &rest[1]));
            prop_assert_eq!(tag(&one, &rest[0]) == tag(&other, &rest[0]), one == other);
        }
    }

    /// The tag of a request whose number and From tag are `rest`.
    fn tag_of(key: &[u8; 16], rest: &str, sent_by: &str, call_id: &str) -> [u8; 16] {
        let text = format!(
            "INVITE sip:{rest}@example.net SIP/2.0\r\nVia: SIP/2.0/UDP {sent_by}\r\n\
             From: <sip:a@example.net>;tag={rest}\r\nTo: <sip:b@example.net>\r\nCall-ID: {call_id}\r\n\
             CSeq: 1 INVITE\r\n\r\n"
        );
        match parse(text.as_bytes(), &mut HeaderIndex::new()) {
            Parsed::Sound(request) | Parsed::Faulty(request, _) => to_tag(key, &request),
            other => panic!("{text}\n{other:?}"),
        }
    }

    #[test]
    fn a_branch_that_names_no_transaction_leaves_it_to_the_request() {
        for sent_by in ["h;branch=1", "h;branch=z9hG4bK", "h;branch=Z9HG4BK1", "h"] {
            let tag = |rest| tag_of(&[7; 16], rest, sent_by, "1");
            assert_eq!(tag("a"), tag("a"), "{sent_by}");
            assert_ne!(tag("a"), tag("b"), "{sent_by}");
        }
    }

    #[test]
    fn gathered_or_in_pieces_the_hash_of_a_transaction_is_the_same() {
        let (host, call_id) = (vec![b'h'; 20], vec![b'c'; 20]);
        for len in 8..2 * TRANSACTION_ROOM {
            let branch = vec![b'b'; len];
            let via = Via { value: &[], transport: &[], host: &host, port: None, branch: None, rport: None };
            let lengths = 1 << 63 | (len as u64) << 40 | 20 << 16;
            let mut hasher = SipHasher13::new_with_key(&[7; 16]);
            [&lengths.to_le_bytes()[..], &branch, &host, &call_id]
                .iter()
                .for_each(|field| hasher.write(field));
            assert_eq!(hash_of_transaction(&[7; 16], &via, &branch, &call_id), hasher.finish(), "{len}");
        }
    }
}
