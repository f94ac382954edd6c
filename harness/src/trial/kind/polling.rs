//! Who cannot keep a socket asks for the messages of a chat by plain HTTP: it gets each of them, once (rows 14
//! and 15).
//!
//! It asks while another member writes, so that a question meets a message that is being kept.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::sleep;

use crate::known::Known;
use crate::scenario::trial::Polling;
use crate::trial::client::TestClient;
use crate::trial::experiment::{ANSWER_TIMEOUT, Inconclusive, Iteration, Outcome};
use crate::trial::people;
use crate::units;

/// The one who writes; the first of the client is the one who asks.
const WRITER: usize = 1;
/// Pause before the next question when there was nothing new.
const PAUSE: Duration = Duration::from_millis(100);
/// Questions until all that was written before is known: a history holds 1,000 messages.
const QUESTIONS_MAX: usize = 100;

pub(super) async fn run(
    client: &mut TestClient,
    iteration: Iteration<'_>,
    Polling { messages }: Polling,
) -> Result<Outcome, Inconclusive> {
    let path = format!("/ws/chats/{}/", client.chat());
    let mut writer = client.join(WRITER, &path).await?;
    let mut reader = Reader::default();
    reader.pass_by(client).await?;
    let ids: Vec<String> = (0..messages).map(|_| client.new_message_id()).collect();
    let mut early = 0;
    for id in &ids {
        let (posted, asked) = tokio::join!(people::post(&mut writer, id), reader.ask(client));
        posted?;
        asked?;
        early += u64::from(!reader.heard.contains_key(id));
    }
    writer.close();
    reader.wait_for(client, &ids).await?;
    if early > 0 {
        iteration
            .record
            .add_met("questions that came just before a message was kept", early);
    }
    let times = |id: &String| reader.heard.get(id).copied().unwrap_or(0);
    let repeated = ids.iter().filter(|id| times(id) > 1).count();
    let lost = ids.iter().filter(|id| times(id) == 0).count();
    Ok(if repeated > 0 {
        let what = format!("{repeated} of {messages} messages were given to a poller twice");
        Outcome::Broke(Known::DuplicateOnResume, what)
    } else if lost == 0 {
        Outcome::Held
    } else if client.is_calm() {
        let what = format!("{lost} of {messages} messages never came to a member who polls");
        Outcome::Broke(Known::LostWhileAway, what)
    } else {
        Outcome::Inconclusive("a fault was in force meanwhile")
    })
}

/// A member without a socket.
#[derive(Default)]
struct Reader {
    /// The last message that it was given, by its id of the server.
    last: Option<String>,
    /// How often each came, by its id of the client.
    heard: BTreeMap<String, u32>,
}

impl Reader {
    /// Asks for what came since; whether that was anything new.
    async fn ask(&mut self, client: &mut TestClient) -> Result<bool, Inconclusive> {
        let given = people::poll(client, self.last.as_deref()).await;
        let given = given.ok_or(Inconclusive("a question was not answered"))?;
        let before = self.last.clone();
        for message in given {
            self.last = Some(message.id);
            if let Some(id) = message.client_message_id {
                *self.heard.entry(id).or_insert(0) += 1;
            }
        }
        Ok(self.last != before)
    }

    /// Skips what was written before.
    async fn pass_by(&mut self, client: &mut TestClient) -> Result<(), Inconclusive> {
        for _ in 0..QUESTIONS_MAX {
            if !self.ask(client).await? {
                self.heard.clear();
                return Ok(());
            }
        }
        Err(Inconclusive("the history never ends"))
    }

    /// Asks until it has all of these and nothing more comes, or for as long as is patient.
    async fn wait_for(
        &mut self,
        client: &mut TestClient,
        ids: &[String],
    ) -> Result<(), Inconclusive> {
        let deadline_us = client.clock().now_us() + units::us(ANSWER_TIMEOUT);
        while client.clock().now_us() < deadline_us {
            let nothing = !self.ask(client).await?;
            if nothing && ids.iter().all(|id| self.heard.contains_key(id)) {
                return Ok(());
            }
            if nothing {
                sleep(PAUSE).await;
            }
        }
        Ok(())
    }
}
