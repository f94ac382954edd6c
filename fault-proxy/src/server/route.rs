//! Paths and methods of the API.
//!
//! **In:** the path as sent, the method. **Out:** a [`Route`], or which half did not match.
//!
//! A trailing slash is another path, names are percent-decoded after the path is split, and `HEAD`
//! is not `GET`: all as Toxiproxy's router does it.

use hyper::Method;

/// What a request is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    Version,
    Proxies,
    Proxy(String),
    Toxics(String),
    Toxic { proxy: String, toxic: String },
    Populate,
    Reset,
    Metrics,
    Extension(Extension),
}

/// The routes Toxiproxy does not have, all below `/extensions`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Extension {
    About,
    Proxies,
    Proxy(String),
    ResetNow(String),
    /// Of one proxy, or of all.
    Events(Option<String>),
}

pub(super) enum Match {
    Route(Route),
    NoPath,
    NoMethod,
}

impl Route {
    pub(super) fn find(path: &str, method: &Method) -> Match {
        let Some(route) = Self::from_path(path) else {
            return Match::NoPath;
        };
        if route.allows(method) {
            Match::Route(route)
        } else {
            Match::NoMethod
        }
    }

    fn from_path(path: &str) -> Option<Self> {
        let mut segments = Vec::with_capacity(4);
        for segment in path.strip_prefix('/')?.split('/') {
            if segment.is_empty() || segments.len() == 4 {
                return None;
            }
            segments.push(decode(segment)?);
        }
        let names: Vec<&str> = segments.iter().map(String::as_str).collect();
        match names[..] {
            ["version"] => Some(Self::Version),
            ["populate"] => Some(Self::Populate),
            ["reset"] => Some(Self::Reset),
            ["metrics"] => Some(Self::Metrics),
            ["extensions", ref rest @ ..] => Extension::find(rest).map(Self::Extension),
            ["proxies"] => Some(Self::Proxies),
            ["proxies", proxy] => Some(Self::Proxy(proxy.to_owned())),
            ["proxies", proxy, "toxics"] => Some(Self::Toxics(proxy.to_owned())),
            ["proxies", proxy, "toxics", toxic] => Some(Self::Toxic {
                proxy: proxy.to_owned(),
                toxic: toxic.to_owned(),
            }),
            _ => None,
        }
    }

    fn allows(&self, method: &Method) -> bool {
        let allowed: &[Method] = match self {
            // The one route that takes any method, there too: some probes ask with HEAD.
            Self::Metrics => return true,
            Self::Version => &[Method::GET],
            Self::Extension(extension) => extension.methods(),
            Self::Proxies | Self::Toxics(_) => &[Method::GET, Method::POST],
            Self::Proxy(_) | Self::Toxic { .. } => {
                &[Method::GET, Method::POST, Method::PATCH, Method::DELETE]
            }
            Self::Populate | Self::Reset => &[Method::POST],
        };
        allowed.contains(method)
    }
}

impl Extension {
    fn find(rest: &[&str]) -> Option<Self> {
        Some(match *rest {
            [] => Self::About,
            ["events"] => Self::Events(None),
            ["proxies"] => Self::Proxies,
            ["proxies", proxy] => Self::Proxy(proxy.to_owned()),
            ["proxies", proxy, "events"] => Self::Events(Some(proxy.to_owned())),
            ["proxies", proxy, "reset_now"] => Self::ResetNow(proxy.to_owned()),
            _ => return None,
        })
    }

    fn methods(&self) -> &'static [Method] {
        match self {
            Self::About | Self::Proxy(_) | Self::Events(_) => &[Method::GET],
            Self::Proxies => &[Method::GET, Method::POST],
            Self::ResetNow(_) => &[Method::POST],
        }
    }
}

/// Percent-decodes one segment; `None` if the escape is broken, the text is not UTF-8, or a `/`
/// appears, which no name in a path can hold.
fn decode(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = char::from(rest.next()?).to_digit(16)?;
            let low = char::from(rest.next()?).to_digit(16)?;
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    let name = String::from_utf8(bytes).ok()?;
    (!name.contains('/')).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::Route;

    #[track_caller]
    fn check(path: &str, expected: Option<Route>) {
        assert_eq!(Route::from_path(path), expected, "{path}");
    }

    #[test]
    fn names_are_decoded_and_slashes_are_not_forgiven() {
        let toxic = |proxy: &str, toxic: &str| Route::Toxic {
            proxy: proxy.to_owned(),
            toxic: toxic.to_owned(),
        };
        check("/proxies", Some(Route::Proxies));
        check("/proxies/", None);
        check("/proxies/a%20b", Some(Route::Proxy("a b".to_owned())));
        check("/proxies/a/toxics/t%C3%A4", Some(toxic("a", "tä")));
        check("/proxies/a%2Fb", None);
        check("/proxies/a%2", None);
        check("/proxies/a/toxics/t/x", None);
        check("//version", None);
        check("/version", Some(Route::Version));
    }
}
