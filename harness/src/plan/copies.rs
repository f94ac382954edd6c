//! This module says what clients that share a conversation hear of each other, and how that is told apart.
//!
//! **In:** a plan, or how its server is mapped. **Out:** [`Copies`], or nothing where copies cannot be counted.

use super::{Conversation, Dialect, Matching, Plan, SessionPlan, places};
use crate::scenario::ScenarioFile;
use crate::scenario::expectation::{Outcome, Quantity};
use crate::scenario::problem::{Complaint, Problems};
use crate::stage::Stage;

/// The place of a client's group in a template.
const GROUP: &str = "group";

/// How a client tells a message that another said in the conversation they share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Copies {
    /// It comes in one frame with its id.
    ById,
    /// Its answer comes with the name of a task, which who asked is told.
    ByTask,
}

/// How copies of messages are told apart; `None`: nobody shares a conversation, or they cannot be.
pub(crate) fn copies(plan: &Plan) -> Option<Copies> {
    of(&plan.load.session, plan.environment.dialect.as_deref())
}

/// The same before there is a plan.
pub(super) fn of(session: &SessionPlan, dialect: Option<&Dialect>) -> Option<Copies> {
    if session.conversation == Conversation::Own || session.group < 2 {
        return None;
    }
    let Some(dialect) = dialect else {
        return (session.conversation == Conversation::Group).then_some(Copies::ByTask);
    };
    let copies = match dialect.events.answer {
        Some(_) => Copies::ById,
        None => Copies::ByTask,
    };
    (dialect.matching == Matching::Id).then_some(copies)
}

/// Whether a quantity is about what others say.
pub(super) const fn is_about(what: Quantity) -> bool {
    matches!(
        what,
        Quantity::Delivery {
            outcome: Outcome::Unheard
        } | Quantity::Latency {
            stage: Stage::FanOut,
            ..
        }
    )
}

/// Whether the scenario says that members of a conversation hear each other.
pub(crate) fn says_heard(plan: &Plan) -> bool {
    let mut expected = plan.expect.iter();
    let expects_it = expected.any(|expect| is_about(expect.what));
    expects_it || plan.load.session.conversation == Conversation::Group
}

/// The conversation of clients. Where a scenario does not say, who is in a room with others may hear them.
pub(super) fn conversation(file: &ScenarioFile, problems: &mut Problems) -> Conversation {
    let names_group = file.dialect.as_ref().is_some_and(names_group);
    match file.load.session.conversation {
        Some(Conversation::Room) if !names_group => {
            let complaint = Complaint::new("no template of a [target] names the room").hint(
                "write {group} where the server is told it: socket = { path = \"/rooms/{group}\" }",
            );
            problems.add(&file.load.at, "load.session.conversation", complaint);
            Conversation::Own
        }
        Some(said) => said,
        None if names_group => Conversation::Room,
        None => Conversation::Own,
    }
}

/// Whether a template says where the group belongs.
fn names_group(dialect: &Dialect) -> bool {
    let open = dialect.open.iter().filter_map(|step| step.send.as_deref());
    let all = [&*dialect.socket.path, &*dialect.send.message];
    let mut all = all.into_iter().chain(open);
    all.any(|template| places(template).any(|place| place == GROUP))
}

/// Whether clients of different groups are in different rooms, or each client in a room of its own, as far as the
/// templates of a mapped server say so.
pub(crate) fn has_rooms(dialect: Option<&Dialect>, session: &SessionPlan) -> bool {
    let Some(dialect) = dialect else {
        return false;
    };
    let open = dialect.open.iter();
    let open = open.filter_map(|step| step.send.as_deref());
    let mut joins = [dialect.socket.path.as_str()].into_iter().chain(open);
    joins.any(|template| {
        places(template).any(|place| match session.conversation {
            // Where each has its own, a place may as well be a name.
            Conversation::Own => false,
            Conversation::Room => place == GROUP,
            Conversation::Group => matches!(place, "conversation" | GROUP),
        })
    })
}
