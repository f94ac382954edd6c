//! This module writes a text as it stands in a part of a URL.
//!
//! **Source:** RFC 3986, section 2.1.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What does not stand for itself in a part of a URL (RFC 3986: all but the unreserved).
pub(crate) const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A text as it stands in a part of a path or of a query (RFC 3986, section 2.1): all but the
/// unreserved characters are escaped.
pub(crate) fn percent_encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_into_a_url_is_escaped_but_for_what_means_nothing_there() {
        assert_eq!(percent_encoded("ann.b-c_d~1"), "ann.b-c_d~1");
        assert_eq!(
            percent_encoded("a@b c/ü?&=+%"),
            "a%40b%20c%2F%C3%BC%3F%26%3D%2B%25"
        );
    }
}
