//! What is answered: the same text always gives the same chunks.

use super::job::Job;
use crate::defect::Defects;
use crate::room::event;
use crate::wire;
use crate::wire::Event;

/// Characters of the message that the answer repeats.
const QUOTED: usize = 200;

/// One answer and how it is cut.
#[derive(Debug)]
pub(super) struct Answer {
    task: u64,
    text: String,
    chunks: u32,
    asker: Option<(u64, String)>,
}

impl Answer {
    pub(super) fn new(job: &Job, chunks: u32) -> Self {
        let message = &job.text;
        let characters = message.chars().count();
        let quoted: String = message.chars().take(QUOTED).collect();
        Self {
            task: job.task,
            text: format!("You wrote {characters} characters: {quoted}"),
            chunks,
            asker: job.asker.clone(),
        }
    }

    /// Turns until the answer is over.
    pub(super) fn turns(&self) -> u32 {
        self.chunks + 1
    }

    /// The events of a turn: the start in turn 0, a chunk in each later one, and the end with the
    /// last chunk.
    pub(super) fn events(&self, turn: u32, defects: &Defects) -> Vec<String> {
        let task_id = wire::task_id(self.task);
        if turn == 0 {
            let json = Event::ProcessingStarted { task_id: &task_id }.json();
            let text = match &self.asker {
                Some((user, id)) => event::encode_start(self.task, (*user, id), &json),
                None => event::encode(self.task, 0, false, &json),
            };
            return vec![text];
        }
        let seq = defects.pick_chunk(self.task, turn - 1, self.chunks);
        let json = Event::Chunk {
            task_id: &task_id,
            seq,
            chunk: self.chunk(seq),
        }
        .json();
        let mut events = vec![event::encode(self.task, turn, false, &json)];
        if turn == self.chunks {
            // `message_id` is the entry's own id, which is not known yet.
            let chunks = self.chunks;
            let json = Event::Complete {
                task_id: &task_id,
                message_id: None,
                chunks,
            }
            .json();
            events.push(event::encode(self.task, turn + 1, true, &json));
        }
        events
    }

    fn chunk(&self, seq: u32) -> &str {
        let cut = |part: u32| {
            let at = self.text.len() as u64 * u64::from(part) / u64::from(self.chunks);
            self.text
                .floor_char_boundary(usize::try_from(at).unwrap_or(usize::MAX))
        };
        &self.text[cut(seq)..cut(seq + 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn answer(message: &str, chunks: u32) -> Answer {
        let job = Job {
            entry: crate::store::StreamId::default(),
            task: 1,
            conversation: "c".into(),
            text: message.to_owned(),
            asker: Some((7, "m-1".to_owned())),
        };
        Answer::new(&job, chunks)
    }

    proptest! {
        #[test]
        fn the_chunks_joined_are_the_answer(message in ".{0,60}", chunks in 1_u32..80) {
            let answer = answer(&message, chunks);
            let joined: String = (0..chunks).map(|seq| answer.chunk(seq)).collect();
            prop_assert_eq!(joined, answer.text);
        }
    }

    #[test]
    fn ordinals_run_from_0_to_the_end() {
        let answer = answer("hello", 3);
        let all: Vec<String> = (0..answer.turns())
            .flat_map(|turn| answer.events(turn, &Defects::default()))
            .collect();
        let events: Vec<_> = all
            .iter()
            .map(|text| event::RawEvent::parse("conv:c", text).unwrap())
            .collect();
        assert_eq!(
            events.iter().map(|event| event.ordinal).collect::<Vec<_>>(),
            [0, 1, 2, 3, 4]
        );
        assert_eq!(events.iter().filter(|event| event.is_end()).count(), 1);
    }

    #[test]
    fn a_long_message_is_not_repeated_whole() {
        assert!(answer(&"ä".repeat(10_000), 3).text.len() < 500);
    }
}
