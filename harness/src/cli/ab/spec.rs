//! This module reads what a side of `harness ab` is: a server's binary, a target that runs, or a revision to build.
//!
//! **In:** `--base`, `--new`. **Out:** [`Spec`].

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::cli::failure::Failure;
use crate::exit::Exit;

/// Before the name of a revision.
const REVISION: &str = "rev:";
/// Characters of one.
const CHARACTERS_MAX: usize = 4_096;

/// What a side is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Spec {
    /// A binary of `reference-server`.
    Binary(PathBuf),
    /// A target that runs already.
    Target(String),
    /// A revision of the workspace around here.
    Revision(String),
}

impl FromStr for Spec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() || text.chars().count() > CHARACTERS_MAX {
            return Err("expected a server's binary, a URL or rev:NAME".to_owned());
        }
        if let Some(name) = text.strip_prefix(REVISION) {
            // A name that git would take for a flag is none.
            let is_name = !name.is_empty()
                && !name.starts_with('-')
                && !name.chars().any(|one| one.is_control() || one == ' ');
            return if is_name {
                Ok(Self::Revision(name.to_owned()))
            } else {
                Err(
                    "expected a revision behind rev:, such as rev:main, rev:v1.2 or rev:HEAD~1"
                        .to_owned(),
                )
            };
        }
        if text.contains("://") {
            return Ok(Self::Target(text.to_owned()));
        }
        Ok(Self::Binary(PathBuf::from(text)))
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Binary(path) => write!(to, "{}", path.display()),
            Self::Target(url) => to.write_str(url),
            Self::Revision(name) => write!(to, "{REVISION}{name}"),
        }
    }
}

/// Refuses a binary that is none, before anything is built or started.
pub(super) fn check_binary(flag: &str, path: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt as _;
    let shown = path.display();
    let found = std::fs::metadata(path);
    let fact = match found {
        Ok(found) if found.is_file() && found.permissions().mode() & 0o111 != 0 => return Ok(()),
        Ok(found) if found.is_file() => format!("{flag} {shown}: is no program"),
        Ok(_) => format!("{flag} {shown}: is no file"),
        Err(error) => format!("{flag} {shown}: {}", crate::intake::reason(&error)),
    };
    Err(Failure::new(Exit::Usage, fact).hint(
        "name the binary of a reference-server, the URL of one that runs, or a revision of this workspace as rev:NAME",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_side_is_a_binary_a_target_or_a_revision() {
        let spec = |text: &str| text.parse::<Spec>();
        assert_eq!(
            spec("target/server"),
            Ok(Spec::Binary("target/server".into()))
        );
        assert_eq!(
            spec("ws://127.0.0.1:1"),
            Ok(Spec::Target("ws://127.0.0.1:1".to_owned()))
        );
        assert_eq!(spec("rev:main~2"), Ok(Spec::Revision("main~2".to_owned())));
        for text in ["", " ", "rev:", "rev:--upload-pack=x", "rev:a b"] {
            assert!(spec(text).is_err(), "{text}");
        }
        assert_eq!(spec("rev:main").unwrap().to_string(), "rev:main");
    }

    #[test]
    fn a_folder_is_no_server() {
        let refused = check_binary("--new", Path::new("/tmp")).unwrap_err();
        assert_eq!(refused.exit(), Exit::Usage);
        assert!(check_binary("--new", Path::new("/proc/self/exe")).is_ok());
    }
}
