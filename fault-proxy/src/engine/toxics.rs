//! The toxics of one proxy, as a list that changes by whole steps.
//!
//! **In:** the fields of a request. **Out:** the changed list and the toxic in question, or why not.
//! Nothing here touches a connection.

use crate::{
    Stream,
    json::Fields,
    refusal::Refusal,
    toxic::{Kind, Toxic},
};
use serde_json::Value;
use std::sync::Arc;

/// Toxics of one proxy.
pub(crate) const TOXICS_MAX: usize = 1_024;

#[derive(Debug, Clone, Default)]
pub(super) struct Toxics {
    /// Upstream first, each direction in the order of creation.
    list: Vec<Arc<Toxic>>,
    created: u64,
}

impl Toxics {
    pub(super) fn list(&self) -> &[Arc<Toxic>] {
        &self.list
    }

    /// Adds the toxic a request describes. Checked in Toxiproxy's order: stream, type, name,
    /// attributes.
    pub(super) fn add(&mut self, body: &Value) -> Result<Arc<Toxic>, Refusal> {
        let fields = Fields::of(body, "the toxic")?;
        let name = fields.text("name")?.unwrap_or_default();
        let type_given = fields.text("type")?.unwrap_or_default();
        let stream_text = fields
            .text("stream")?
            .unwrap_or_else(|| Stream::Downstream.name().to_owned());
        let toxicity = fields.float("toxicity")?.unwrap_or(1.0);
        let attributes = fields.object("attributes")?;

        let stream: Stream = match stream_text.parse() {
            Ok(stream) => stream,
            Err(crate::UnknownStream(_)) => return Err(Refusal::InvalidStream),
        };
        let (kind, type_name) = Kind::named(&type_given).ok_or(Refusal::InvalidToxicType)?;
        let name = if name.is_empty() {
            format!("{type_name}_{stream_text}")
        } else {
            name
        };
        if self.list.iter().any(|toxic| toxic.name == name) {
            return Err(Refusal::ToxicExists);
        }
        let attributes = kind.merged(attributes)?;
        if self.list.len() >= TOXICS_MAX {
            let (what, max) = ("toxics", TOXICS_MAX);
            return Err(Refusal::TooMany { what, max });
        }
        self.created += 1;
        let toxic = Arc::new(Toxic {
            attributes,
            name,
            type_name,
            stream_text,
            toxicity,
            stream,
            id: self.created,
            tally: Arc::default(),
            line: Arc::default(),
        });
        self.list.push(Arc::clone(&toxic));
        self.list.sort_by_key(|toxic| toxic.stream);
        Ok(toxic)
    }

    /// Gives a toxic new attributes and toxicity; everything else in the request is ignored.
    pub(super) fn update(&mut self, name: &str, body: &Value) -> Result<Arc<Toxic>, Refusal> {
        let slot = self.list.iter_mut().find(|toxic| toxic.name == name);
        let slot = slot.ok_or(Refusal::ToxicNotFound)?;
        let fields = Fields::of(body, "the toxic")?;
        let mut toxic = Toxic::clone(slot);
        toxic.attributes = toxic.attributes.merged(fields.object("attributes")?)?;
        toxic.toxicity = fields.float("toxicity")?.unwrap_or(toxic.toxicity);
        toxic.tally.restart();
        // At the new rate nobody has anything booked.
        toxic.line = Arc::default();
        *slot = Arc::new(toxic);
        Ok(Arc::clone(slot))
    }

    /// The toxics these bodies describe, or which of them is refused and why. One that is here already,
    /// by name, type and stream, goes on with what the body says.
    pub(super) fn replaced(&self, bodies: &[Value]) -> Result<Self, (usize, Refusal)> {
        let mut next = Self {
            list: Vec::new(),
            created: self.created,
        };
        for (index, body) in bodies.iter().enumerate() {
            next.add(body).map_err(|refusal| (index, refusal))?;
        }
        for toxic in &mut next.list {
            if let Some(present) = self.list.iter().find(|present| present.is_kin(toxic)) {
                *toxic = present.gone_on(toxic);
            }
        }
        next.list.sort_by_key(|toxic| (toxic.stream, toxic.id));
        Ok(next)
    }

    pub(super) fn remove(&mut self, name: &str) -> Result<(), Refusal> {
        let index = self.list.iter().position(|toxic| toxic.name == name);
        self.list.remove(index.ok_or(Refusal::ToxicNotFound)?);
        Ok(())
    }

    pub(super) fn clear(&mut self) {
        self.list.clear();
    }
}
