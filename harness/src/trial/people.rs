//! This module is what a member of a people chat does: write, know when the chat has it, and ask for what it keeps.

use serde::Deserialize;

use super::client::TestClient;
use super::experiment::{ANSWER_TIMEOUT, Inconclusive};
use crate::client::http::Answer;
use crate::client::talk::{Heard, Talk};
use crate::client::wire::{ServerFrame, people_message};

/// Sends a message to the chat and waits for it to come back; its id of the server.
pub(super) async fn post(talk: &mut Talk, id: &str) -> Result<String, Inconclusive> {
    let message = people_message("hello", id);
    talk.say(message)?;
    until(talk, id).await
}

/// Waits for that message; its id of the server.
pub(super) async fn until(talk: &mut Talk, id: &str) -> Result<String, Inconclusive> {
    let wanted = |frame: &ServerFrame<'_>| match frame {
        ServerFrame::Error(_) => true,
        frame => client_id(frame) == Some(id),
    };
    let Heard::Frame(text) = talk.hear(ANSWER_TIMEOUT, wanted).await else {
        return Err(Inconclusive("a message did not come back"));
    };
    match ServerFrame::parse(&text) {
        Ok(ServerFrame::Message { id, .. }) => Ok(id.into_owned()),
        _ => Err(Inconclusive("a message was refused")),
    }
}

/// The client's id of a message of the chat.
pub(super) fn client_id<'a>(frame: &'a ServerFrame<'_>) -> Option<&'a str> {
    match frame {
        ServerFrame::Message {
            client_message_id, ..
        } => client_message_id.as_deref(),
        _ => None,
    }
}

/// An answer to a poll.
#[derive(Deserialize)]
struct Page {
    messages: Vec<Polled>,
}

/// A message that was polled.
#[derive(Deserialize)]
pub(super) struct Polled {
    #[serde(rename = "message_id")]
    pub id: String,
    pub client_message_id: Option<String>,
}

/// A page of what the client's chat keeps, from after that message or from its beginning; `None`: no answer.
pub(super) async fn poll(client: &mut TestClient, after: Option<&str>) -> Option<Vec<Polled>> {
    let query = after.map_or_else(String::new, |after| format!("?after={after}"));
    let path = format!("/api/v1/messages/{}/{query}", client.chat());
    let Answer::Status {
        status: 200, body, ..
    } = client.get(0, &path).await.ok()?
    else {
        return None;
    };
    let page: Page = serde_json::from_slice(&body).ok()?;
    Some(page.messages)
}
