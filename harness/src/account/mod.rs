//! This module is how an account proves itself over HTTP: a login, and the wish for a connection
//! token.
//!
//! **In:** a [`Dialect`], or none for the contract. **Out:** paths and bodies of the two requests,
//! the headers of all, and the credential in an answer ([`granted`]).

mod answer;
mod cells;
mod jar;
mod page;
mod percent;
mod shown;
mod trail;

use reqwest::header::{CONTENT_TYPE, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue, SET_COOKIE};
use reqwest::{Method as HttpMethod, RequestBuilder, Url};
use serde_json::{Map, Value};

pub(crate) use answer::{
    Ask, BODY_BYTES_MAX, LIFETIME_KEY, NotGranted, found, granted, is_success, renewed_after,
    retry_after, text,
};
pub(crate) use cells::{Cells, Who};
pub(crate) use jar::Jar;
pub(crate) use page::{between, captured};
pub(crate) use percent::{RESERVED, percent_encoded};
pub(crate) use shown::{hex, location, masked, quoted};
pub(crate) use trail::{Trail, is_followed};

use crate::scenario::target::{BodyKind, Dialect, Method};

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

/// What is asked for before a login, by `GET`; `None`: nothing.
pub(crate) fn page_path(dialect: Option<&Dialect>) -> Option<&str> {
    dialect?.login.as_ref()?.page.as_deref()
}

/// How a login is asked for.
pub(crate) fn login_method(dialect: Option<&Dialect>) -> HttpMethod {
    let login = dialect.and_then(|dialect| dialect.login.as_ref());
    match login.map(|login| login.method) {
        Some(Method::Put) => HttpMethod::PUT,
        Some(Method::Post) | None => HttpMethod::POST,
    }
}

/// Whether the cookies of answers are kept.
pub(crate) fn keeps_cookies(dialect: Option<&Dialect>) -> bool {
    dialect.is_some_and(|dialect| dialect.cookies)
}

/// Keeps what an answer sets, where cookies are kept.
pub(crate) fn keep(dialect: Option<&Dialect>, jar: &mut Jar, headers: &HeaderMap) {
    if keeps_cookies(dialect) {
        let lines = headers.get_all(SET_COOKIE).iter();
        jar.keep(lines.filter_map(|line| line.to_str().ok()));
    }
}

/// Adds the cookies that are kept.
pub(crate) fn with_cookies(builder: RequestBuilder, jar: &Jar) -> RequestBuilder {
    match jar.header() {
        Some(cookies) => builder.header(COOKIE, cookies),
        None => builder,
    }
}

/// Adds the access token, where there is one.
pub(crate) fn with_access(builder: RequestBuilder, access: &str) -> RequestBuilder {
    if access.is_empty() {
        builder
    } else {
        builder.bearer_auth(access)
    }
}

/// What a login repeats of the page before it; `Err`: what is not in it.
pub(crate) fn captured_of_page(
    dialect: Option<&Dialect>,
    body: &[u8],
    jar: &Jar,
) -> Result<Vec<(String, String)>, String> {
    match dialect.and_then(|dialect| dialect.login.as_ref()) {
        Some(login) => captured(&login.capture, body, jar),
        None => Ok(Vec::new()),
    }
}

/// Where a connection token is asked for.
pub(crate) fn token_path(dialect: Option<&Dialect>) -> &str {
    let token = dialect.and_then(|dialect| dialect.token.as_ref());
    token.map_or(TOKEN_PATH, |token| &token.path)
}

/// Adds a login's body. The headers of the dialect are the client's own: see [`headers`].
pub(crate) fn with_login(
    builder: RequestBuilder,
    dialect: Option<&Dialect>,
    who: Who<'_>,
    captured: &[(String, String)],
) -> RequestBuilder {
    let login = dialect.and_then(|dialect| dialect.login.as_ref());
    let user = login.map_or("email", |login| &login.user);
    let secret = login.map_or("password", |login| &login.password);
    let further = login.iter().flat_map(|login| &login.fields);
    let further =
        further.map(|(name, value)| (name.as_str(), filled(value, (captured, who.cells))));
    let further: Vec<(&str, String)> = further.collect();
    let mut pairs = vec![(user, who.account), (secret, who.password)];
    pairs.extend(further.iter().map(|(name, value)| (*name, value.as_str())));
    let headers = login.iter().flat_map(|login| &login.headers);
    let builder = headers.fold(builder, |builder, (name, value)| {
        builder.header(name, filled(value, (captured, who.cells)))
    });
    match login.map(|login| login.body) {
        Some(BodyKind::Form) => {
            typed(builder, dialect, "application/x-www-form-urlencoded").body(form(&pairs))
        }
        Some(BodyKind::Json) | None => typed(builder, dialect, JSON).json(&object(&pairs)),
    }
}

/// Adds the body of a wish for a connection token.
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
    typed(builder, dialect, JSON).json(&body)
}

/// A template with what was captured of a page, and what the account has; braces in that are no places.
fn filled(template: &str, (captured, cells): (&[(String, String)], Option<&Cells>)) -> String {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        filled.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let place = rest.split_once('}').and_then(|(name, after)| {
            let mut captured = captured.iter();
            let captured = captured.find(|(known, _)| known == name);
            let value = captured.map(|(_, value)| value.as_str());
            Some((value.or_else(|| cells?.value(name))?, after))
        });
        match place {
            Some((value, after)) => {
                filled.push_str(value);
                rest = after;
            }
            None => filled.push('{'),
        }
    }
    filled.push_str(rest);
    filled
}

const JSON: &str = "application/json";

/// The type of a body: the user's, where the headers of the dialect name one.
fn typed(builder: RequestBuilder, dialect: Option<&Dialect>, usual: &str) -> RequestBuilder {
    let mut headers = dialect.iter().flat_map(|dialect| &dialect.headers);
    let named = headers.find(|(name, _)| name.eq_ignore_ascii_case(CONTENT_TYPE.as_str()));
    builder.header(CONTENT_TYPE, named.map_or(usual, |(_, value)| value))
}

/// What every request to a target carries: its `Host`, and the headers of the dialect. One that a
/// request sets itself comes before these. What cannot be sent was refused when the scenario was
/// read.
pub(crate) fn headers(dialect: Option<&Dialect>, host: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in dialect.iter().flat_map(|dialect| &dialect.headers) {
        let name = HeaderName::try_from(name);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    if let Some(host) = host.and_then(|host| HeaderValue::try_from(host).ok()) {
        headers.insert(HOST, host);
    }
    headers
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
pub(crate) mod tests {
    use super::*;
    use crate::plan::compile;
    use crate::scenario::Overrides;

    /// The contract's, as a table that says nothing makes it.
    pub(crate) fn dialect() -> Dialect {
        let text = "# ?\n[environment]\nusers = { password = \"${env:P}\" }\n[load]\nclients = 1\nhold = \"1s\"\n[target]\n";
        let plan = compile("t.toml", text, &Overrides::default()).unwrap();
        *plan.environment.dialect.unwrap()
    }

    fn request(dialect: &Dialect) -> reqwest::Request {
        let client =
            reqwest::Client::builder().default_headers(headers(Some(dialect), Some("chat.test")));
        let builder = client.no_proxy().build().unwrap().post("http://127.0.0.1/");
        let who = Who {
            account: "a b",
            password: "x&y=z",
            cells: None,
        };
        with_login(builder, Some(dialect), who, &[])
            .build()
            .unwrap()
    }

    #[test]
    fn a_form_is_escaped() {
        assert_eq!(
            form(&[("user", "a b"), ("p", "x&y=z")]),
            "user=a+b&p=x%26y%3Dz"
        );
    }

    #[test]
    fn a_body_has_one_type_and_that_is_the_users_where_there_is_one() {
        let mut dialect = dialect();
        let types = |dialect: &Dialect| -> Vec<String> {
            let request = request(dialect);
            let types = request.headers().get_all(CONTENT_TYPE).iter();
            types
                .map(|value| value.to_str().unwrap().to_owned())
                .collect()
        };
        assert_eq!(types(&dialect), [JSON]);
        dialect.login.as_mut().unwrap().body = BodyKind::Form;
        assert_eq!(types(&dialect), ["application/x-www-form-urlencoded"]);
        dialect
            .headers
            .insert("content-type".to_owned(), "a/b".to_owned());
        assert_eq!(types(&dialect), ["a/b"]);
    }

    #[test]
    fn a_request_has_one_host() {
        let mut dialect = dialect();
        dialect
            .headers
            .insert("X-Tenant".to_owned(), "acme".to_owned());
        let all = headers(Some(&dialect), Some("chat.test"));
        assert_eq!(all["host"], "chat.test");
        assert_eq!(all["x-tenant"], "acme");
        assert_eq!(all.len(), 2);
    }
}
