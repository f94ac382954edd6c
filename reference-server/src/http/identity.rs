//! Who a request is of.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;

use super::reply::error;
use super::{cookie, head};
use crate::auth::jwt::{Claims, Kind};
use crate::auth::{Signer, secret};

/// The bearer's claims, or those of the cookie if the page proves to be ours.
pub(super) fn authenticate(
    signer: &Signer,
    allowed_origins: &[String],
    headers: &HeaderMap,
) -> Result<Claims, Box<Response>> {
    let unauthenticated = || Box::new(error(StatusCode::UNAUTHORIZED, "unauthenticated"));
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    if let Some(bearer) = bearer {
        let token = bearer.strip_prefix("Bearer ").map(str::trim);
        let claims = token.and_then(|token| signer.verify(token, Kind::Access));
        return claims.ok_or_else(unauthenticated);
    }
    let token = cookie::get(headers, "access_token").ok_or_else(unauthenticated)?;
    let claims = signer
        .verify(token, Kind::Access)
        .ok_or_else(unauthenticated)?;
    if head::origin_allowed(allowed_origins, headers) && proves_page(signer, headers, &claims) {
        Ok(claims)
    } else {
        Err(Box::new(error(StatusCode::FORBIDDEN, "csrf")))
    }
}

/// Whether header and cookie both hold the CSRF token of the session that the access token is of.
fn proves_page(signer: &Signer, headers: &HeaderMap, claims: &Claims) -> bool {
    let Some(session) = &claims.sid else {
        return false;
    };
    let sent = headers.get("x-csrftoken").map(HeaderValue::as_bytes);
    let kept = cookie::get(headers, "csrftoken").map(str::as_bytes);
    let own = signer.csrf_token(session);
    let fits =
        |given: Option<&[u8]>| given.is_some_and(|given| secret::equal(given, own.as_bytes()));
    fits(sent) && fits(kept)
}
