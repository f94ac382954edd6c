//! One toxic's place in a link: its settings, its luck, and the data in front of it.

use crate::{
    chance::{Purpose, generator, ratio},
    toxic::{Active, Chunk, Inbox, Moment, Removal, Step, Toxic},
};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::sync::Arc;
use tokio::time::Instant;

/// Which connection this is; with the seed it decides every draw.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) seed: u64,
    pub(super) proxy: Arc<str>,
    pub(super) connection: u64,
}

impl Identity {
    /// The connection's draw for this toxic, and its random numbers from there on. A toxic on both
    /// directions draws once, in the name of the direction it was created on.
    pub(super) fn luck(&self, toxic: &Toxic) -> (f32, Xoshiro256PlusPlus) {
        let purpose = Purpose {
            proxy: &self.proxy,
            connection: self.connection,
            stream: toxic.stream,
            toxic: &toxic.name,
        };
        let mut chance = generator(self.seed, &purpose);
        (ratio(&mut chance), chance)
    }
}

/// Short, so that a thousand of them are looked through at once; what each has is elsewhere.
#[derive(Debug)]
pub(super) struct Stage {
    toxic: Arc<Toxic>,
    pub(super) own: Box<Own>,
}

/// What a stage has for itself.
#[derive(Debug)]
pub(super) struct Own {
    active: Active,
    /// The connection's draw for this toxic, made once: updates compare with it again, so that an
    /// unchanged toxicity never changes who is affected.
    draw: f32,
    chance: Xoshiro256PlusPlus,
    pub(super) inbox: Inbox,
    /// What the toxic has passed on and the next stage has not taken yet.
    pub(super) passed: Option<Chunk>,
}

impl Stage {
    pub(super) fn new(toxic: &Arc<Toxic>, identity: &Identity, now: Instant) -> Self {
        let (draw, chance) = identity.luck(toxic);
        let mut stage = Self {
            toxic: Arc::clone(toxic),
            own: Box::new(Own {
                active: Active::SPARED,
                draw,
                chance,
                inbox: Inbox::default(),
                passed: None,
            }),
        };
        if draw < toxic.toxicity {
            stage.start(now);
        }
        stage
    }

    fn start(&mut self, now: Instant) {
        self.own.active = Active::start(&self.toxic.attributes, now);
        self.toxic.tally.count();
    }

    pub(super) fn id(&self) -> u64 {
        self.toxic.id
    }

    /// Which toxic this is of, unless it is this very one with these very settings.
    pub(super) fn id_unless(&self, toxic: Option<&Arc<Toxic>>) -> Option<u64> {
        let same = toxic.is_some_and(|toxic| Arc::ptr_eq(&self.toxic, toxic));
        (!same).then(|| self.id())
    }

    /// Holds nothing, and no end.
    pub(super) fn is_empty(&self) -> bool {
        self.own.passed.is_none() && self.own.inbox.front().is_none() && !self.own.inbox.is_ended()
    }

    /// Takes up new settings. Answers [`Removal::Reset`] if the toxic is switched off for this
    /// connection after it has done what cannot be undone.
    pub(super) fn update(&mut self, toxic: &Arc<Toxic>, now: Instant) -> Removal {
        let was_affected = self.own.draw < self.toxic.toxicity;
        let is_affected = self.own.draw < toxic.toxicity;
        self.toxic = Arc::clone(toxic);
        if is_affected && was_affected {
            self.own.active.change(&toxic.attributes, now);
        } else if is_affected {
            self.start(now);
        } else if was_affected {
            let removal = self.own.active.removal();
            self.own.active = Active::SPARED;
            if removal == Removal::Reset {
                return Removal::Reset;
            }
        }
        Removal::Flush
    }

    pub(super) fn removal(&self) -> Removal {
        self.own.active.removal()
    }

    pub(super) fn has_room(&self) -> bool {
        self.own.inbox.held_bytes() < self.own.active.inbox_bytes_max()
    }

    /// Bytes that wait in front of the toxic or have just passed it.
    pub(super) fn held_bytes(&self) -> usize {
        let passed = self
            .own
            .passed
            .as_ref()
            .map_or(0, |chunk| chunk.bytes.len());
        self.own.inbox.held_bytes() + passed
    }

    pub(super) fn step(&mut self, now: Instant, abandoned: bool) -> Step {
        let own = &mut *self.own;
        let moment = Moment {
            now,
            line: &self.toxic.line,
            abandoned,
            chance: &mut own.chance,
        };
        own.active.step(&mut own.inbox, moment)
    }
}
