//! This module judges copies of messages only where somebody hears somebody else.
//!
//! **In:** a result of clients in rooms that the templates of a mapped server name. **Out:** the same; where nobody heard
//! anybody, answers go to who asked, and nobody is owed a copy. A scenario that says `conversation = "group"` says that
//! they do.

use super::RunResult;
use crate::plan::Conversation;
use crate::record::delivery::Delivery;
use crate::record::subject::Subject;
use crate::scenario::expectation::Outcome;

/// Takes copies out of a result in which nobody heard anybody.
pub(super) fn without_vain(result: &mut RunResult) {
    let is_said = result.plan.load.session.conversation != Conversation::Room;
    if is_said || result.delivery.unheard < result.delivery.copies {
        return;
    }
    let forget = |delivery: &mut Delivery| (delivery.copies, delivery.unheard) = (0, 0);
    forget(&mut result.delivery);
    let windows = result.windows.iter_mut().chain(&mut result.views);
    windows.for_each(|window| forget(&mut window.delivery));
    let seconds = result.series.per_second.iter_mut();
    seconds.for_each(|second| forget(&mut second.delivery));
    let unheard = Subject::Promise(Outcome::Unheard);
    result.examples.retain(|example| !example.is_of(unheard));
}
