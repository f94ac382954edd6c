//! What goes over a socket: frames as bytes, and the JSON inside of them.

mod frame;
mod json;

pub(crate) use frame::{Frame, NO_CODE};
pub(crate) use json::{ClientFrame, Event, lost, object, refusal, task_id};
