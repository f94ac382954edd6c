//! What a proxy is wanted to be, and what it is, as the API says both.

use super::traffic::Count;
use crate::toxic::Toxic;
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::sync::Arc;

/// A proxy as the API shows it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Description {
    pub(crate) name: String,
    pub(crate) listen: String,
    pub(crate) upstream: String,
    pub(crate) enabled: bool,
    /// Not said unless it is on: a client that does not know it meets nothing new.
    #[serde(skip_serializing_if = "is_off")]
    pub(crate) half_close: bool,
    #[serde(serialize_with = "each")]
    pub(crate) toxics: Vec<Arc<Toxic>>,
}

/// A proxy as the extensions show it: what it is and what it does right now.
#[derive(Debug)]
pub(crate) struct Statistics {
    pub(crate) proxy: Description,
    pub(crate) count: Count,
}

/// A proxy to be created.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) listen: String,
    pub(crate) upstream: String,
    pub(crate) enabled: bool,
    /// `None`: not said; off for a new one, as it is for one that stays.
    pub(crate) half_close: Option<bool>,
    /// In force before its first connection, as bodies of requests.
    pub(crate) toxics: Vec<Value>,
}

/// New values for some of a proxy's fields.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) listen: Option<String>,
    pub(crate) upstream: Option<String>,
    pub(crate) enabled: Option<bool>,
    pub(crate) half_close: Option<bool>,
}

/// A change of a proxy's toxics, with the request's body where there is one.
#[derive(Debug)]
pub(crate) enum ToxicChange<'a> {
    Add(&'a Value),
    Update(&'a str, &'a Value),
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_off(half_close: &bool) -> bool {
    !half_close
}

fn each<S: Serializer>(toxics: &[Arc<Toxic>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(toxics.iter().map(Arc::as_ref))
}
