//! What is answered: the same text always gives the same chunks.

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
}

impl Answer {
    pub(super) fn new(task: u64, message: &str, chunks: u32) -> Self {
        let characters = message.chars().count();
        let quoted: String = message.chars().take(QUOTED).collect();
        Self {
            task,
            text: format!("You wrote {characters} characters: {quoted}"),
            chunks,
        }
    }

    /// Turns until the answer is over.
    pub(super) fn turns(&self) -> u32 {
        self.chunks + 1
    }

    /// The events of a turn: the start in turn 0, a chunk in each later one, and the end with the last chunk.
    pub(super) fn events(&self, turn: u32, defects: Defects) -> Vec<String> {
        let task_id = wire::task_id(self.task);
        if turn == 0 {
            let json = Event::ProcessingStarted { task_id: &task_id }.json();
            return vec![event::encode(self.task, 0, false, &json)];
        }
        let seq = defects.chunk_reorder.pick(self.task, turn - 1, self.chunks);
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

    proptest! {
        #[test]
        fn the_chunks_joined_are_the_answer(message in ".{0,60}", chunks in 1_u32..80) {
            let answer = Answer::new(1, &message, chunks);
            let joined: String = (0..chunks).map(|seq| answer.chunk(seq)).collect();
            prop_assert_eq!(joined, answer.text);
        }
    }

    #[test]
    fn ordinals_run_from_0_to_the_end() {
        let answer = Answer::new(1, "hello", 3);
        let all: Vec<String> = (0..answer.turns())
            .flat_map(|turn| answer.events(turn, Defects::default()))
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
        assert!(Answer::new(1, &"ä".repeat(10_000), 3).text.len() < 500);
    }
}
