//! This file's job is to make and check the codes of authenticator apps: TOTP (RFC 6238) over HOTP (RFC 4226).
//!
//! HMAC-SHA-1, 6 digits, 30 seconds: what every authenticator app understands.

use domain::Timestamp;
use ring::hmac;

/// RFC 4226 asks for 160 bits.
pub const SECRET_BYTES: usize = 20;
/// A code's digits.
const DIGITS: usize = 6;
/// Seconds for which a code is shown.
const STEP_S: i64 = 30;
/// Steps before and after the current one that are taken: a phone's clock that is off, and a slow hand.
const STEPS_OFF: i64 = 1;
/// RFC 4648.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Returns the time step whose code this is; none when it is the code of no step that is near.
#[must_use]
pub fn step_of(secret: &[u8], code: &str, now: Timestamp) -> Option<i64> {
    if code.len() != DIGITS || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let current = now.as_us().div_euclid(STEP_S * 1_000_000);
    // Every near step is computed, so that the time taken tells nothing.
    (current - STEPS_OFF..=current + STEPS_OFF)
        .fold(None, |found, step| if code_at(secret, step) == code { Some(step) } else { found })
}

/// Returns the code of a time step.
fn code_at(secret: &[u8], step: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let digest = tag.as_ref();
    let offset = usize::from(digest[digest.len() - 1] & 0x0f);
    let number = u32::from_be_bytes([digest[offset], digest[offset + 1], digest[offset + 2], digest[offset + 3]]);
    format!("{:0DIGITS$}", (number & 0x7fff_ffff) % 1_000_000)
}

/// Writes a secret as authenticator apps take it, without padding.
#[must_use]
pub fn base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    for group in bytes.chunks(5) {
        let mut block = [0_u8; 8];
        block[3..3 + group.len()].copy_from_slice(group);
        let bits = u64::from_be_bytes(block);
        let digits = (group.len() * 8).div_ceil(5);
        text.extend((0..digits).map(|index| char::from(BASE32[(bits >> (35 - 5 * index) & 31) as usize])));
    }
    text
}

/// Writes the address that authenticator apps read from a picture or a link.
#[must_use]
pub fn uri(secret: &str, email: &str, host: &str) -> String {
    let mut uri = url::form_urlencoded::Serializer::new(String::new());
    let query = uri.append_pair("secret", secret).append_pair("issuer", host).finish();
    let label: String = url::form_urlencoded::byte_serialize(format!("{host}:{email}").as_bytes()).collect();
    format!("otpauth://totp/{label}?{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"12345678901234567890";

    #[test]
    fn codes_are_those_of_rfc_6238() {
        // Appendix B, SHA1; the last six of its eight digits.
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code_at(SECRET, seconds / 30), code);
        }
    }

    #[test]
    fn a_code_counts_in_its_step_and_beside_it() {
        let at = |seconds: i64| Timestamp::from_us(seconds * 1_000_000);
        let code = code_at(SECRET, 100);
        for (seconds, found) in
            [(2_969, None), (2_970, Some(100)), (3_000, Some(100)), (3_059, Some(100)), (3_060, None)]
        {
            assert_eq!(step_of(SECRET, &code, at(seconds)), found, "{seconds}");
        }
        for bad in ["", "12345", "1234567", "12345a", "١٢٣٤٥٦"] {
            assert_eq!(step_of(SECRET, bad, at(3_000)), None, "{bad}");
        }
    }

    #[test]
    fn secrets_are_written_in_base_32() {
        for (bytes, text) in
            [("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foob", "MZXW6YQ"), ("foobar", "MZXW6YTBOI")]
        {
            assert_eq!(base32(bytes.as_bytes()), text);
        }
        assert_eq!(
            uri("MY", "pat+x@example.com", "aloft.example.com"),
            "otpauth://totp/aloft.example.com%3Apat%2Bx%40example.com?secret=MY&issuer=aloft.example.com"
        );
    }
}
