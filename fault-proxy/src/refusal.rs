//! Everything the API can refuse, in the words and with the status a Toxiproxy client expects.
//!
//! This list belongs to the wire, not to one module: reading JSON, checking attributes and
//! changing proxies all end in one of these answers.

use std::io;

/// Why a request was not carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// The body is not the JSON the route takes.
    #[error("bad request body: {0}")]
    BadBody(String),
    /// The body is larger than the server reads.
    #[error("bad request body: longer than {bytes_max} bytes")]
    TooLong { bytes_max: usize },
    /// A required field is missing or empty.
    #[error("missing required field: {0}")]
    MissingField(String),
    /// The upstream is a URL, which may hold a password and is not repeated.
    #[error("invalid upstream{place}: write it as host:port{}, not as a URL", or_so(.likely.as_ref()))]
    UpstreamUrl {
        place: String,
        likely: Option<String>,
    },
    /// The stream is neither of the two.
    #[error("stream was invalid, can be either upstream or downstream")]
    InvalidStream,
    /// No toxic has that type.
    #[error("invalid toxic type")]
    InvalidToxicType,
    /// An attribute would crash a real Toxiproxy, or means nothing.
    #[error("invalid attribute: {0}")]
    InvalidAttribute(String),
    /// Of a toxic in the body of a proxy.
    #[error("toxic {number} of proxy {proxy}: {problem}")]
    InBody {
        number: usize,
        proxy: String,
        #[source]
        problem: Box<Refusal>,
    },
    /// No proxy has that name.
    #[error("proxy not found")]
    ProxyNotFound,
    /// The proxy has no toxic of that name.
    #[error("toxic not found")]
    ToxicNotFound,
    /// A proxy of that name exists.
    #[error("proxy already exists")]
    ProxyExists,
    /// The proxy has a toxic of that name, in either direction.
    #[error("toxic already exists")]
    ToxicExists,
    /// The listen address cannot be bound.
    #[error("listen tcp {address}: {}", bind_text(.source))]
    Listen {
        address: String,
        #[source]
        source: io::Error,
    },
    /// The listen address is not an address.
    #[error("listen tcp: {problem}")]
    Address { problem: String },
    /// There are as many of these as the server takes.
    #[error("there are {max} {what} already, and no more are taken")]
    TooMany { what: &'static str, max: usize },
    /// What it sends would come back to it.
    #[error("the upstream leads back to the proxy itself: {way}")]
    Ring { way: String },
    /// Live connections did not take the change up in time; it is in force for new ones.
    #[error("the change is stored, but some live connections have not taken it up yet")]
    Slow,
    /// A fault of this program.
    #[error("internal error: {0}")]
    Internal(String),
}

impl Refusal {
    /// The HTTP status of the answer.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::BadBody(_)
            | Self::MissingField(_)
            | Self::UpstreamUrl { .. }
            | Self::InvalidStream
            | Self::InvalidToxicType
            | Self::InvalidAttribute(_)
            | Self::InBody { .. }
            | Self::Ring { .. } => 400,
            Self::ProxyNotFound | Self::ToxicNotFound => 404,
            Self::ProxyExists | Self::ToxicExists => 409,
            Self::TooLong { .. } => 413,
            Self::TooMany { .. } => 429,
            Self::Listen { .. } | Self::Address { .. } | Self::Slow | Self::Internal(_) => 500,
        }
    }
}

fn or_so(likely: Option<&String>) -> String {
    let named = likely.map(|likely| format!(" ({likely})"));
    named.unwrap_or_default()
}

/// Bind failures in the words of Go's `net` package, which scripts match on.
fn bind_text(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "bind: address already in use".to_owned(),
        io::ErrorKind::AddrNotAvailable => "bind: cannot assign requested address".to_owned(),
        io::ErrorKind::PermissionDenied => "bind: permission denied".to_owned(),
        _ => error.to_string(),
    }
}
