//! Sends a socket what it missed, from the room's history, between what it had and what it gets
//! live.
//!
//! The history is read outside of any lock and in parts: a part is sent up to the last entry that
//! was delivered live; when it reaches that entry, the socket joins the live events under the same
//! lock.

use std::sync::Arc;

use super::event::RawEvent;
use super::member::{Member, Pause};
use super::place::Place;
use super::replay_request::{Part, Progress, ReplayRequest, Replayed, Seen, What};
use super::rooms::Rooms;
use super::state::Room;
use super::task::Task;
use crate::socket::{ChatMessage, Conn, code};
use crate::store::StreamId;
use crate::wire::lost;

impl Rooms {
    /// Starts the replay a client asked for; one at a time.
    pub(crate) fn resume(&self, conn: &Arc<Conn>, after: StreamId) {
        let mut shard = self.shard(&conn.room);
        let Some(room) = shard.get_mut(&conn.room) else {
            return;
        };
        let request = ReplayRequest {
            conn: Arc::clone(conn),
            what: What::After(after),
            client_message_id: None,
        };
        let until = room.place(room.last.unwrap_or_default());
        let after = room.place(after);
        let running = room.running();
        match room.member(conn.id) {
            Some(member) if member.paused.is_none() => {
                for (task, first, next) in running {
                    if member.has(task, first) {
                        member.adopt(task, next);
                    }
                }
                member.paused = Some(Box::new(Pause { until, after }));
                self.replay(room, request);
            }
            Some(_) => request.refuse("busy", "a replay is under way"),
            None => {}
        }
    }

    /// A message of a people chat was posted before: says so by the same message, unless this
    /// socket has had it or is about to. `text` is what it would be kept as; what the client sends
    /// again under one id is taken for the same.
    pub(crate) fn posted_before(
        &self,
        message: &ChatMessage,
        (number, entry): (u64, StreamId),
        text: &str,
    ) {
        let mut shard = self.shard(&message.conn.room);
        let Some(room) = shard.get_mut(&message.conn.room) else {
            return;
        };
        let live = room.last.is_none_or(|last| entry > last);
        let place = room.place(entry);
        let coming = |member: &Member| {
            let replaying = member
                .paused
                .as_ref()
                .is_some_and(|pause| place > pause.after);
            live || replaying || member.has_message(number, place)
        };
        let event = RawEvent::parse(&message.conn.room, text);
        let frame = event.and_then(|event| event.frame(entry, &self.defects));
        if let Some(frame) = frame
            && let Some(member) = room.member(message.conn.id)
            && !coming(member)
        {
            member.conn.send(&frame);
            member.adopt(number, 1);
        }
    }

    /// The last entry delivered live in the room.
    pub(crate) fn delivered(&self, name: &str) -> Option<StreamId> {
        self.shard(name).get(name).and_then(Room::cursor)
    }

    /// Sends a part of the history, as far as the socket has room for it. `part.target` is what
    /// [`Rooms::delivered`] said before the part was read.
    pub(crate) fn replayed(
        &self,
        request: &ReplayRequest,
        part: &Part,
        progress: &mut Progress,
    ) -> Replayed {
        let mut shard = self.shard(&request.conn.room);
        let Some(room) = shard.get_mut(&request.conn.room) else {
            return Replayed::UpToDate;
        };
        let last = room.cursor().unwrap_or_default();
        let again = self.defects.repeats_on_resume() && matches!(request.what, What::After(_));
        let mut outcome = Replayed::Part;
        for (id, text) in part.entries.iter().filter(|(id, _)| *id <= last) {
            if !request.conn.has_room() {
                outcome = Replayed::Full;
                break;
            }
            progress.read = *id;
            progress.from.get_or_insert(*id);
            let Some(event) = RawEvent::parse(&request.conn.room, text) else {
                continue;
            };
            if !progress.is_due(request, room, (*id, &event)) && !again {
                continue;
            }
            if let Some(frame) = event.frame(*id, &self.defects) {
                request.conn.send(&frame);
                self.metrics.replayed.inc();
            }
            if event.is_end()
                && !event.is_message()
                && let Some(member) = room.member(request.conn.id)
            {
                member.had_all(event.task);
            }
        }
        let ended = part.is_last && last <= part.target && outcome == Replayed::Part;
        if ended || progress.read >= last {
            outcome = Replayed::UpToDate;
        }
        room.adopt(request, progress, outcome == Replayed::UpToDate);
        outcome
    }

    /// The queue has forgotten the task and the history has nothing of it: it was answered too long
    /// ago.
    pub(crate) fn gone(&self, request: &ReplayRequest, task: u64) {
        let mut shard = self.shard(&request.conn.room);
        let Some(room) = shard.get_mut(&request.conn.room) else {
            return;
        };
        // Where it was heard of here it goes on, or is being queued again.
        let running = |known: &Task| known.id == task && !known.unseen;
        if room.tasks.iter().any(running) {
            return;
        }
        let Some(member) = room.member(request.conn.id) else {
            return;
        };
        // It may have come live meanwhile.
        if member.is_owed(task) && !member.has_begun(task) {
            member.lose(task);
            self.metrics.lost.inc();
            request.conn.send(&lost(task));
            room.forget_unseen(task, true);
        }
    }

    /// Ends a replay that did not catch up: with the socket, where live events waited for it or the
    /// reader is to blame.
    pub(crate) fn abandon(&self, request: &ReplayRequest, too_slow: bool) {
        if too_slow {
            return request.conn.close(code::TRY_AGAIN, "reads too slowly");
        }
        let mut shard = self.shard(&request.conn.room);
        if let Some(room) = shard.get_mut(&request.conn.room)
            && matches!(request.what, What::After(_))
        {
            let last = room.place(room.last.unwrap_or_default());
            if let Some(member) = room.member(request.conn.id)
                && let Some(pause) = member.paused.take()
                && last > pause.until
            {
                member
                    .conn
                    .close(code::FAILURE, "the history cannot be read");
            }
        }
        let why = ("unavailable", "the history cannot be read");
        match shard.get_mut(&request.conn.room) {
            Some(room) => room.refuse(request, why),
            None => request.refuse(why.0, why.1),
        }
    }
}

impl Room {
    pub(super) fn member(&mut self, conn: u64) -> Option<&mut Member> {
        self.members
            .iter_mut()
            .find(|member| member.conn.id == conn)
    }

    /// Says that a replay cannot be had. Where it was for one message, that is the end of it for
    /// this socket.
    pub(super) fn refuse(&mut self, request: &ReplayRequest, (code, error): (&str, &str)) {
        if let What::Task(task, _) = request.what {
            if let Some(member) = self.member(request.conn.id) {
                member.settle(task);
            }
            self.forget_unseen(task, false);
        }
        request.refuse(code, error);
    }

    /// A task that was only known by its name needs no looking after any more.
    fn forget_unseen(&mut self, task: u64, lost: bool) {
        let unseen = |known: &Task| known.id == task && known.unseen;
        if let Some(at) = self.tasks.iter().position(unseen) {
            let task = self.tasks.swap_remove(at);
            if lost {
                self.remember(&task, true);
            }
        }
    }

    /// Tasks under way: number, when it began, and the ordinal that comes next.
    fn running(&self) -> Vec<(u64, Option<Place>, u32)> {
        let begun = self.tasks.iter().filter(|task| task.next > 0);
        begun.map(|task| (task.id, task.first, task.next)).collect()
    }

    /// When a task began, as far as it is known here.
    fn first_of(&self, task: u64) -> Option<Place> {
        // It may run again meanwhile.
        if let Some(end) = self.done.get(task) {
            return Some(end.first);
        }
        self.tasks.iter().find(|known| known.id == task)?.first
    }

    /// Notes what the socket was sent, so that it gets the rest live, and nothing twice.
    fn adopt(&mut self, request: &ReplayRequest, progress: &Progress, caught_up: bool) {
        let running = self.running();
        let first = match request.what {
            What::Task(task, _) => self.first_of(task),
            What::After(_) => None,
        };
        if let What::Task(task, _) = request.what
            && progress.seen.get(&task).is_some_and(|seen| seen.ended)
        {
            self.forget_unseen(task, false);
        }
        let firsts: Vec<_> = progress.seen.keys().map(|id| self.first_of(*id)).collect();
        let after = match request.what {
            What::After(after) => Some(self.place(after)),
            What::Task(..) => None,
        };
        let from = progress.from.map(|from| self.place(from.before()));
        let Some(member) = self.member(request.conn.id) else {
            return;
        };
        let resumed = after.is_some();
        for ((task, seen), first) in progress.seen.iter().zip(firsts) {
            // Messages of people are never sent again, and all after `after` were had.
            if !(resumed && seen.message || member.gets_live(*task, first)) {
                member.adopt(*task, seen.next);
            }
        }
        if !caught_up {
            return;
        }
        match request.what {
            What::After(_) => {
                for (task, first, next) in running {
                    let noted = member.next_of(task).is_some();
                    let in_pause = member.began_in_pause(first) && first > after;
                    if !noted
                        && (in_pause || member.is_owed(task))
                        && !member.gets_live(task, first)
                    {
                        // Its beginning is in no history any more, or asked for and on its way.
                        member.adopt(task, 0);
                    } else if !noted && !member.gets_live(task, first) {
                        // What the client had of it it had before, or it would have asked from an
                        // earlier entry on.
                        member.adopt(task, next);
                    }
                }
            }
            What::Task(task, _) if member.gets_live(task, first) => {}
            What::Task(task, _) => member.adopt(task, 0),
        }
        if after.is_some() {
            // Between `after` and there Redis may have forgotten what there was.
            member.caught_up(from);
        }
    }
}

impl Progress {
    /// Whether this entry is wanted, next in its task, and not yet sent to the socket.
    fn is_due(
        &mut self,
        request: &ReplayRequest,
        room: &mut Room,
        (id, event): (StreamId, &RawEvent<'_>),
    ) -> bool {
        let wanted = match request.what {
            What::Task(task, _) => task == event.task,
            What::After(_) => true,
        };
        if !wanted {
            return false;
        }
        let began = (event.ordinal == 0).then(|| room.place(id));
        let seen = self.seen.entry(event.task).or_insert_with(|| {
            let member = room.member(request.conn.id);
            let noted = member
                .as_ref()
                .and_then(|member| member.next_of(event.task));
            let is_owed = member.is_some_and(|member| member.is_owed(event.task));
            let next = match request.what {
                // What was asked for here comes from its beginning or not at all.
                What::After(_) if !is_owed => event.ordinal,
                What::After(_) | What::Task(..) => 0,
            };
            Seen {
                next: noted.unwrap_or(next),
                first: room.first_of(event.task).or(began),
                message: event.is_message(),
                ended: false,
            }
        });
        if event.ordinal != seen.next {
            return false;
        }
        seen.next += 1;
        seen.ended = event.is_end();
        let member = room.member(request.conn.id);
        member.is_some_and(|member| !member.had(seen, (event.task, event.ordinal)))
    }
}
