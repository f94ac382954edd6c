//! JSON web tokens: HS256 and nothing else.
//!
//! **In:** claims or a token. **Out:** a token or claims. **Source:** RFC 7515, RFC 7519. The
//! header is compared with the only one this server issues after parsing, so `alg: none` and every
//! other algorithm are refused by construction.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};

use super::secret;
use crate::wire;

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Authenticates requests and sockets.
    Access,
    /// Buys a new access token.
    Refresh,
}

/// The claims of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// The user's number.
    pub(crate) sub: u64,
    /// The user's name.
    pub(crate) username: String,
    /// What the token is good for.
    pub(crate) typ: Kind,
    /// The session: one login, however often it is renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sid: Option<String>,
    /// Issued at, seconds since 1970.
    pub(crate) iat: u64,
    /// Expires at, seconds since 1970.
    pub(crate) exp: u64,
    /// Not valid before, seconds since 1970; never in a token of ours, but kept to in any that is
    /// signed by the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) nbf: Option<u64>,
}

/// Why a token is not accepted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JwtError {
    /// Not three parts of base64 with JSON inside.
    #[error("not a token of this server's form")]
    Malformed,
    /// Another algorithm than HS256.
    #[error("signed by another algorithm than HS256")]
    Algorithm,
    /// Extensions that are not known must be (RFC 7515 §4.1.11).
    #[error("has critical extensions, which this server does not know")]
    Critical,
    /// The signature does not fit.
    #[error("the signature does not fit")]
    Signature,
    /// Past its time.
    #[error("expired at {0}")]
    Expired(u64),
    /// Before its time.
    #[error("not valid before {0}")]
    NotYet(u64),
    /// A refresh token where an access token is wanted, or the other way round.
    #[error("a token of another kind")]
    Kind,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    /// Extensions that have to be understood; none is.
    #[serde(default, deserialize_with = "present")]
    crit: bool,
}

/// `true` for whatever is there, `null` too.
fn present<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(value).map(|_| true)
}

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// Signs `claims`.
pub(crate) fn issue(key: &[u8], claims: &Claims) -> String {
    let body = serde_json::to_vec(claims).expect("claims are plain data");
    let mut token = URL_SAFE_NO_PAD.encode(HEADER);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(body, &mut token);
    let signature = secret::hmac_sha256(key, &[token.as_bytes()]);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    token
}

/// Checks form, algorithm, signature, time and kind, in this order.
pub(crate) fn verify(key: &[u8], token: &str, kind: Kind, now_s: u64) -> Result<Claims, JwtError> {
    let (signed, signature) = token.rsplit_once('.').ok_or(JwtError::Malformed)?;
    let (header, body) = signed.split_once('.').ok_or(JwtError::Malformed)?;
    let header: Header = json(header)?;
    if header.alg != "HS256" {
        return Err(JwtError::Algorithm);
    }
    if header.crit {
        return Err(JwtError::Critical);
    }
    let given = decode(signature)?;
    if !secret::equal(&given, &secret::hmac_sha256(key, &[signed.as_bytes()])) {
        return Err(JwtError::Signature);
    }
    let claims: Claims = json(body)?;
    if claims.exp <= now_s {
        return Err(JwtError::Expired(claims.exp));
    }
    if let Some(from) = claims.nbf.filter(|from| *from > now_s) {
        return Err(JwtError::NotYet(from));
    }
    if claims.typ != kind {
        return Err(JwtError::Kind);
    }
    Ok(claims)
}

fn decode(part: &str) -> Result<Vec<u8>, JwtError> {
    URL_SAFE_NO_PAD.decode(part).or(Err(JwtError::Malformed))
}

fn json<T: for<'de> Deserialize<'de>>(part: &str) -> Result<T, JwtError> {
    wire::object(&decode(part)?).ok_or(JwtError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Claims {
        Claims {
            sub: 7,
            username: "user-000007".to_owned(),
            typ: Kind::Access,
            sid: None,
            iat: 1_000,
            exp: 2_000,
            nbf: None,
        }
    }

    fn check(token: &str, now_s: u64, expected: Result<Claims, JwtError>) {
        assert_eq!(verify(b"key", token, Kind::Access, now_s), expected);
    }

    #[test]
    fn a_token_comes_back_until_it_expires() {
        let token = issue(b"key", &claims());
        check(&token, 1_999, Ok(claims()));
        check(&token, 2_000, Err(JwtError::Expired(2_000)));
    }

    #[test]
    fn a_token_is_not_taken_before_its_time() {
        let early = Claims {
            nbf: Some(1_500),
            ..claims()
        };
        let token = issue(b"key", &early);
        check(&token, 1_499, Err(JwtError::NotYet(1_500)));
        check(&token, 1_500, Ok(early));
    }

    #[test]
    fn another_key_kind_or_algorithm_is_refused() {
        check(&issue(b"other", &claims()), 1_500, Err(JwtError::Signature));
        let refresh = Claims {
            typ: Kind::Refresh,
            ..claims()
        };
        check(&issue(b"key", &refresh), 1_500, Err(JwtError::Kind));
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
        let token = issue(b"key", &claims());
        let body = token.split('.').nth(1).unwrap();
        check(&format!("{none}.{body}."), 1_500, Err(JwtError::Algorithm));
    }

    fn signed(header: &str, body: &str) -> String {
        let signed = [header, body]
            .map(|part| URL_SAFE_NO_PAD.encode(part))
            .join(".");
        let signature = secret::hmac_sha256(b"key", &[signed.as_bytes()]);
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    #[test]
    fn header_and_claims_are_objects_and_nothing_in_them_is_critical() {
        let fields = r#"{"sub":7,"username":"user-000007","typ":"access","iat":1000,"exp":2000}"#;
        let token = |header: &str, body: &str| signed(header, body);
        check(&token(HEADER, fields), 1_500, Ok(claims()));
        let list = r#"[7,"user-000007","access",null,1000,2000,null]"#;
        for (header, body) in [(HEADER, list), (r#"["HS256"]"#, fields), (HEADER, "7")] {
            check(&token(header, body), 1_500, Err(JwtError::Malformed));
        }
        for crit in [r#"["exp"]"#, "[]", "null"] {
            let header = format!(r#"{{"alg":"HS256","crit":{crit}}}"#);
            check(&token(&header, fields), 1_500, Err(JwtError::Critical));
        }
    }

    #[test]
    fn rubbish_is_malformed() {
        for token in ["", ".", "..", "a.b.c", "{}.{}.{}"] {
            check(token, 1_500, Err(JwtError::Malformed));
        }
    }
}
