//! This module finds the login among the requests of a browser.
//!
//! **In:** requests. **Out:** [`Found`]: the key `login` without its token, and who logged in.

use std::collections::BTreeMap;

use reqwest::Url;

use super::har::Request;
use super::leaf;
use super::secret::{Secrets, is_random, is_secret_field};
use crate::account::percent_encoded;

/// What fields with a password are called, and with an account, the likeliest first.
const PASSWORDS: [&str; 6] = [
    "password",
    "passwd",
    "pwd",
    "passcode",
    "passphrase",
    "pass",
];
const ACCOUNTS: [&str; 11] = [
    "email",
    "username",
    "login",
    "user",
    "account",
    "identifier",
    "phone",
    "name",
    "nick",
    "mail",
    "handle",
];
/// Headers and cookies with a token against forgery hold it.
const FORGERY: [&str; 4] = ["csrf", "xsrf", "_token", "authenticity"];
/// Most bytes of a page that stand before a value and tell it apart.
const BEFORE_BYTES_MAX: usize = 120;
/// Most values of a login that are looked for in the pages before it.
const VALUES_MAX: usize = 64;

/// A login.
pub(super) struct Found<'r> {
    pub(super) request: &'r Request,
    pub(super) account: String,
    pub(super) keys: toml::Table,
    pub(super) notes: Vec<String>,
}

/// What of an address follows the host, without what is secret.
fn path_and_query(url: &Url) -> String {
    let path = url.path().to_owned();
    let pairs = url
        .query_pairs()
        .filter(|(name, value)| !is_secret_field(name, value));
    let pairs = pairs
        .map(|(name, value)| format!("{}={}", percent_encoded(&name), percent_encoded(&value)));
    let pairs: Vec<String> = pairs.collect();
    if pairs.is_empty() {
        path
    } else {
        format!("{path}?{}", pairs.join("&"))
    }
}

/// Whether a name is of a token against forgery.
pub(super) fn is_forgery(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    FORGERY.iter().any(|part| name.contains(part))
}

/// The last login of these requests.
pub(super) fn find<'r>(requests: &[&'r Request], secrets: &mut Secrets) -> Option<Found<'r>> {
    let asked = requests
        .iter()
        .filter(|request| ["POST", "PUT"].contains(&request.method.as_str()));
    let mut with_fields = asked.filter_map(|request| {
        let (kind, fields) = fields(request)?;
        let password = named(&fields, &PASSWORDS)?;
        Some((*request, kind, password, fields))
    });
    let (request, kind, password, fields) = with_fields.next_back()?;
    let others: BTreeMap<String, String> = fields
        .iter()
        .filter(|(name, _)| *name != &password)
        .map(|(n, v)| (n.clone(), v.clone()))
        .collect();
    let is_account = |(name, value): &(&String, &String)| {
        !is_forgery(name) && !is_secret_field(name, value) && !is_random(value)
    };
    let first = || others.iter().find(is_account).map(|(name, _)| name.clone());
    let user = named(&others, &ACCOUNTS).or_else(first)?;
    secrets.add(&fields[&password]);
    let mut keys = toml::Table::new();
    let mut set = |key: &str, value: toml::Value| drop(keys.insert(key.to_owned(), value));
    set("path", path_and_query(&request.url).into());
    set("body", kind.into());
    set("user", user.clone().into());
    set("password", password.clone().into());
    if request.method == "PUT" {
        set("method", "put".into());
    }
    if (300..400).contains(&request.status) {
        set("expect", i64::from(request.status).into());
    }
    let mut further = Further::new(request, requests);
    let further_fields: Vec<(String, String)> = others
        .iter()
        .filter(|(name, _)| **name != user)
        .map(|(name, value)| (name.clone(), further.value(name, value, secrets)))
        .collect();
    let headers = request.headers.iter().filter(|(name, _)| is_forgery(name));
    let mut headers: Vec<(String, String)> = headers
        .map(|(name, value)| (name.to_owned(), further.value(name, value, secrets)))
        .collect();
    if further.page.is_some() && request.url.scheme() == "https" {
        let referer = request.headers.get("referer");
        let referer = referer.and_then(|referer| referer.split('?').next());
        headers.extend(referer.map(|referer| ("Referer".to_owned(), referer.to_owned())));
    }
    if let Some(page) = further.page {
        set("page", page.into());
        set("capture", table(further.capture));
    }
    for (key, pairs) in [("fields", further_fields), ("headers", headers)] {
        if !pairs.is_empty() {
            set(key, table(pairs));
        }
    }
    Some(Found {
        request,
        account: others[&user].clone(),
        keys,
        notes: further.notes,
    })
}

fn table(pairs: Vec<(String, String)>) -> toml::Value {
    let pairs = pairs.into_iter();
    let pairs = pairs.map(|(name, value)| (name, toml::Value::from(value)));
    toml::Value::Table(pairs.collect())
}

fn named(fields: &BTreeMap<String, String>, names: &[&str]) -> Option<String> {
    let last = |key: &str| {
        let small = key.to_ascii_lowercase();
        let mut parts = small
            .split(|c: char| !c.is_alphanumeric())
            .filter(|part| !part.is_empty());
        parts.next_back().unwrap_or_default().to_owned()
    };
    let of = |name: &&str| {
        let mut keys = fields
            .iter()
            .filter(|(key, value)| !value.is_empty() && !is_forgery(key));
        keys.find(|(key, _)| last(key) == **name || last(key).ends_with(name) && name.len() > 4)
            .map(|(key, _)| key.clone())
    };
    names.iter().find_map(of)
}

/// A login whose fields lie deeper than a scenario can say.
pub(super) fn is_nested(requests: &[&Request], secrets: &mut Secrets) -> bool {
    let mut found = false;
    for body in requests.iter().filter_map(|request| request.body.as_ref()) {
        let leaves = leaf::leaves(&body.1).into_iter();
        for leaf in leaves.filter(|leaf| leaf.path.contains('.') && PASSWORDS.contains(&leaf.key()))
        {
            secrets.add(&leaf.value);
            found = true;
        }
        found |= body.0.contains("multipart") && body.1.contains("name=\"password\"");
    }
    found
}

/// The fields of a request, and what they are written as.
fn fields(request: &Request) -> Option<(&'static str, BTreeMap<String, String>)> {
    let (kind, body) = request.body.as_ref()?;
    if leaf::head(body) == Some(0) {
        let leaves = leaf::leaves(body)
            .into_iter()
            .filter(|leaf| !leaf.path.contains('.'));
        return Some(("json", leaves.map(|leaf| (leaf.path, leaf.value)).collect()));
    }
    let is_form =
        kind.contains("urlencoded") || (!kind.contains("multipart") && body.contains('='));
    let form = is_form
        .then(|| Url::parse(&format!("form:?{body}")).ok())
        .flatten()?;
    Some((
        "form",
        form.query_pairs()
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect(),
    ))
}

/// What a login sends beside account and password.
struct Further<'r> {
    /// Pages before it, the last one first.
    pages: Vec<&'r Request>,
    /// Values that were looked for in them.
    looked_for: usize,
    page: Option<String>,
    capture: Vec<(String, String)>,
    notes: Vec<String>,
}

impl<'r> Further<'r> {
    fn new(login: &Request, requests: &[&'r Request]) -> Self {
        let pages = requests
            .iter()
            .rev()
            .filter(|request| request.entry < login.entry && request.method == "GET");
        Self {
            pages: pages.copied().collect(),
            looked_for: 0,
            page: None,
            capture: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// What to write for a value: the place of a token that a page has, or itself, unless it is secret.
    fn value(&mut self, name: &str, value: &str, secrets: &mut Secrets) -> String {
        // Words stand in pages too.
        let is_token = is_forgery(name) || is_random(value);
        if !is_token && (is_secret_field(name, value) || secrets.holds(value)) {
            secrets.add(value);
            self.notes.push(format!(
                "login sends `{name}`, which looks like a secret and was left out"
            ));
            return super::secret::REMOVED.to_owned();
        }
        self.looked_for += usize::from(is_token);
        let found = self
            .pages
            .iter()
            .filter(|_| is_token && self.looked_for <= VALUES_MAX)
            .find_map(|page| Some((*page, pattern(page, value)?)));
        let Some((page, pattern)) = found else {
            if is_token {
                secrets.add(value);
                self.notes.push(format!("login sends `{name}`, a token that no page before it holds: record from the login page on"));
                return super::secret::REMOVED.to_owned();
            }
            return value.to_owned();
        };
        secrets.add(value);
        self.page = Some(path_and_query(&page.url));
        let known = self.capture.iter().find(|(_, own)| *own == pattern);
        if let Some((place, _)) = known {
            return format!("{{{place}}}");
        }
        let place = match self.capture.len() {
            0 => "csrf".to_owned(),
            others => format!("csrf_{}", others + 1),
        };
        let written = format!("{{{place}}}");
        self.capture.push((place, pattern));
        written
    }
}

/// Where in a page a value stands: a cookie, or what stands around it.
fn pattern(page: &Request, value: &str) -> Option<String> {
    let lines = page.answer_headers.all("set-cookie").flat_map(str::lines);
    let mut cookies = lines.filter_map(|line| line.split(';').next()?.split_once('='));
    if let Some((name, _)) = cookies.find(|(_, own)| *own == value && value.len() > 7) {
        return Some(format!("cookie:{name}"));
    }
    let answer = page.answer.as_deref().filter(|_| value.len() > 7)?;
    let at = answer.find(value)?;
    let mut start = at.saturating_sub(BEFORE_BYTES_MAX);
    while !answer.is_char_boundary(start) {
        start += 1;
    }
    let before = &answer[start..at];
    // From the beginning of its tag, or of its line.
    let before = &before[before.rfind(['<', '\n']).map_or(0, |mark| mark + 1)..];
    let after = answer[at + value.len()..].chars().next()?;
    let pattern = format!("{before}*{after}");
    let is_told = !before.contains('*') && crate::account::between(answer, &pattern) == Some(value);
    is_told.then_some(pattern)
}
