//! This module tries, before thousands of clients do, whether the first of them gets a credential.
//!
//! **In:** how the target is asked. **Out:** nothing, or why not: an answer that the load could not
//! read, a refusal, or none.
//!
//! One login and one connection token, as client 0 will ask for them: the same account, the same
//! requests over a client like theirs, judged by the same [`granted`]. Sockets are not opened:
//! whether they are let in is what the run is to find out.

use std::time::{Duration, UNIX_EPOCH};

use reqwest::header::{HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Client as Http, RequestBuilder, Response};

use super::refused::CredentialRefused;
use super::{Accounts, TargetError};
use crate::account::{self, Ask, BODY_BYTES_MAX, Jar, Trail, Who, granted, retry_after};
use crate::clock::wall_ns;
use crate::format::harmless;
use crate::plan::{Credential, Dialect, asks_token};
use crate::trust::innermost;

/// Longest wait that a server may ask for, all together.
const WAIT_MAX: Duration = Duration::from_mins(1);
/// Most tries at one credential: a server may ask to wait again and again for no time at all.
const TRIES_MAX: u32 = 5;
/// What the one connection token is for.
const CONVERSATION: &str = "harness-preflight";

/// How the target is asked.
pub(crate) struct CredentialCheck<'a> {
    /// As that of the load, but for each request a connection of its own.
    pub http: &'a Http,
    pub base: &'a str,
    /// The one `Host` of everything.
    pub host_header: &'a str,
    pub dialect: Option<&'a Dialect>,
    pub accounts: &'a Accounts,
    pub credential: Credential,
    /// Who is told of a wait.
    pub say: fn(&str),
}

/// An answer, read.
struct AnswerParts {
    status: u16,
    body: Vec<u8>,
    headers: HeaderMap,
    location: Option<String>,
    wait: Option<Duration>,
}

impl CredentialCheck<'_> {
    /// # Errors
    ///
    /// There is no credential to be had, or none that can be read.
    pub(crate) async fn check(&self) -> Result<(), TargetError> {
        if self.credential == Credential::None {
            return Ok(());
        }
        let (account, password) = (self.accounts.name(0), self.accounts.password(0));
        let mut jar = Jar::default();
        let access = match account::login_path(self.dialect) {
            Some(path) => {
                let who = Who {
                    account: &account,
                    password,
                    cells: self.accounts.cells(0),
                };
                let captured = self.page(&mut jar).await?;
                let method = account::login_method(self.dialect);
                let request = |url: &str, jar: &Jar| {
                    let request = self.http.request(method.clone(), url);
                    let request = account::with_login(request, self.dialect, who, &captured);
                    account::with_cookies(request, jar)
                };
                self.ask(Ask::Login, (path, &account), &mut jar, request)
                    .await?
            }
            None => password.to_owned(),
        };
        if asks_token(self.dialect, self.credential) {
            let request = |url: &str, jar: &Jar| {
                let request = account::with_access(self.http.post(url), &access);
                let request = account::with_token_wish(request, self.dialect, CONVERSATION);
                account::with_cookies(request, jar)
            };
            let path = account::token_path(self.dialect);
            self.ask(Ask::Token, (path, &account), &mut jar, request)
                .await?;
        }
        Ok(())
    }

    /// What a login repeats of the page before it, where there is one.
    async fn page(&self, jar: &mut Jar) -> Result<Vec<(String, String)>, TargetError> {
        let Some(path) = account::page_path(self.dialect) else {
            return Ok(Vec::new());
        };
        let url = format!("{}{path}", self.base);
        let none = |fact: String| TargetError::NoCredential {
            url: url.clone(),
            ask: Ask::Login,
            fact,
        };
        let response = self.http.get(&url).send().await;
        let response = response.map_err(|error| none(innermost(&error)))?;
        let AnswerParts {
            status,
            body,
            headers,
            ..
        } = read(response, true).await.map_err(none)?;
        if !(200..300).contains(&status) {
            let line = account::quoted(&body);
            return Err(none(format!("the page before it answers {status}: {line}")));
        }
        account::keep(self.dialect, jar, &headers);
        account::captured_of_page(self.dialect, &body, jar)
            .map_err(|why| none(format!("the page before it holds {why}")))
    }

    /// The last answer to a login: where it leads on, and the scenario follows, the one at the end.
    async fn followed(
        &self,
        (path, mut answer): (&str, AnswerParts),
        jar: &mut Jar,
    ) -> Result<AnswerParts, String> {
        let mut trail = Trail::new(self.dialect, (self.base, self.host_header), path);
        loop {
            account::keep(self.dialect, jar, &answer.headers);
            let lead = trail.next(answer.status, &answer.headers);
            let Some(path) = lead.map_err(|astray| astray.to_string())? else {
                return Ok(answer);
            };
            let request = self.http.get(format!("{}{path}", self.base));
            let response = account::with_cookies(request, jar).send().await;
            answer = read(response.map_err(|error| innermost(&error))?, false).await?;
        }
    }

    /// Asks until there is an answer that is no wish to wait.
    async fn ask(
        &self,
        ask: Ask,
        (path, account): (&str, &str),
        jar: &mut Jar,
        request: impl Fn(&str, &Jar) -> RequestBuilder,
    ) -> Result<String, TargetError> {
        let url = format!("{}{path}", self.base);
        let none = |fact: String| TargetError::NoCredential {
            url: url.clone(),
            ask,
            fact,
        };
        let mut waited = Duration::ZERO;
        for _ in 0..TRIES_MAX {
            let answer = match request(&url, jar).send().await {
                Ok(response) => read(response, true).await.map_err(none)?,
                Err(error) if error.is_timeout() => {
                    return Err(none("no answer in time".to_owned()));
                }
                Err(error) => return Err(none(innermost(&error))),
            };
            let answer = match ask {
                Ask::Login => self.followed((path, answer), jar).await.map_err(none)?,
                Ask::Refresh | Ask::Token => {
                    account::keep(self.dialect, jar, &answer.headers);
                    answer
                }
            };
            let AnswerParts { status, body, .. } = &answer;
            let why = match granted(self.dialect, ask, *status, body) {
                Ok(credential) => return Ok(credential),
                Err(why) => {
                    let password = self.accounts.password(0);
                    let secrets: Vec<&str> = jar.secrets().chain([password]).collect();
                    why.masked(&secrets)
                }
            };
            let Some(wait) = answer.wait.filter(|_| matches!(status, 429 | 503)) else {
                let refused = CredentialRefused {
                    url,
                    ask,
                    account: account.to_owned(),
                    why,
                    location: answer.location.as_deref().map(account::location),
                };
                return Err(TargetError::CredentialRefused(Box::new(refused)));
            };
            waited += wait;
            if waited > WAIT_MAX {
                let (wait, most) = (wait.as_secs(), WAIT_MAX.as_secs());
                return Err(none(format!(
                    "it asks to wait {wait} s, and {most} s are waited at most: {why}"
                )));
            }
            let text = format!(
                "before the run: the {} answers {status} and asks to wait {:.0} s; waiting",
                ask.word(),
                wait.as_secs_f64().ceil()
            );
            (self.say)(&text);
            tokio::time::sleep(wait).await;
        }
        Err(none(format!(
            "it still asks to wait after {TRIES_MAX} tries"
        )))
    }
}

/// # Errors
///
/// The answer breaks off, or is too long to be one.
async fn read(mut response: Response, is_whole: bool) -> Result<AnswerParts, String> {
    let status = response.status().as_u16();
    let header = |name| {
        let value = response.headers().get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    let wait = header(RETRY_AFTER);
    let now = UNIX_EPOCH + Duration::from_nanos(wall_ns());
    let wait = wait.and_then(|value| retry_after(&value, now));
    let location = header(LOCATION).map(|value| harmless(&value));
    let headers = std::mem::take(response.headers_mut());
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(part)) if body.len() + part.len() <= BODY_BYTES_MAX => body.extend(&part),
            // Where a login leads is a page, of which the beginning has to do.
            Ok(Some(_)) if !is_whole => break,
            Ok(Some(_)) => {
                return Err(format!(
                    "{status} with a body of more than {BODY_BYTES_MAX} bytes"
                ));
            }
            Ok(None) => break,
            Err(error) => return Err(format!("{status}, and then {}", innermost(&error))),
        }
    }
    Ok(AnswerParts {
        status,
        body,
        headers,
        location,
        wait,
    })
}
