//! Connect's decimals to plain digits: `"-0.001"`, never an exponent, with all trailing zeros.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use num_bigint::BigInt;

/// More digits than Postgres' `numeric` has (131072 before and 16383 after the point); beyond it
/// an exponent would blow up the text.
const MOST_DIGITS: i64 = 150_000;

/// Base64 of a two's complement big-endian integer, and how many of its digits are behind the
/// point (fewer than none: zeros to append). `None` for what is no such number.
pub(super) fn from_base64(base64: &str, scale: i64) -> Option<String> {
    let bytes = STANDARD.decode(base64).ok()?;
    let unscaled = BigInt::from_signed_bytes_be(&bytes).to_string();
    with_point(&unscaled, scale)
}

/// A JSON number (`decimal.format=NUMERIC`), which may have an exponent.
pub(super) fn from_number(number: &str, scale: i64) -> Option<String> {
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (number, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let behind = i64::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
    let padding = scale.checked_sub(behind)?.max(0);
    let padding = usize::try_from(padding)
        .ok()
        .filter(|_| padding <= MOST_DIGITS)?;
    let digits = format!("{whole}{fraction}{}", "0".repeat(padding));
    if !digits
        .trim_start_matches('-')
        .bytes()
        .all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    with_point(&digits, behind.max(scale))
}

fn with_point(digits: &str, scale: i64) -> Option<String> {
    if !(-MOST_DIGITS..=MOST_DIGITS).contains(&scale) {
        return None;
    }
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", digits),
    };
    let digits = digits.trim_start_matches('0');
    let Ok(scale) = usize::try_from(scale) else {
        let zeros = "0".repeat(usize::try_from(-scale).ok()?);
        return Some(match digits {
            "" => "0".to_owned(),
            digits => format!("{sign}{digits}{zeros}"),
        });
    };
    let sign = if digits.is_empty() { "" } else { sign };
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = digits.split_at_checked(digits.len() - scale)?;
    Some(match fraction {
        "" => format!("{sign}{whole}"),
        fraction => format!("{sign}{whole}.{fraction}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // The pairs were read from one connector in mode precise and one in mode string.
    #[test]
    fn base64_becomes_the_digits_that_string_mode_writes() {
        for (base64, scale, digits) in [
            ("AR9t7xkA", 10, "123.4500000000"),
            (
                "/nEW8Ak8jB8R8/sq6w==",
                10,
                "-12345678901234567890.0123456789",
            ),
            ("AA==", 10, "0.0000000000"),
            (
                "tMSzV6V5O4X2dd3AAAAAAQ==",
                0,
                "-99999999999999999999999999999999999999",
            ),
            ("fQ==", 2, "1.25"),
            ("hQ==", 6, "-0.000123"),
            ("gAAAAAAAAAA=", 2, "-92233720368547758.08"),
            ("DA==", -3, "12000"),
        ] {
            assert_eq!(from_base64(base64, scale).as_deref(), Some(digits));
        }
        assert_eq!(from_base64("not base64", 2), None);
        assert_eq!(from_base64("DA==", i64::MAX), None);
    }

    #[test]
    fn a_number_keeps_its_digits_and_loses_its_exponent() {
        for (number, scale, digits) in [
            ("123.45", 2, "123.45"),
            ("1.0E-7", 8, "0.00000010"),
            ("0E-10", 10, "0.0000000000"),
            ("-1.5E+3", 0, "-1500"),
            (
                "12345678901234567890.0123456789",
                10,
                "12345678901234567890.0123456789",
            ),
        ] {
            assert_eq!(from_number(number, scale).as_deref(), Some(digits));
        }
        assert_eq!(from_number("1e999999999", 2), None);
    }
}
