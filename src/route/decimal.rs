//! Pure. Decimals, exactly: prices and qualities in millionths.

/// Why a text is no decimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecimalFault {
    /// Not digits, a point, and at most six digits.
    #[error("expected a decimal such as 0.0125, with at most six decimals")]
    Form,
    /// More than fits.
    #[error("more than can be compared")]
    TooLarge,
}

/// A decimal in millionths.
pub fn micro_of(text: &[u8]) -> Result<u64, DecimalFault> {
    let text = std::str::from_utf8(text).map_err(|_| DecimalFault::Form)?;
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(decimals) || decimals.len() > 6 || text.ends_with('.') {
        return Err(DecimalFault::Form);
    }
    let number = |digits: &str| {
        digits.bytes().try_fold(0_u64, |sum, digit| sum.checked_mul(10)?.checked_add((digit - b'0').into()))
    };
    let scale = 10_u64.pow(6 - u32::try_from(decimals.len()).unwrap_or(6));
    let micro = number(decimals).and_then(|micro| micro.checked_mul(scale));
    let whole = number(whole).and_then(|whole| whole.checked_mul(1_000_000));
    whole.zip(micro).and_then(|(whole, micro)| whole.checked_add(micro)).ok_or(DecimalFault::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact() {
        for (text, micro) in [
            ("0", 0),
            ("1", 1_000_000),
            ("0.0125", 12_500),
            ("0.000001", 1),
            ("12.345678", 12_345_678),
            ("18446744073709.551615", u64::MAX),
        ] {
            assert_eq!(micro_of(text.as_bytes()), Ok(micro), "{text}");
        }
        for text in ["", ".5", "1.", "-1", "+1", "1e3", "0,5", "0.0000001", "1 "] {
            assert_eq!(micro_of(text.as_bytes()), Err(DecimalFault::Form), "{text}");
        }
        assert_eq!(micro_of(b"18446744073709.551616"), Err(DecimalFault::TooLarge));
        assert_eq!(micro_of(b"99999999999999999999999"), Err(DecimalFault::TooLarge));
    }
}
