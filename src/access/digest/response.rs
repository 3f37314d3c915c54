//! Pure. The response of a client (RFC 7616 §3.4.1), computed again.

use md5::Md5;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;

use super::{Algorithm, Credentials};

/// Whether the client has the secret: `HA1` in hexadecimal.
pub(super) fn is_right(
    algorithm: Algorithm,
    secret: &[u8],
    method: &[u8],
    credentials: &Credentials<'_>,
) -> bool {
    match algorithm {
        Algorithm::Sha256 => is_right_by::<Sha256>(secret, method, credentials),
        Algorithm::Md5 => is_right_by::<Md5>(secret, method, credentials),
    }
}

fn is_right_by<H: Digest>(secret: &[u8], method: &[u8], credentials: &Credentials<'_>) -> bool {
    let Credentials { nonce, uri, response, cnonce, nc, .. } = credentials;
    let (mut room, mut second) = ([0; 64], [0; 64]);
    let ha2 = hash::<H>(&[method, uri], &mut room);
    let expected = hash::<H>(&[secret, nonce, nc, cnonce, b"auth", ha2], &mut second);
    let mut given = [0; 64];
    let Some(given) = given.get_mut(..expected.len()).filter(|given| given.len() == response.len()) else {
        return false;
    };
    // Lower case is what the RFC wants; it is no secret which one came.
    given.copy_from_slice(response);
    given.make_ascii_lowercase();
    given.ct_eq(expected).into()
}

/// The hash of the parts with colons between them, in hexadecimal.
fn hash<'o, H: Digest>(parts: &[&[u8]], out: &'o mut [u8; 64]) -> &'o [u8] {
    let mut hash = H::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            hash.update(b":");
        }
        hash.update(part);
    }
    let bytes = hash.finalize();
    hexadecimal(&bytes, out);
    out.get(..2 * bytes.len()).unwrap_or_default()
}

/// Writes bytes as small hexadecimal digits, as far as there is room.
pub(super) fn hexadecimal(bytes: &[u8], out: &mut [u8]) {
    for (byte, digits) in bytes.iter().zip(out.chunks_exact_mut(2)) {
        for (digit, value) in digits.iter_mut().zip([byte >> 4, byte & 15]) {
            *digit = if value < 10 { b'0' + value } else { b'a' + value - 10 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ha1(algorithm: Algorithm, parts: &[&[u8]]) -> Vec<u8> {
        let mut room = [0; 64];
        match algorithm {
            Algorithm::Sha256 => hash::<Sha256>(parts, &mut room).to_vec(),
            Algorithm::Md5 => hash::<Md5>(parts, &mut room).to_vec(),
        }
    }

    /// RFC 7616 §3.9.1, with both algorithms, and RFC 2617 §3.5.
    #[test]
    fn the_examples_of_the_rfcs() {
        let newer: (&[&[u8]], &[u8], &[u8]) = (
            &[b"Mufasa", b"http-auth@example.org", b"Circle of Life"],
            b"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            b"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        );
        let older: (&[&[u8]], &[u8], &[u8]) = (
            &[b"Mufasa", b"testrealm@host.com", b"Circle Of Life"],
            b"dcd98b7102dd2f0e8b11d0f600bfb0c093",
            b"0a4f113b",
        );
        for ((user, nonce, cnonce), algorithm, response) in [
            (newer, Algorithm::Md5, &b"8ca523f5e9506fed4657c9700eebdbec"[..]),
            (newer, Algorithm::Sha256, b"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
            (older, Algorithm::Md5, b"6629fae49393a05397450978507c4ef1"),
        ] {
            let right = Credentials {
                nonce,
                cnonce,
                response,
                uri: b"/dir/index.html",
                nc: b"00000001",
                ..Credentials::default()
            };
            let secret = ha1(algorithm, user);
            let proves = |it: &Credentials<'_>| is_right(algorithm, &secret, b"GET", it);
            assert!(proves(&right));
            assert!(proves(&Credentials { response: &response.to_ascii_uppercase(), ..right }));
            assert!(!is_right(algorithm, &secret, b"PUT", &right));
            assert!(!is_right(algorithm, &ha1(algorithm, &[b"x"]), b"GET", &right));
            for wrong in [
                Credentials { nonce: b"x", ..right },
                Credentials { cnonce: b"x", ..right },
                Credentials { nc: b"00000002", ..right },
                Credentials { uri: b"/", ..right },
                Credentials { response: &response[1..], ..right },
                Credentials { response: b"", ..right },
                Credentials { response: &[response, b"0"].concat(), ..right },
            ] {
                assert!(!proves(&wrong), "{wrong:?}");
            }
        }
    }
}
