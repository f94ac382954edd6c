//! This module makes a message or a session worth showing out of what was recorded of it.
//!
//! **In:** the plan, for the names of its faults, and the record. **Out:** [`Example`].

use super::{Example, SessionStep};
use crate::plan::Plan;
use crate::record::diary::{Step, What};
use crate::record::recording::MessageExample;

/// The example with its session.
pub(super) fn shown(plan: &Plan, example: &MessageExample) -> Example {
    let name = |fault: u8| {
        let fault = plan.faults.get(usize::from(fault));
        fault.map(|fault| fault.name.clone())
    };
    Example {
        client: example.client,
        client_message_id: example.client_message_id.clone(),
        message: example.message,
        conversation: example.conversation.clone(),
        what: example.what.clone(),
        intended_us: example.intended_us,
        sent_us: example.sent_us,
        queued_us: example.queued_us,
        ended_us: example.ended_us,
        fault: example.fault.and_then(name),
        session: session(example),
    }
}

/// What the client did and heard. A story that had no room for its own message is told what is known of it.
fn session(example: &MessageExample) -> Vec<SessionStep> {
    let told = |at_us: u64, what: What| SessionStep {
        at_us,
        text: what.text(),
    };
    let steps = example.steps.iter();
    let mut session: Vec<SessionStep> = steps
        .map(|step| told(step.at_us, step.what.clone()))
        .collect();
    let own = |step: &Step| step.what.message() == example.message;
    let Some(message) = example.message.filter(|_| !example.steps.iter().any(own)) else {
        return session;
    };
    if session.is_empty() {
        return session;
    }
    let known = [
        (example.sent_us, What::Sent { message }),
        (example.queued_us, What::Queued { message }),
    ];
    for (at_us, what) in known {
        session.extend(at_us.map(|at_us| told(at_us, what)));
    }
    session.sort_by_key(|step| step.at_us);
    session
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::diary::Diary;

    #[test]
    fn a_story_without_room_for_its_message_is_told_what_is_known_of_it() {
        let mut diary = Diary::default();
        for us in 0..100 {
            diary.note(us, What::Ping);
        }
        let example = MessageExample {
            message: Some(7),
            sent_us: Some(3),
            queued_us: Some(60),
            steps: diary.story(Some(7)),
            ..MessageExample::default()
        };
        let session = session(&example);
        assert!(session.is_sorted_by_key(|step| step.at_us));
        for text in ["-> message 7", "<- message 7 is queued"] {
            let told = session.iter().filter(|step| step.text == text).count();
            assert_eq!(told, 1, "{text}: {session:?}");
        }
    }
}
