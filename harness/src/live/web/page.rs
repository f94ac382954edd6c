//! This module holds the page of a run: one document with its own style and script, which asks nobody but its server.
//!
//! **In:** nothing. **Out:** HTML, and the policy that lets nothing else run on it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, PreEscaped, html};
use sha2::{Digest as _, Sha256};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = concat!(include_str!("chart.js"), include_str!("page.js"));

pub(super) fn html() -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "harness" }
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    div.name { h1 #title { "harness" } span #run {} }
                    div.state {
                        span #phase { "starting" }
                        span #time {}
                        span #ends {}
                        button #stop hidden type="button" { "stop the run" }
                    }
                    progress #done max="1" value="0" aria-label="how far the load is" {}
                    p #ended hidden {}
                    p #lost hidden { "no connection to the run" }
                }
                main {
                    dl #facts {}
                    div #charts {
                        figure { figcaption { "latency" span.key {} } svg #latency {} }
                        figure { figcaption { "messages per second" span.key {} } svg #rate {} }
                        figure { figcaption { "open clients and waiting messages" span.key {} } svg #clients {} }
                    }
                }
                iframe #report title="the report" hidden {}
                noscript { p { "This page needs its script. The same facts stand on the terminal and under " a href="metrics" { "/metrics" } "." } }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

/// This page's own style and script, by their hash; its own server, and the report in a frame.
pub(super) fn policy() -> String {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; connect-src 'self'; frame-src 'self'; \
         img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}
