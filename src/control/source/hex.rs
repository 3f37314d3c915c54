//! Outside. Bytes as hexadecimal digits, in the one spelling that manifests have: small letters.

use std::fmt::Write as _;

/// The digits.
pub(super) fn write(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// `N` bytes, of exactly as many digits.
pub(super) fn read<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else_is() {
        assert_eq!(write(&[0, 0x1f, 0xff]), "001fff");
        assert_eq!(read::<3>("001fff"), Some([0, 0x1f, 0xff]));
        for wrong in ["001ff", "001fff0", "001fff00", "001fFF", "001f f", "001fé", ""] {
            assert_eq!(read::<3>(wrong), None, "{wrong}");
        }
    }
}
