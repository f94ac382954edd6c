//! This module resolves the proxy on the way to a target, its secrets in place.

use crate::environment::EnvironmentError;
use crate::environment::endpoint::VIA;
use crate::environment::secret;
use crate::route::Via;

/// The proxy on the way, of its text; `None`: there is none.
///
/// # Errors
///
/// A variable that it names is not set.
pub(crate) fn via(text: Option<&str>) -> Result<Option<Via>, EnvironmentError> {
    // It was checked: it can be read.
    let Some(via) = text.and_then(|text| Via::parse(text).ok()) else {
        return Ok(None);
    };
    let credentials = via.credentials.as_ref().map(|(user, password)| {
        let user = secret::resolve(VIA, user)?;
        Ok::<_, EnvironmentError>((user, secret::resolve(VIA, password)?))
    });
    Ok(Some(Via {
        credentials: credentials.transpose()?,
        ..via
    }))
}
