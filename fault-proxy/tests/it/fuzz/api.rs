//! The API over one connection that is kept, byte for byte as given.

use super::Checked;
use crate::support::{World, connect, within};
use proptest::test_runner::TestCaseError;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Everything the README documents.
const STATUSES: [u16; 11] = [200, 201, 204, 400, 403, 404, 405, 409, 413, 429, 500];

pub(super) struct Api {
    address: String,
    stream: TcpStream,
    /// The server has hung up, or may have.
    stale: bool,
}

#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: String,
}

impl Api {
    pub(super) async fn of(world: &World) -> Self {
        let address = world.api.to_string();
        Self {
            stream: connect(&address).await,
            address,
            stale: false,
        }
    }

    /// One request and its answer, which must be one of those documented.
    pub(super) async fn ask(
        &mut self,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> Result<Reply, TestCaseError> {
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"
        );
        let request = [head.as_bytes(), body].concat();
        if self.stale {
            self.stream = connect(&self.address).await;
        }
        // A body that nobody read ends the connection after its answer.
        self.stale = body.len() > 512;
        self.stream.write_all(&request).await.map_err(fail)?;
        let reply = within("an answer of the API", self.reply()).await?;
        reply.check(&format!("{method} {path}"))?;
        Ok(reply)
    }

    /// The same with JSON, which must come back unless nothing does.
    pub(super) async fn json(
        &mut self,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Result<(u16, Value), TestCaseError> {
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let reply = self.ask(method, path, body.as_bytes()).await?;
        let json = serde_json::from_str(&reply.body).unwrap_or_default();
        Ok((reply.status, json))
    }

    async fn reply(&mut self) -> Result<Reply, TestCaseError> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.stream.read_u8().await.map_err(fail)?);
        }
        let head = String::from_utf8(head).map_err(fail)?.to_lowercase();
        self.stale |= head.contains("connection: close");
        let status = head.get(9..12).and_then(|text| text.parse().ok());
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            (name == "content-length").then(|| value.parse().ok())?
        });
        let mut body = vec![0; length.unwrap_or(0)];
        self.stream.read_exact(&mut body).await.map_err(fail)?;
        Ok(Reply {
            status: status.ok_or_else(|| fail(format!("not HTTP: {head}")))?,
            body: String::from_utf8(body).map_err(fail)?,
        })
    }
}

impl Reply {
    fn check(&self, request: &str) -> Checked {
        if !STATUSES.contains(&self.status) {
            return Err(fail(format!("{request}: {self:?}")));
        }
        if self.body.contains("internal error") {
            return Err(fail(format!("{request}: {self:?}")));
        }
        // Errors of a matched route say their status once more.
        if self.status >= 400 && self.body.starts_with('{') {
            let json: Value = serde_json::from_str(&self.body).map_err(fail)?;
            if json["status"] != self.status || !json["error"].is_string() {
                return Err(fail(format!("{request}: {self:?}")));
            }
        }
        Ok(())
    }

    /// A port of a stopped proxy may go to somebody else on the machine.
    pub(super) fn is_port_taken(&self) -> bool {
        self.status == 500 && self.body.contains("address already in use")
    }
}

pub(super) fn fail(why: impl ToString) -> TestCaseError {
    TestCaseError::fail(why.to_string())
}
