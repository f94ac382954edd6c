//! This module goes through a recording once for what is secret in it, whatever it is used for.
//!
//! **In:** all requests, the frames of the socket. **Out:** [`Secrets`].

use reqwest::Url;

use super::har::{Headers, Recording};
use super::leaf;
use super::secret::{Secrets, is_secret, is_secret_field};
use super::talk::Talk;

/// Finds them.
pub(super) fn secrets(recording: &Recording, talk: &Talk<'_>) -> Secrets {
    let mut secrets = Secrets::default();
    for request in &recording.requests {
        headers(&request.headers, &mut secrets);
        headers(&request.answer_headers, &mut secrets);
        query(&request.url, &mut secrets);
        if let Some((kind, body)) = &request.body {
            text(body, &mut secrets);
            if kind.contains("urlencoded")
                && let Ok(form) = Url::parse(&format!("form:?{body}"))
            {
                query(&form, &mut secrets);
            }
        }
        if let Some(answer) = &request.answer {
            text(answer, &mut secrets);
        }
    }
    for socket in &recording.sockets {
        headers(&socket.headers, &mut secrets);
        query(&socket.url, &mut secrets);
    }
    for frame in talk.frames.iter().filter(|frame| frame.is_client) {
        for leaf in frame
            .leaves
            .iter()
            .filter(|leaf| is_secret(leaf.key(), &leaf.value))
        {
            secrets.add(&leaf.value);
        }
        for (name, value) in heads(&frame.text) {
            if is_secret(name, value) {
                secrets.add(value);
            }
        }
    }
    secrets
}

/// Heads of a frame that is no JSON, as STOMP writes them.
pub(super) fn heads(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let heads = text.split_once("\n\n").map_or("", |(heads, _)| heads);
    heads
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
}

fn headers(headers: &Headers, secrets: &mut Secrets) {
    for (name, value) in headers.iter() {
        let small = name.to_ascii_lowercase();
        match small.as_str() {
            "cookie" => {
                let cookies = value
                    .split(';')
                    .map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value));
                cookies.for_each(|cookie| secrets.add_cookie(cookie.trim()));
            }
            "set-cookie" => {
                let first = value.lines().filter_map(|line| line.split(';').next());
                let cookies = first
                    .filter_map(|pair| pair.split_once('='))
                    .map(|(_, value)| value);
                cookies.for_each(|cookie| secrets.add_cookie(cookie));
            }
            "authorization" => secrets.add(value),
            _ if small.starts_with("x-") && is_secret(name, value) => secrets.add(value),
            _ => {}
        }
    }
}

fn query(url: &Url, secrets: &mut Secrets) {
    for (name, value) in url
        .query_pairs()
        .filter(|(name, value)| is_secret_field(name, value))
    {
        // What polling calls a session is worth nothing without its socket.
        if name != "sid" {
            secrets.add(&value);
        }
    }
}

fn text(text: &str, secrets: &mut Secrets) {
    for leaf in leaf::leaves(text)
        .iter()
        .filter(|leaf| is_secret(leaf.key(), &leaf.value))
    {
        secrets.add(&leaf.value);
    }
}
