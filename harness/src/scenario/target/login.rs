//! This module reads how clients log in.
//!
//! **In:** `login` of `[target]`. **Out:** [`Login`].

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::columns::{Columns, Taken};
use super::open::capture_of;
use super::part::{NONE, TEXT_MAX, optional, path, text};
use super::template;
use crate::scenario::document::{Node, Value};
use crate::scenario::header;
use crate::scenario::problem::{Complaint, Problems};
use crate::scenario::section::Section;
use crate::scenario::value;

/// Most fields of a body beside name and password.
const FIELDS_MAX: usize = 16;
/// Most statuses of success.
const STATUSES_MAX: usize = 8;
/// Most redirects that can be followed.
pub(crate) const REDIRECTS_MAX: u8 = 10;
/// Where in a page a value stands.
const PLACE: &str = "*";
const COOKIE: &str = "cookie:";

/// A request with a name and a password, for an access token or cookies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Login {
    pub path: String,
    #[serde(default, skip_serializing_if = "Method::is_post")]
    pub method: Method,
    pub body: BodyKind,
    /// Fields of the request.
    pub user: String,
    pub password: String,
    /// Field of the answer, `a.b` for one within another; "body": the whole body is the token; "none": it holds no token, the
    /// cookies are all.
    pub token: String,
    /// Field of the answer that says how many seconds the token lasts; `None`: until it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<String>,
    /// The statuses of success; empty: any 2xx.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expect: Vec<u16>,
    /// Most redirects of the answer that are followed, by GET, on the same host.
    #[serde(default, skip_serializing_if = "is_none")]
    pub redirects: u8,
    /// What is asked for first, by GET.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// Values of that page, by name: `cookie:NAME`, or what stands around one, with `*` in its place.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub capture: BTreeMap<String, String>,
    /// Further fields of the request: templates with what was captured.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
    /// Further headers of the request, the same.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
const fn is_none(redirects: &u8) -> bool {
    *redirects == 0
}

impl Login {
    /// The answer holds a token.
    pub(crate) fn has_token(&self) -> bool {
        self.token != NONE
    }
}

/// How a login is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Method {
    #[default]
    Post,
    Put,
}

impl Method {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
    fn is_post(&self) -> bool {
        *self == Self::Post
    }
}

/// What a login is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BodyKind {
    Json,
    Form,
}

pub(crate) const BODIES: [(&str, BodyKind); 2] =
    [("json", BodyKind::Json), ("form", BodyKind::Form)];
pub(crate) const METHODS: [(&str, Method); 2] = [("post", Method::Post), ("put", Method::Put)];

/// Reads `login`, where it is a table.
pub(super) fn read(
    table: &mut Section<'_>,
    columns: Columns<'_>,
    problems: &mut Problems,
) -> Login {
    let mut taken = Taken::none(columns);
    let capture = capture_of(table, (&mut taken, pattern), problems);
    let captured: Vec<&str> = capture.keys().map(String::as_str).collect();
    let fields = table.read(problems, "fields", |node| {
        fields(node, (&captured, columns))
    });
    let is_captured = |value: &str| template::places(value).next().is_some();
    let headers = header::read_with(table, is_captured, problems);
    for (name, value) in &headers {
        if let Err(complaint) = columns.check(value, &captured, &[]) {
            let field = table.field(&format!("headers.{name}"));
            problems.add(&table.at.clone(), field, complaint);
        }
    }
    let has_page = table.has("page");
    if !has_page && !capture.is_empty() {
        let complaint = Complaint::new("nothing is asked for from which it could be taken")
            .hint("name the page before the login: page = \"/accounts/login/\"");
        problems.add(&table.at.clone(), table.field("capture"), complaint);
    }
    Login {
        path: path(table, problems, "path", "/api/auth/login/"),
        method: table
            .read_or(problems, "method", Method::Post, value::choice(&METHODS))
            .value,
        body: table
            .read_or(problems, "body", BodyKind::Json, value::choice(&BODIES))
            .value,
        user: text(table, problems, "user", "email"),
        password: text(table, problems, "password", "password"),
        token: text(table, problems, "token", "token"),
        expires_in: optional(table, problems, "expires_in", None),
        expect: table
            .read(problems, "expect", statuses)
            .map_or_else(Vec::new, |expect| expect.value),
        redirects: table
            .read_or(problems, "redirects", 0, value::integer(0..=REDIRECTS_MAX))
            .value,
        page: has_page.then(|| path(table, problems, "page", "/")),
        capture,
        fields: fields.map_or_else(BTreeMap::new, |fields| fields.value),
        headers,
    }
}

/// A status, or a list of them.
fn statuses(node: &Node) -> Result<Vec<u16>, Complaint> {
    let one = || value::integer(200..=399_u16);
    match &node.value {
        Value::List(items) if !items.is_empty() => value::list(STATUSES_MAX, one())(node),
        _ => one()(node).map(|status| vec![status]),
    }
}

/// Where in a page a value stands.
fn pattern(node: &Node) -> Result<String, Complaint> {
    let pattern = value::text(TEXT_MAX)(node)?;
    let is_cookie = pattern
        .strip_prefix(COOKIE)
        .is_some_and(|name| !name.is_empty());
    let around = pattern.split(PLACE).collect::<Vec<_>>();
    let is_around =
        matches!(&around[..], [before, after] if !before.is_empty() && !after.is_empty());
    if is_cookie || is_around {
        return Ok(pattern);
    }
    let complaint = Complaint::new(format!("\"{pattern}\" does not say where the value stands"));
    Err(complaint.hint(
        "write \"cookie:csrftoken\", or what stands around it with one `*` in its place: 'name=\"_token\" value=\"*\"'",
    ))
}

fn fields(
    node: &Node,
    (captured, columns): (&[&str], Columns<'_>),
) -> Result<BTreeMap<String, String>, Complaint> {
    let Value::Table(entries) = &node.value else {
        let fact = format!("expected a table, found {}", node.value.found());
        return Err(Complaint::new(fact).hint("write fields = { remember = \"on\" }"));
    };
    if entries.len() > FIELDS_MAX {
        let fact = format!("at most {FIELDS_MAX} fields, found {}", entries.len());
        return Err(Complaint::new(fact));
    }
    let mut fields = BTreeMap::new();
    for (name, entry) in entries {
        let value = value::text(TEXT_MAX)(&entry.node)?;
        columns.check(&value, captured, &[])?;
        fields.insert(name.clone(), value);
    }
    Ok(fields)
}
