//! Random secrets, message authentication and comparison that does not leak where it differs.
//!
//! **Source:** RFC 2104 (HMAC) and FIPS 180-4 (SHA-256), through the crates of those names.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::TryRng as _;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

/// The operating system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no random bytes: {0}")]
pub(crate) struct NoRandomness(#[source] rand::rngs::SysError);

/// 32 bytes from the operating system as 43 characters of URL-safe base64.
pub(crate) fn random_token() -> Result<String, NoRandomness> {
    let mut bytes = [0_u8; 32];
    rand::rngs::SysRng
        .try_fill_bytes(&mut bytes)
        .map_err(NoRandomness)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// HMAC-SHA-256 of the concatenated `parts`.
pub(crate) fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Whether two byte strings are equal, in a time that depends on their lengths alone.
pub(crate) fn equal(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

/// The first six characters, which is all of a token that may appear in a log.
pub(crate) fn prefix(token: &str) -> &str {
    let end = token
        .char_indices()
        .nth(6)
        .map_or(token.len(), |(at, _)| at);
    &token[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_hmac(key: &[u8], parts: &[&[u8]], expected: &str) {
        let expected: Vec<u8> = (0..32)
            .map(|at| u8::from_str_radix(&expected[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        assert_eq!(hmac_sha256(key, parts).as_slice(), expected);
    }

    #[test]
    fn hmac_agrees_with_rfc_4231() {
        check_hmac(
            b"Jefe",
            &[b"what do ya want ", b"for nothing?"],
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        );
        check_hmac(
            &[0xaa; 131],
            &[b"Test Using Larger Than Block-Size Key - Hash Key First"],
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        );
    }

    #[test]
    fn comparison_sees_length_and_every_byte() {
        assert!(equal(b"secret", b"secret"));
        assert!(!equal(b"secret", b"secreT"));
        assert!(!equal(b"secret", b"secret1"));
        assert!(!equal(b"", b"x"));
    }

    #[test]
    fn a_random_token_has_43_characters_and_differs() {
        let (one, other) = (random_token().unwrap(), random_token().unwrap());
        assert_eq!(one.len(), 43);
        assert_ne!(one, other);
    }

    #[test]
    fn a_prefix_never_splits_a_character() {
        assert_eq!(prefix("abcdefghij"), "abcdef");
        assert_eq!(prefix("ab"), "ab");
        assert_eq!(prefix("äöüäöüä"), "äöüäöü");
    }
}
