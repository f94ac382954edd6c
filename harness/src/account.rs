//! This module is how an account proves itself over HTTP: a login, and the wish for a connection token.
//!
//! **In:** a [`Dialect`], or none for the contract. **Out:** paths and bodies of the two requests, and where in
//! the answers the credential stands.

use reqwest::{RequestBuilder, Url};
use serde_json::{Map, Value};

use crate::scenario::target::{BodyKind, Dialect};

/// `POST`, for an access token.
pub(crate) const LOGIN_PATH: &str = "/api/auth/login/";
/// `POST`, for a connection token.
pub(crate) const TOKEN_PATH: &str = "/api/v1/auth/ws-connection-token/";
pub(crate) const REFRESH_PATH: &str = "/api/auth/refresh/";

/// Where a login is asked for; `None`: there is none.
pub(crate) fn login_path(dialect: Option<&Dialect>) -> Option<&str> {
    match dialect {
        Some(dialect) => dialect.login.as_ref().map(|login| login.path.as_str()),
        None => Some(LOGIN_PATH),
    }
}

/// Where a connection token is asked for.
pub(crate) fn token_path(dialect: Option<&Dialect>) -> &str {
    let token = dialect.and_then(|dialect| dialect.token.as_ref());
    token.map_or(TOKEN_PATH, |token| &token.path)
}

/// Adds a login's body, and the headers of the dialect.
pub(crate) fn with_login(
    builder: RequestBuilder,
    dialect: Option<&Dialect>,
    (account, password): (&str, &str),
) -> RequestBuilder {
    let login = dialect.and_then(|dialect| dialect.login.as_ref());
    let user = login.map_or("email", |login| &login.user);
    let secret = login.map_or("password", |login| &login.password);
    let pairs = [(user, account), (secret, password)];
    let builder = with_headers(builder, dialect);
    match login.map(|login| login.body) {
        Some(BodyKind::Form) => builder
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form(&pairs)),
        Some(BodyKind::Json) | None => builder.json(&object(&pairs)),
    }
}

/// Adds the body of a wish for a connection token, and the headers of the dialect.
pub(crate) fn with_token_wish(
    builder: RequestBuilder,
    dialect: Option<&Dialect>,
    conversation: &str,
) -> RequestBuilder {
    let token = dialect.and_then(|dialect| dialect.token.as_ref());
    let field = token.map_or("connection_id", |token| &token.conversation);
    let body = if field.is_empty() {
        object(&[])
    } else {
        object(&[(field, conversation)])
    };
    with_headers(builder, dialect).json(&body)
}

/// Adds the headers of the dialect.
pub(crate) fn with_headers(
    mut builder: RequestBuilder,
    dialect: Option<&Dialect>,
) -> RequestBuilder {
    for (name, value) in dialect.iter().flat_map(|dialect| &dialect.headers) {
        builder = builder.header(name, value);
    }
    builder
}

/// The access token in the answer to a login.
pub(crate) fn access_token(dialect: Option<&Dialect>, body: &[u8]) -> Option<String> {
    let login = dialect.and_then(|dialect| dialect.login.as_ref());
    text(body, login.map_or("token", |login| &login.token))
}

/// The connection token in the answer to the wish for one.
pub(crate) fn connection_token(dialect: Option<&Dialect>, body: &[u8]) -> Option<String> {
    let token = dialect.and_then(|dialect| dialect.token.as_ref());
    text(body, token.map_or("connection_token", |token| &token.field))
}

/// A field, `a.b` for one within another.
pub(crate) fn found<'v>(frame: &'v Value, field: &str) -> Option<&'v Value> {
    let mut steps = field.split('.');
    steps.try_fold(frame, |value, step| value.get(step))
}

/// A text in an answer.
pub(crate) fn text(body: &[u8], field: &str) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    found(&body, field)?.as_str().map(str::to_owned)
}

fn object(pairs: &[(&str, &str)]) -> Value {
    let pairs = pairs.iter();
    let pairs = pairs.map(|(name, value)| ((*name).to_owned(), Value::from(*value)));
    Value::Object(pairs.collect::<Map<String, Value>>())
}

fn form(pairs: &[(&str, &str)]) -> String {
    // A query is written as a form is.
    let url = Url::parse_with_params("http://form.invalid/", pairs);
    url.ok()
        .and_then(|url| url.query().map(str::to_owned))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_escaped() {
        assert_eq!(
            form(&[("user", "a b"), ("p", "x&y=z")]),
            "user=a+b&p=x%26y%3Dz"
        );
    }

    #[test]
    fn a_token_within_the_answer_is_found() {
        assert_eq!(
            text(br#"{"data":{"jwt":"T"}}"#, "data.jwt").as_deref(),
            Some("T")
        );
        assert_eq!(text(br#"{"data":{"jwt":7}}"#, "data.jwt"), None);
        assert_eq!(text(b"no json", "data"), None);
    }
}
