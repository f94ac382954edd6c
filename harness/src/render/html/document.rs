//! This module is the frame of every page: one file, offline, with its own style and script and nothing else.
//!
//! **In:** a title, the body, the values under the cursor. **Out:** the HTML document.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use super::figure;
use crate::render::plot::Chart;
use crate::render::renderer::RenderError;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The bytes of a page, ending in a line break. `charts`: those whose values the cursor reads.
///
/// # Errors
///
/// [`RenderError::Json`] where the harness is wrong.
pub(crate) fn document(
    title: &str,
    body: &Markup,
    charts: &[&Chart],
) -> Result<Vec<u8>, RenderError> {
    let data = figure::data(charts)?;
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
            }
            body {
                (body)
                script type="application/json" id="data" { (PreEscaped(data)) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    let mut bytes = page.into_string().into_bytes();
    bytes.push(b'\n');
    Ok(bytes)
}

/// This page's own style and script, by their hash; no network, no frame, no form.
fn policy() -> String {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; img-src data:; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}
