//! This module judges the answer to a login, a refresh or the wish for a connection token.
//!
//! **In:** status and body. **Out:** the credential in it, or [`NotGranted`]: what there is instead
//! of it, in words that name the field that was looked for and those that are there, and hold no
//! credential.
//!
//! Whoever asks (the load, the examination before it, trials, the doctor) judges by this, so that
//! what one of them can read, all can.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::shown::{first_line, masked, quoted};
use crate::format;
use crate::scenario::target::Dialect;

/// Longest answer that is read.
pub(crate) const BODY_BYTES_MAX: usize = 64 * 1024;
/// Instead of a field: the whole body is the credential.
const WHOLE_BODY: &str = "body";
/// Most fields of a body that are named, and how deep they may lie.
const FIELDS_MAX: usize = 12;
const FIELD_DEPTH_MAX: usize = 4;
const FIELD_CHARS_MAX: usize = 60;
/// Where the scenario says which field holds how long an access token lasts.
pub(crate) const LIFETIME_KEY: &str = "login.expires_in";
/// Longest life of a token that is told apart from an endless one.
const LIFETIME_MAX: Duration = Duration::from_hours(10 * 365 * 24);
/// A new token is wanted when so little of the old one's life is left: a tenth, and never more than this.
const RENEWED_BEFORE_MAX: Duration = Duration::from_secs(30);
/// In an answer that may be nothing but a credential, words with a digit that are so long are left
/// out.
const GRANTED_WORD_CHARS: usize = 8;

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// An access token, for an account and its password.
    Login,
    /// Another one, for the cookie of a login.
    Refresh,
    /// A connection token.
    Token,
}

impl Ask {
    /// As it is called in messages.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Refresh => "refresh",
            Self::Token => "token",
        }
    }

    /// The field of the answer, `a.b` for one within another.
    fn field(self, dialect: Option<&Dialect>) -> &str {
        match (self, dialect) {
            (Self::Login, Some(dialect)) => {
                let login = dialect.login.as_ref();
                login.map_or("token", |login| &login.token)
            }
            (Self::Token, Some(dialect)) => {
                let token = dialect.token.as_ref();
                token.map_or("connection_token", |token| &token.field)
            }
            (Self::Login | Self::Refresh, _) => "token",
            (Self::Token, None) => "connection_token",
        }
    }

    /// Where the scenario says which field it is.
    const fn key(self) -> &'static str {
        match self {
            Self::Login | Self::Refresh => "login.token",
            Self::Token => "token.field",
        }
    }
}

/// Why an answer gives no credential.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotGranted {
    /// The server says no.
    #[error("{status}{}", after(line))]
    Refused { status: u16, line: String },
    /// It says yes, and there is no credential where one was looked for.
    #[error("{status}, but {}", absence(key, field, there))]
    Absent {
        status: u16,
        key: &'static str,
        field: String,
        there: There,
    },
}

impl NotGranted {
    /// Without these secrets, which an answer may repeat.
    pub(crate) fn masked(self, secrets: &[&str]) -> Self {
        match self {
            Self::Refused { status, line } => Self::Refused {
                status,
                line: masked(&line, secrets),
            },
            absent @ Self::Absent { .. } => absent,
        }
    }
}

/// The key that names the field of a login's token.
const LOGIN_TOKEN: &str = "login.token";
/// What a login may be for that gives none.
const BY_COOKIE: &str =
    "; where it sets a session cookie instead, write login.token = \"none\" and cookies = true";

/// What there is instead of a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum There {
    /// An empty body.
    Nothing,
    /// A body that is no JSON with fields; its first line.
    Text { line: String },
    /// The field is there and holds something else.
    Other { what: &'static str },
    /// Other fields.
    Fields { names: Vec<String>, more: usize },
}

fn after(line: &str) -> String {
    if line.is_empty() {
        ", with an empty body".to_owned()
    } else {
        format!(": {line}")
    }
}

fn absence(key: &str, field: &str, there: &There) -> String {
    match there {
        There::Nothing => "the body is empty".to_owned(),
        There::Text { line } if field == WHOLE_BODY => format!("the body is not a token: {line}"),
        There::Text { line } => {
            format!("the body is a text, so it has no field `{field}`: {line}")
        }
        There::Other { what } if key == LIFETIME_KEY => {
            format!("its field `{field}` is {what}, not the seconds that the token lasts")
        }
        There::Other { what } if field == WHOLE_BODY => format!("the body is {what}, not a token"),
        There::Other { what } => format!("its field `{field}` is {what}, not a token"),
        There::Fields { names, .. } if names.is_empty() => {
            format!("there is no field `{field}` in the body, nor any other")
        }
        There::Fields { names, more } => {
            let more = match more {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!(
                "there is no field `{field}` in the body; its fields: {}{more}",
                names.join(", ")
            )
        }
    }
}

impl NotGranted {
    /// The status of the answer.
    pub(crate) const fn status(&self) -> u16 {
        match self {
            Self::Refused { status, .. } | Self::Absent { status, .. } => *status,
        }
    }

    /// What can be done about it, where the scenario can.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Absent {
                key, field, there, ..
            } => {
                let likely = match there {
                    There::Fields { names, .. } => likely(key, names),
                    There::Nothing | There::Text { .. } | There::Other { .. } => None,
                };
                let hint = match (there, likely) {
                    (_, Some(name)) => format!("does [target] {key} = \"{name}\" name it?"),
                    (There::Text { .. }, None) if field != WHOLE_BODY && *key != LIFETIME_KEY => {
                        format!(
                            "where the whole body is the token, write [target] {key} = \"{WHOLE_BODY}\""
                        )
                    }
                    _ => format!("name the field with [target] {key}: it is \"{field}\" now"),
                };
                // Web pages give no token to who is let in.
                let session = likely.is_none() && *key == LOGIN_TOKEN;
                let session = if session { BY_COOKIE } else { "" };
                Some(hint + session)
            }
            Self::Refused { .. } => None,
        }
    }
}

/// The one field that sounds like a token, or like how long one lasts.
fn likely<'n>(key: &str, names: &'n [String]) -> Option<&'n str> {
    let sounds: &[&str] = if key == LIFETIME_KEY {
        &["expire", "ttl", "lifetime", "max_age", "seconds"]
    } else {
        &["token", "jwt", "access", "ticket", "key"]
    };
    let mut sounding = names.iter().filter(|name| {
        let name = name.to_ascii_lowercase();
        sounds.iter().any(|sound| name.contains(sound))
    });
    let first = sounding.next()?;
    sounding.next().is_none().then_some(first)
}

/// The credential in an answer.
///
/// # Errors
///
/// The status is none of success, or what was asked for is not in the body.
pub(crate) fn granted(
    dialect: Option<&Dialect>,
    ask: Ask,
    status: u16,
    body: &[u8],
) -> Result<String, NotGranted> {
    if !is_success(dialect, ask, status) {
        let line = quoted(body);
        return Err(NotGranted::Refused { status, line });
    }
    let absent = |key: &'static str, field: &str, there| NotGranted::Absent {
        status,
        key,
        field: field.to_owned(),
        there,
    };
    let login = dialect.and_then(|dialect| dialect.login.as_ref());
    let login = login.filter(|_| ask == Ask::Login);
    if let Some(field) = login.and_then(|login| login.expires_in.as_deref()) {
        seconds(field, body).map_err(|there| absent(LIFETIME_KEY, field, there))?;
    }
    if login.is_some_and(|login| !login.has_token()) {
        return Ok(String::new());
    }
    let field = ask.field(dialect);
    credential(field, body).map_err(|there| absent(ask.key(), field, there))
}

/// When an access token is to be followed by another one, after the moment at which it was asked for: a little ahead of its
/// end, where the answer to its login says how long it lasts.
pub(crate) fn renewed_after(dialect: Option<&Dialect>, body: &[u8]) -> Option<Duration> {
    let field = dialect?.login.as_ref()?.expires_in.as_deref()?;
    let life = seconds(field, body).ok()?;
    Some(life.saturating_sub((life / 10).min(RENEWED_BEFORE_MAX)))
}

/// A length of time in an answer, in seconds.
fn seconds(field: &str, body: &[u8]) -> Result<Duration, There> {
    let text = credential(field, body)?;
    let Ok(seconds) = text.trim().parse::<f64>() else {
        return Err(There::Other { what: "a text" });
    };
    if seconds > 0.0 {
        let most = LIFETIME_MAX.as_secs_f64();
        return Ok(Duration::from_secs_f64(seconds.min(most)));
    }
    Err(There::Other {
        what: "no number above 0",
    })
}

/// Whether an answer with that status grants what was asked for.
pub(crate) fn is_success(dialect: Option<&Dialect>, ask: Ask, status: u16) -> bool {
    let login = dialect.and_then(|dialect| dialect.login.as_ref());
    match login.filter(|login| ask == Ask::Login && !login.expect.is_empty()) {
        Some(login) => login.expect.contains(&status),
        None => (200..300).contains(&status),
    }
}

fn credential(field: &str, body: &[u8]) -> Result<String, There> {
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Err(There::Nothing);
    }
    let Ok(value) = serde_json::from_str::<Value>(text) else {
        // A page is no token.
        if field == WHOLE_BODY && !text.contains(['<', '\n']) {
            return Ok(text.to_owned());
        }
        return Err(There::Text {
            line: first_line(body, GRANTED_WORD_CHARS),
        });
    };
    match found(&value, field) {
        Some(held) => token(held),
        None if field == WHOLE_BODY => match token(&value) {
            Err(There::Other { .. }) if value.is_object() => Err(fields(&value)),
            other => other,
        },
        None if value.is_string() || value.is_number() => Err(There::Text {
            line: first_line(body, GRANTED_WORD_CHARS),
        }),
        None => Err(fields(&value)),
    }
}

fn token(value: &Value) -> Result<String, There> {
    let what = match value {
        Value::String(text) if text.is_empty() => "empty",
        Value::String(text) => return Ok(text.clone()),
        Value::Number(number) => return Ok(number.to_string()),
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    Err(There::Other { what })
}

/// A field, `a.b` for one within another; a number is a place in a list, from 0.
pub(crate) fn found<'v>(frame: &'v Value, field: &str) -> Option<&'v Value> {
    let mut steps = field.split('.');
    steps.try_fold(frame, |value, step| match value {
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        other => other.get(step),
    })
}

/// A text in an answer.
pub(crate) fn text(body: &[u8], field: &str) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    found(&body, field)?.as_str().map(str::to_owned)
}

/// The fields of a body that hold a value, without the values.
fn fields(value: &Value) -> There {
    let mut names = Vec::new();
    name_fields(value, "", FIELD_DEPTH_MAX, &mut names);
    let more = names.len().saturating_sub(FIELDS_MAX);
    names.truncate(FIELDS_MAX);
    There::Fields { names, more }
}

fn name_fields(value: &Value, path: &str, depth: usize, names: &mut Vec<String>) {
    let mut step = |name: &str, below: &Value| {
        let name = match path {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        };
        match below {
            Value::Object(_) | Value::Array(_) if depth > 1 => {
                name_fields(below, &name, depth - 1, names);
            }
            _ => {
                let shown: String = name.chars().take(FIELD_CHARS_MAX).collect();
                names.push(format::harmless(&shown));
            }
        }
    };
    match value {
        Value::Object(map) => map.iter().for_each(|(name, below)| step(name, below)),
        Value::Array(items) => {
            if let Some(first) = items.first() {
                step("0", first);
            }
        }
        _ => {}
    }
}

/// How long a `Retry-After` asks to wait: seconds, or a date (RFC 9110, section 10.2.3).
pub(crate) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        if seconds.is_nan() || seconds < 0.0 {
            return None;
        }
        return Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX));
    }
    // A date names a second: it is past when that is over.
    let date = httpdate::parse_http_date(value).ok()? + Duration::from_secs(1);
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::target::Dialect;

    /// The token of a login whose field is named so.
    fn login(field: &str, status: u16, body: &str) -> Result<String, String> {
        let mut dialect: Dialect = crate::account::tests::dialect();
        dialect.login.as_mut().unwrap().token = field.to_owned();
        let granted = granted(Some(&dialect), Ask::Login, status, body.as_bytes());
        granted.map_err(|none| match none.hint() {
            Some(hint) => format!("{none} ({hint})"),
            None => none.to_string(),
        })
    }

    #[track_caller]
    fn reads(field: &str, status: u16, body: &str, token: &str) {
        assert_eq!(login(field, status, body).as_deref(), Ok(token));
    }

    #[track_caller]
    fn refuses(field: &str, status: u16, body: &str, said: &str) {
        let why = login(field, status, body).unwrap_err();
        assert!(why.contains(said), "{why}");
    }

    #[test]
    fn every_answer_of_success_is_read_whatever_the_token_is_written_as() {
        reads("token", 200, r#"{"token":"T"}"#, "T");
        reads("token", 202, r#"{"token":"T"}"#, "T");
        reads("token", 299, "\u{feff}{\"token\":\"T\"}", "T");
        reads("token", 200, r#"{"token":123456}"#, "123456");
        reads("data.jwt", 200, r#"{"data":{"jwt":"T"}}"#, "T");
        reads(
            "tokens.1.value",
            200,
            r#"{"tokens":[{},{"value":"T"}]}"#,
            "T",
        );
        reads("body", 200, "a.b-c_d\r\n", "a.b-c_d");
        reads("body", 200, "\"T\"", "T");
        reads("body", 200, "77", "77");
        reads("body", 200, r#"{"body":"T"}"#, "T");
    }

    #[test]
    fn what_is_no_token_is_told_by_the_fields_that_are_there() {
        refuses(
            "token",
            200,
            r#"{"data":{"access_token":"very-secret","user":{"id":1}},"ok":true}"#,
            "200, but there is no field `token` in the body; its fields: data.access_token, data.user.id, ok \
             (does [target] login.token = \"data.access_token\" name it?)",
        );
        refuses("token", 204, "", "204, but the body is empty");
        refuses(
            "token",
            200,
            r#"{"token":""}"#,
            "its field `token` is empty",
        );
        refuses("token", 200, r#"{"token":{"a":1}}"#, "is an object");
        refuses("token", 200, "null", "nor any other");
        refuses("token", 200, "[]", "nor any other");
        refuses(
            "token",
            200,
            "welcome",
            "is a text, so it has no field `token`: welcome",
        );
        refuses("token", 200, "tok-000001", "`token`: ***");
        refuses("token", 200, "welcome", "login.token = \"body\"");
        refuses("token", 200, "\"T\"", "login.token = \"body\"");
        refuses("body", 200, "<html>\n<p>hello", "is not a token: <html>");
        refuses("body", 200, r#"{"jwt":"T"}"#, "its fields: jwt");
    }

    #[test]
    fn a_refusal_is_told_with_its_first_line_and_without_what_may_be_a_credential() {
        refuses(
            "token",
            401,
            "\n  {\"error\":\"invalid_credentials\"}\nmore",
            "401: {\"error\":\"invalid_credentials\"}",
        );
        refuses("token", 403, "", "403, with an empty body");
        refuses(
            "token",
            400,
            "no user-000001 at /api/v1/auth/login/ with eyJhbGciOiJIUzI1NiJ9.e30.abc",
            "400: no user-000001 at /api/v1/auth/login/ with ***",
        );
        refuses("token", 500, "a\u{1b}[31mb", "500: a");
    }

    #[test]
    fn a_wait_is_a_number_of_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_770);
        let wait = |value| retry_after(value, now).map(|wait| wait.as_secs());
        assert_eq!(wait("3"), Some(3));
        assert_eq!(wait(" 1.5 "), Some(1));
        // To the end of the second that is named.
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT"), Some(8));
        assert_eq!(wait("Sat, 06 Nov 1993 08:49:37 GMT"), Some(0));
        assert_eq!(wait("-1"), None);
        assert_eq!(wait("soon"), None);
    }

    #[test]
    fn a_token_is_followed_by_another_a_tenth_of_its_life_ahead_of_its_end() {
        let mut dialect = crate::account::tests::dialect();
        let after = |dialect: &Dialect, body: &str| {
            renewed_after(Some(dialect), body.as_bytes()).map(|after| after.as_millis())
        };
        assert_eq!(after(&dialect, r#"{"token":"t","expires_in":60}"#), None);
        dialect.login.as_mut().unwrap().expires_in = Some("data.ttl".to_owned());
        for (ttl, expected) in [
            ("60", Some(54_000)),
            ("\"1.5\"", Some(1_350)),
            ("3600", Some(3_570_000)),
            ("1e300", Some(315_359_970_000)),
            ("0", None),
            ("-5", None),
            ("null", None),
            ("\"soon\"", None),
            ("\"NaN\"", None),
        ] {
            let body = format!("{{\"token\":\"t\",\"data\":{{\"ttl\":{ttl}}}}}");
            assert_eq!(after(&dialect, &body), expected, "{ttl}");
            let granted = granted(Some(&dialect), Ask::Login, 200, body.as_bytes());
            assert_eq!(granted.is_ok(), expected.is_some(), "{granted:?}");
        }
    }

    #[test]
    fn a_login_that_does_not_say_how_long_its_token_lasts_is_told() {
        let mut dialect = crate::account::tests::dialect();
        dialect.login.as_mut().unwrap().expires_in = Some("ttl".to_owned());
        let why = |body: &str| {
            let why = granted(Some(&dialect), Ask::Login, 200, body.as_bytes()).unwrap_err();
            format!("{why} | {}", why.hint().unwrap_or_default())
        };
        assert_eq!(
            why(r#"{"token":"t","expires_in":60}"#),
            "200, but there is no field `ttl` in the body; its fields: expires_in, token | does [target] login.expires_in = \"expires_in\" name it?"
        );
        assert_eq!(
            why(r#"{"token":"t","ttl":"soon"}"#),
            "200, but its field `ttl` is a text, not the seconds that the token lasts | name the field with [target] login.expires_in: it is \"ttl\" now"
        );
    }
}
