//! The channel layer: from the worker's event to the rooms of every instance.

mod health;
mod heartbeat;
mod layer;
mod replayer;
mod subscriber;

pub(crate) use health::{ChatHealth, SubscriptionHealth};
pub(crate) use heartbeat::Heartbeat;
pub(crate) use layer::{Channel, attach};
pub(crate) use replayer::Replayer;
pub(crate) use subscriber::Subscriber;
