//! This module resolves how a plan has its target spoken to: its `[target]`, with secrets in place.

use super::TargetError;
use crate::environment::EnvironmentError;
use crate::environment::secret;
use crate::plan::{Dialect, Plan};
use crate::scenario::header;

/// How a plan has its target spoken to.
pub(crate) struct Mapping {
    /// With the secrets that its headers name, and without a `Host` among them.
    pub dialect: Option<Dialect>,
    /// The `Host` that stood there.
    pub host: Option<String>,
}

/// How the plan has its target spoken to.
///
/// # Errors
///
/// A header names a variable that is not set, or that holds what no header may.
pub(crate) fn mapping(plan: &Plan) -> Result<Mapping, EnvironmentError> {
    const PLACE: &str = "target.headers";
    let Some(mut dialect) = plan.environment.dialect.as_deref().cloned() else {
        return Ok(Mapping {
            dialect: None,
            host: None,
        });
    };
    let login = dialect.login.iter_mut();
    let login = login.flat_map(|login| &mut login.headers);
    for (name, value) in dialect.headers.iter_mut().chain(login) {
        *value = secret::resolve(PLACE, value)?;
        // The value may be a secret: it is not shown.
        if let Some(what) = header::fault(value) {
            return Err(TargetError::Header {
                place: PLACE,
                header: name.clone(),
                what,
            }
            .into());
        }
    }
    let mut names = dialect.headers.keys();
    let name = names
        .find(|name| name.eq_ignore_ascii_case("host"))
        .cloned();
    let host = name.and_then(|name| dialect.headers.remove(&name));
    Ok(Mapping {
        dialect: Some(dialect),
        host,
    })
}
