//! Pure. Nonces: the time and a keyed hash, good on every node that has the key.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use super::response::hexadecimal;
use crate::limits::{DIGEST_LIFE_S, DIGEST_STEP_S};

/// What a nonce is bound to: RFC 3261 §8.1.3.5, the request that comes with credentials keeps both.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Subject<'s> {
    pub call_id: &'s [u8],
    pub from_tag: &'s [u8],
}

/// Whether a nonce is ours, for this call, and not past its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Fresh {
    Yes,
    No,
}

/// Hexadecimal digits of the time, then of half a hash.
const TIME_DIGITS: usize = 8;
const HASH_DIGITS: usize = 32;

/// A nonce as challenges show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nonce([u8; TIME_DIGITS + HASH_DIGITS]);

impl Nonce {
    /// That of this moment.
    #[must_use]
    pub fn new(realm: &[u8], subject: &Subject<'_>, key: &[u8; 16], unix_s: i64) -> Self {
        Self::of_step(step_of(unix_s), realm, subject, key)
    }

    fn of_step(step: u32, realm: &[u8], subject: &Subject<'_>, key: &[u8; 16]) -> Self {
        let mut text = [0; TIME_DIGITS + HASH_DIGITS];
        let (time, hash) = text.split_at_mut(TIME_DIGITS);
        hexadecimal(&step.to_be_bytes(), time);
        // The key has 16 bytes, and one of any length is taken.
        if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) {
            mac.update(b"waypost digest nonce");
            mac.update(&step.to_be_bytes());
            for field in [realm, subject.call_id, subject.from_tag] {
                mac.update(&(field.len() as u64).to_be_bytes());
                mac.update(field);
            }
            hexadecimal(&mac.finalize().into_bytes()[..HASH_DIGITS / 2], hash);
        }
        Self(text)
    }

    /// Its text.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether this is a nonce that was given to this call and holds still.
    #[must_use]
    pub fn judge(nonce: &[u8], realm: &[u8], subject: &Subject<'_>, key: &[u8; 16], unix_s: i64) -> Fresh {
        let time = nonce.get(..TIME_DIGITS).and_then(|time| std::str::from_utf8(time).ok());
        let Some(step) = time.and_then(|time| u32::from_str_radix(time, 16).ok()) else { return Fresh::No };
        let is_ours = bool::from(Self::of_step(step, realm, subject, key).0.ct_eq(nonce));
        let age = i64::from(step_of(unix_s)) - i64::from(step);
        // The clocks of a fleet differ: one step to come is as good as now.
        let in_time = (-1..=DIGEST_LIFE_S / DIGEST_STEP_S).contains(&age);
        if is_ours && in_time { Fresh::Yes } else { Fresh::No }
    }
}

fn step_of(unix_s: i64) -> u32 {
    u32::try_from(unix_s / DIGEST_STEP_S).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8; 16] = b"a key of a fleet";
    const CALL: Subject<'_> = Subject { call_id: b"call", from_tag: b"tag" };
    const NOW_S: i64 = 1_780_000_000;

    fn nonce(unix_s: i64) -> Nonce {
        Nonce::new(b"r", &CALL, KEY, unix_s)
    }

    #[test]
    fn one_step_has_one_nonce() {
        let start = NOW_S / DIGEST_STEP_S * DIGEST_STEP_S;
        assert_eq!(nonce(start), nonce(start + DIGEST_STEP_S - 1));
        assert_ne!(nonce(start), nonce(start + DIGEST_STEP_S));
    }

    #[test]
    fn a_nonce_holds_for_its_life_on_every_node_with_the_key() {
        let given = nonce(NOW_S);
        let judge = |unix_s| Nonce::judge(given.as_bytes(), b"r", &CALL, KEY, unix_s);
        for (later_s, fresh) in [
            (0, Fresh::Yes),
            (DIGEST_LIFE_S, Fresh::Yes),
            (DIGEST_LIFE_S + DIGEST_STEP_S, Fresh::No),
            (-DIGEST_STEP_S, Fresh::Yes),
            (-2 * DIGEST_STEP_S, Fresh::No),
        ] {
            assert_eq!(judge(NOW_S + later_s), fresh, "{later_s}");
        }
    }

    #[test]
    fn a_nonce_is_for_one_realm_call_and_key() {
        let given = nonce(NOW_S);
        let judge = |nonce: &[u8], realm: &[u8], subject: Subject<'_>, key| {
            Nonce::judge(nonce, realm, &subject, key, NOW_S)
        };
        let text = given.as_bytes();
        assert_eq!(judge(text, b"r", CALL, KEY), Fresh::Yes);
        assert_eq!(judge(text, b"s", CALL, KEY), Fresh::No);
        assert_eq!(judge(text, b"r", Subject { call_id: b"callt", from_tag: b"ag" }, KEY), Fresh::No);
        assert_eq!(judge(text, b"r", CALL, b"another key, 16b"), Fresh::No);
        for at in 0..text.len() {
            let mut forged = text.to_vec();
            forged[at] = if forged[at] == b'0' { b'1' } else { b'0' };
            assert_eq!(judge(&forged, b"r", CALL, KEY), Fresh::No, "digit {at}");
        }
        for bad in [&text[..39], &text[..8], b"", b"zzzzzzzz"] {
            assert_eq!(judge(bad, b"r", CALL, KEY), Fresh::No);
        }
    }
}
