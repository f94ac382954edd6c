//! This module finds the values in a text: where each stands, and by which path it is found.
//!
//! **In:** a frame or a body. **Out:** its [`Leaf`]s, in the order of the text; none where it is no JSON.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::value::RawValue;

/// Longest beginning before the JSON of a frame.
const HEAD_BYTES_MAX: usize = 8;
/// Values of one text that are looked at, and how deep they may lie.
const LEAVES_MAX: usize = 512;
const DEPTH_MAX: usize = 16;

/// A text, a number, true, false or null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    /// `a.b.0`, as a scenario writes it.
    pub(super) path: String,
    /// Within the whole text, quotes left out.
    pub(super) span: Range<usize>,
    pub(super) value: String,
    pub(super) kind: Kind,
    /// It stands in JSON that stands in a text: no path leads there.
    pub(super) is_nested: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    /// True, false, null.
    Word,
}

impl Leaf {
    /// The last part of its path.
    pub(super) fn key(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or_default()
    }
}

/// Where the JSON of a frame begins: after a few digits or letters, as Socket.IO writes them. `None`: it holds none.
pub(super) fn head(text: &str) -> Option<usize> {
    let head = text.find(['{', '['])?;
    // After the heads of a frame of STOMP, too.
    let is_head = head <= HEAD_BYTES_MAX || text[..head].ends_with("\n\n");
    let json = is_head.then(|| &text[head..])?;
    serde_json::from_str::<&RawValue>(json)
        .is_ok()
        .then_some(head)
}

/// The values of a text.
pub(super) fn leaves(text: &str) -> Vec<Leaf> {
    let mut found = Vec::new();
    if let Some(head) = head(text) {
        let json: Result<&RawValue, _> = serde_json::from_str(&text[head..]);
        if let Ok(json) = json {
            walk(
                json,
                Walk {
                    text,
                    path: "",
                    depth: DEPTH_MAX,
                },
                &mut found,
            );
        }
    }
    found.sort_by_key(|leaf| leaf.span.start);
    found
}

/// Where a walk through the values of a text is.
#[derive(Clone, Copy)]
struct Walk<'t> {
    text: &'t str,
    path: &'t str,
    depth: usize,
}

fn walk(raw: &RawValue, at: Walk<'_>, found: &mut Vec<Leaf>) {
    if found.len() >= LEAVES_MAX || at.depth == 0 {
        return;
    }
    let json = raw.get();
    let mut go = |key: &str, value: &RawValue| {
        // A path cannot lead through such a key.
        if key.is_empty() || key.contains(['.', '*']) {
            return;
        }
        let path = match at.path {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        };
        let depth = at.depth - 1;
        walk(
            value,
            Walk {
                path: &path,
                depth,
                ..at
            },
            found,
        );
    };
    match json.as_bytes().first() {
        Some(b'{') => {
            let map: BTreeMap<Cow<'_, str>, &RawValue> =
                serde_json::from_str(json).unwrap_or_default();
            for (key, value) in map {
                go(&key, value);
            }
        }
        Some(b'[') => {
            let list: Vec<&RawValue> = serde_json::from_str(json).unwrap_or_default();
            for (index, value) in list.into_iter().enumerate() {
                go(&index.to_string(), value);
            }
        }
        _ => scalar(json, at, found),
    }
}

fn scalar(json: &str, at: Walk<'_>, found: &mut Vec<Leaf>) {
    // A raw value is a part of the text that it was read from.
    let start = json.as_ptr() as usize - at.text.as_ptr() as usize;
    let leaf = |value: String, span, kind| Leaf {
        path: at.path.to_owned(),
        span,
        value,
        kind,
        is_nested: false,
    };
    let Ok(text) = serde_json::from_str::<String>(json) else {
        let kind = match json.parse::<f64>() {
            Ok(_) => Kind::Number,
            Err(_) => Kind::Word,
        };
        found.push(leaf(json.to_owned(), start..start + json.len(), kind));
        return;
    };
    let span = start + 1..start + json.len() - 1;
    let is_json = text.starts_with(['{', '[']);
    let inner = if is_json { leaves(&text) } else { Vec::new() };
    // How far the text is gone through, and where that stands.
    let (mut until, mut start) = (0, span.start);
    for inner in inner {
        // Once more in quotes.
        let written = in_quotes(&text[inner.span.clone()]);
        start += in_quotes(&text[until..inner.span.start]).len();
        until = inner.span.start;
        if at.text.get(start..start + written.len()) == Some(&written) {
            found.push(Leaf {
                path: format!("{}.{}", at.path, inner.path),
                span: start..start + written.len(),
                is_nested: true,
                ..inner
            });
        }
    }
    found.push(leaf(text, span, Kind::Text));
}

/// A text as it stands in quotes of JSON.
pub(super) fn in_quotes(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_where_they_stand() {
        let text =
            r#"42["say",{"id": 7,"t":"a\"b","on":true,"x":[null],"d":"{\"k\":\"v w\"}","a.b":1}]"#;
        let found = leaves(text);
        let seen: Vec<(&str, &str, &str)> = found
            .iter()
            .map(|leaf| {
                (
                    leaf.path.as_str(),
                    leaf.value.as_str(),
                    &text[leaf.span.clone()],
                )
            })
            .collect();
        assert_eq!(
            seen,
            [
                ("0", "say", "say"),
                ("1.id", "7", "7"),
                ("1.t", "a\"b", "a\\\"b"),
                ("1.on", "true", "true"),
                ("1.x.0", "null", "null"),
                ("1.d", "{\"k\":\"v w\"}", "{\\\"k\\\":\\\"v w\\\"}"),
                ("1.d.k", "v w", "v w"),
            ]
        );
        assert_eq!(found[1].kind, Kind::Number);
        assert!(found[6].is_nested);
    }

    #[test]
    fn what_holds_no_json_has_no_values() {
        for text in ["", "hello", "2probe", "far too long {}", "42[", "{\"a\":}"] {
            assert!(leaves(text).is_empty(), "{text}");
        }
    }
}
