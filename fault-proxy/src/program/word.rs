//! Arguments as Go's `flag` package reads them, in the form that `clap` has.
//!
//! `-port` is `--port` and `--n` is `-n`, with or without `=value`. Numbers, and what follows `--`, stay.

use std::ffi::OsString;

pub(super) fn normalise(words: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut over = false;
    let each = words.map(|word| {
        over |= word == "--";
        match word.to_str().and_then(flag) {
            Some(flag) if !over => flag.into(),
            _ => word,
        }
    });
    each.collect()
}

/// The flag with as many dashes as its name asks for; `None` if it is no flag.
fn flag(word: &str) -> Option<String> {
    let dashed = word.strip_prefix('-')?;
    let text = dashed.strip_prefix('-').unwrap_or(dashed);
    let name = text.split('=').next()?;
    if !name.starts_with(|first: char| first.is_ascii_alphabetic()) {
        return None;
    }
    let dashes = if name.len() == 1 { "-" } else { "--" };
    Some(format!("{dashes}{text}"))
}

#[cfg(test)]
mod tests {
    use super::normalise;
    use std::ffi::OsString;

    #[track_caller]
    fn check(words: &str, expected: &str) {
        let words = words.split(' ').map(OsString::from);
        let expected: Vec<&str> = expected.split(' ').collect();
        assert_eq!(normalise(words), expected);
    }

    #[test]
    fn one_dash_or_two_are_the_same_as_in_go() {
        check("-port 8474 -host=::", "--port 8474 --host=::");
        check("--port=8474 -n x", "--port=8474 -n x");
        check("--n x --n=x -n=x", "-n x -n=x -n=x");
        check("-tox=0.5 -a k=-v", "--tox=0.5 -a k=-v");
    }

    #[test]
    fn numbers_and_what_follows_two_dashes_stay() {
        check("-seed -12 -", "--seed -12 -");
        check("-seed -- -port", "--seed -- -port");
    }
}
