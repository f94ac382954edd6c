//! This module reads what the target says of itself: Prometheus samples and its version.
//!
//! **In:** `/metrics` in the text format, `/health/ws/` as JSON. **Out:** sample name with labels →
//! value; a version text. A target that has neither is no problem.
//!
//! **Source:** Prometheus exposition format 0.0.4.

use std::collections::BTreeMap;

use reqwest::Client as Http;

/// A page longer than this is not read to its end.
const PAGE_BYTES_MAX: usize = 4 << 20;

/// The page at `url`, where there is one.
async fn page(http: &Http, url: &str) -> Option<String> {
    let mut answer = http.get(url).send().await.ok()?;
    if !answer.status().is_success() {
        return None;
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.ok()? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > PAGE_BYTES_MAX {
            return None;
        }
    }
    String::from_utf8(bytes).ok()
}

/// Every sample of the page.
pub(crate) async fn scrape(http: &Http, url: &str) -> Option<BTreeMap<String, f64>> {
    Some(page(http, url).await?.lines().filter_map(sample).collect())
}

/// `version` in the health page.
pub(crate) async fn version(http: &Http, url: &str) -> Option<String> {
    let text = page(http, url).await?;
    let value: serde_json::Value = serde_json::from_str(&text).ok()?;
    Some(value.get("version")?.as_str()?.to_owned())
}

fn sample(line: &str) -> Option<(String, f64)> {
    if line.starts_with('#') {
        return None;
    }
    // A label's value may hold spaces: the name ends with the last bracket, where there is one.
    let name_bytes = match line.rfind('}') {
        Some(end) => end + 1,
        None => line.find(' ')?,
    };
    let (name, rest) = line.split_at_checked(name_bytes)?;
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some((name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Option<(&str, f64)>) {
        let expected = expected.map(|(name, value)| (name.to_owned(), value));
        assert_eq!(sample(line), expected);
    }

    #[test]
    fn samples_are_read_with_their_labels_and_without_their_time() {
        check("a_total 3", Some(("a_total", 3.0)));
        check(
            "a_total{b=\"c } d\"} 1.5e3 1700000000",
            Some(("a_total{b=\"c } d\"}", 1_500.0)),
        );
    }

    #[test]
    fn comments_and_broken_lines_are_left_out() {
        check("# TYPE a counter", None);
        check("a_total", None);
        check("a_total x", None);
        check("", None);
    }
}
