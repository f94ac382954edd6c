//! This module follows a login that leads on to other paths of the same host.
//!
//! **In:** the answer to a login, or to what followed it. **Out:** the path to ask for next, by `GET`; that this was the last
//! answer; or why it is not followed.
//!
//! Whoever logs in (the load, the examination before it, trials, the doctor) follows by this, and keeps the cookies of
//! every answer on the way.
//!
//! **Source:** RFC 9110, section 15.4. After 301, 302 and 303 a `GET` follows, as browsers have it; 307 and 308 ask for the
//! password once more, and are not followed.

use reqwest::Url;
use reqwest::header::{HeaderMap, LOCATION};

use super::answer::{Ask, is_success};
use super::shown;
use crate::scenario::target::Dialect;

/// A way from a login on.
#[derive(Debug)]
pub(crate) struct Trail<'t> {
    dialect: Option<&'t Dialect>,
    /// What names the target in an address: scheme, and host with port.
    scheme: String,
    hosts: [String; 2],
    at: Option<Url>,
    taken: u8,
}

/// Why an answer that leads on is not followed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Astray {
    #[error("{status} leads to {to}, which is not the target: only its own host is asked")]
    Elsewhere { status: u16, to: String },
    #[error("{status} asks for the login once more at {to}: name that as its path")]
    Again { status: u16, to: String },
    #[error("{status} leads on to {to}, past the limit of redirects, {most}")]
    TooMany { status: u16, to: String, most: u8 },
    #[error("{status} leads on, and does not say where")]
    Nowhere { status: u16 },
}

/// Whether the answer to a login is followed, and not judged.
pub(crate) fn is_followed(dialect: Option<&Dialect>, status: u16) -> bool {
    redirects(dialect) > 0
        && matches!(status, 301..=303 | 307 | 308)
        && !is_success(dialect, Ask::Login, status)
}

/// Most redirects that are followed.
fn redirects(dialect: Option<&Dialect>) -> u8 {
    let login = dialect.and_then(|dialect| dialect.login.as_ref());
    login.map_or(0, |login| login.redirects)
}

impl<'t> Trail<'t> {
    /// From a login at `path` of a target; `base`: where it is asked, `host`: the `Host` that it is told.
    pub(crate) fn new(
        dialect: Option<&'t Dialect>,
        (base, host): (&str, &str),
        path: &str,
    ) -> Self {
        let at = Url::parse(&format!("{base}{path}")).ok();
        let scheme = at.as_ref().map_or("", Url::scheme).to_owned();
        // As a URL writes it: without the port that the scheme stands for, in small letters.
        let named = Url::parse(&format!("{scheme}://{host}")).ok();
        let hosts =
            [at.as_ref(), named.as_ref()].map(|url| url.map_or_else(String::new, authority));
        Self {
            dialect,
            scheme,
            hosts,
            at,
            taken: 0,
        }
    }

    /// What to ask for next, a path with its query; `None`: this answer is the last one, and is judged.
    ///
    /// # Errors
    ///
    /// It leads where nobody follows.
    pub(crate) fn next(
        &mut self,
        status: u16,
        headers: &HeaderMap,
    ) -> Result<Option<String>, Astray> {
        if !is_followed(self.dialect, status) {
            return Ok(None);
        }
        let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
        let location = location.ok_or(Astray::Nowhere { status })?;
        let to = shown::location(location);
        let next = self.at.as_ref().and_then(|at| at.join(location).ok());
        let next = next.ok_or(Astray::Nowhere { status })?;
        if next.scheme() != self.scheme || !self.hosts.contains(&authority(&next)) {
            return Err(Astray::Elsewhere { status, to });
        }
        if matches!(status, 307 | 308) {
            return Err(Astray::Again { status, to });
        }
        let most = redirects(self.dialect);
        if self.taken >= most {
            return Err(Astray::TooMany { status, to, most });
        }
        self.taken += 1;
        let path = match next.query() {
            Some(query) => format!("{}?{query}", next.path()),
            None => next.path().to_owned(),
        };
        self.at = Some(next);
        Ok(Some(path))
    }
}

/// `host`, or `host:port` where the port is not the usual one.
fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;
    use crate::account::tests::dialect;

    fn following(redirects: u8) -> Dialect {
        let mut dialect = dialect();
        dialect.login.as_mut().unwrap().redirects = redirects;
        dialect
    }

    fn to(location: &str) -> HeaderMap {
        HeaderMap::from_iter([(LOCATION, HeaderValue::from_str(location).unwrap())])
    }

    const PLACE: (&str, &str) = ("http://127.0.0.1:8000", "Chat.test:80");

    #[test]
    fn a_login_is_followed_from_path_to_path_of_its_host_and_no_further() {
        let dialect = following(3);
        let mut trail = Trail::new(Some(&dialect), PLACE, "/accounts/login/?next=/");
        let mut next = |status, location: &str| trail.next(status, &to(location));
        assert_eq!(
            next(302, "../home?a=b#c"),
            Ok(Some("/accounts/home?a=b".to_owned()))
        );
        assert_eq!(next(303, "http://chat.test/x"), Ok(Some("/x".to_owned())));
        assert_eq!(next(200, "/y"), Ok(None));
        assert_eq!(next(301, "//127.0.0.1:8000"), Ok(Some("/".to_owned())));
        let most = next(302, "/round?token=s3cret").unwrap_err().to_string();
        assert!(
            most.contains("limit of redirects, 3") && !most.contains("s3cret"),
            "{most}"
        );
    }

    #[test]
    fn what_leads_elsewhere_is_not_followed() {
        let dialect = following(3);
        for (status, location, why) in [
            (302, "https://sso.test/?a=s3cret", "is not the target"),
            (302, "https://chat.test/", "is not the target"),
            (302, "http://chat.test:81/", "is not the target"),
            (302, "javascript:alert(1)", "is not the target"),
            (302, "http://[", "does not say where"),
            (307, "/login/", "once more at /login/"),
            (308, "/login/", "name that as its path"),
        ] {
            let mut trail = Trail::new(Some(&dialect), PLACE, "/login");
            let said = trail.next(status, &to(location)).unwrap_err().to_string();
            assert!(
                said.contains(why) && !said.contains("s3cret"),
                "{location}: {said}"
            );
        }
        let mut trail = Trail::new(Some(&dialect), PLACE, "/login");
        assert_eq!(
            trail.next(302, &HeaderMap::new()),
            Err(Astray::Nowhere { status: 302 })
        );
    }

    #[test]
    fn without_a_word_of_it_nothing_is_followed() {
        let none = following(0);
        for dialect in [None, Some(&none)] {
            let mut trail = Trail::new(dialect, PLACE, "/login");
            assert_eq!(trail.next(302, &to("/")), Ok(None));
        }
        let mut wanted = following(3);
        wanted.login.as_mut().unwrap().expect = vec![302];
        let mut trail = Trail::new(Some(&wanted), PLACE, "/login");
        assert_eq!(trail.next(302, &to("/")), Ok(None));
    }
}
