//! This module finds what a login has to repeat of the page that comes before it.
//!
//! **In:** the page, and the cookies after it. **Out:** values by name, or which was not there.

use std::collections::BTreeMap;

use super::jar::Jar;

/// Says that a value is a cookie's.
const COOKIE: &str = "cookie:";
/// Where in a pattern the value stands.
const PLACE: char = '*';
/// Longest value.
const VALUE_BYTES_MAX: usize = 4 * 1024;

/// The values of a page; `Err`: the name of one that is not there, and where it was looked for.
pub(crate) fn captured(
    capture: &BTreeMap<String, String>,
    page: &[u8],
    jar: &Jar,
) -> Result<Vec<(String, String)>, String> {
    let page = String::from_utf8_lossy(page);
    let one = |(name, from): (&String, &String)| {
        let value = match from.strip_prefix(COOKIE) {
            Some(cookie) => jar.value(cookie).map(str::to_owned),
            None => between(&page, from).map(str::to_owned),
        };
        match value {
            Some(value) => Ok((name.clone(), value)),
            None => Err(format!("nothing for {{{name}}}: `{from}` is not there")),
        }
    };
    capture.iter().map(one).collect()
}

/// What stands in a text at the place of a pattern, `before*after`: the first `before`, and the first `after` behind it. One
/// that is empty is the beginning, or the end, of the text.
pub(crate) fn between<'t>(text: &'t str, pattern: &str) -> Option<&'t str> {
    let (before, after) = pattern.split_once(PLACE)?;
    let rest = &text[text.find(before)? + before.len()..];
    let end = if after.is_empty() {
        rest.len()
    } else {
        rest.find(after)?
    };
    let value = &rest[..end];
    let is_value = !value.is_empty() && value.len() <= VALUE_BYTES_MAX;
    is_value.then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_taken_from_a_cookie_or_from_between_its_neighbours() {
        let mut jar = Jar::default();
        jar.keep(["csrftoken=c0ffee; Path=/"]);
        let page = br#"<input name="_token" value="abc+/="> <input value="x">"#;
        let take = |from: &str| {
            let capture = BTreeMap::from([("csrf".to_owned(), from.to_owned())]);
            captured(&capture, page, &jar).map(|mut values| values.remove(0).1)
        };
        assert_eq!(take("cookie:csrftoken").as_deref(), Ok("c0ffee"));
        assert_eq!(take("name=\"_token\" value=\"*\"").as_deref(), Ok("abc+/="));
        let why = take("cookie:other").unwrap_err();
        assert_eq!(why, "nothing for {csrf}: `cookie:other` is not there");
        assert!(take("value='*'").is_err());
    }
}
