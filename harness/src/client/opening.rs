//! This module goes through what is said and heard on a socket of a mapped server before it is ready, and knows what a
//! client answers by itself.
//!
//! **In:** the texts of the server. **Out:** what to say next, or [`Failure`]: which step did not go on, and what came
//! instead. Reads no clock and holds no socket: whoever does tells how long a step has taken.

use super::dialect::{NO_CODE, read_seen};
use super::frame::Seen;
use super::template::{Captured, Held, Places, said};
use super::wire::ServerFrame;
use crate::account::quoted;
use crate::failure::{Failure, FailureKind, StepProblem};
use crate::plan::{Dialect, OpeningStep};

/// How far an opening is.
#[derive(Debug, Default)]
pub(crate) struct Opening {
    /// The step that is under way.
    at: usize,
    /// Frames that came while a step waited and were not what it waits for, and the beginning of the first.
    passed: u32,
    first: String,
}

/// What a frame is to an opening.
#[derive(Debug)]
pub(crate) enum Met {
    /// Nothing: it passes by.
    Passed,
    /// It is answered by this.
    Answered(String),
    /// The step is done.
    Done,
    /// The step cannot go on.
    Failed(Failure),
}

impl Opening {
    /// The step that is under way; `None`: the socket is ready.
    pub(crate) fn step<'d>(&self, dialect: &'d Dialect) -> Option<&'d OpeningStep> {
        dialect.open.get(self.at)
    }

    /// What the step says, if anything; `id` is one that no message has.
    pub(crate) fn says(&self, dialect: &Dialect, id: &str, places: Places<'_>) -> Option<String> {
        let template = self.step(dialect)?.send.as_deref()?;
        Some(said(dialect, (template, &[("id", id)]), places))
    }

    /// Goes on to the next step.
    pub(crate) fn pass(&mut self) {
        self.at += 1;
        self.passed = 0;
        self.first.clear();
    }

    /// A text of the server while a step waits.
    pub(crate) fn hear(&mut self, dialect: &Dialect, text: &str, places: Places<'_>) -> Heard {
        let seen = Seen::new(text);
        let awaited = self.step(dialect).and_then(|step| {
            let body = seen.matched(dialect, step.awaited.as_ref()?)?;
            Some(body.captured(&step.capture))
        });
        match awaited {
            Some(Ok(captured)) => {
                self.pass();
                return Heard {
                    met: Met::Done,
                    captured,
                };
            }
            Some(Err(absent)) => {
                let words = format!("{absent} in {}", shown(places.held, text));
                let failure = self.failure(dialect, StepProblem::NothingToCapture, &words);
                return Met::Failed(failure).into();
            }
            None => {}
        }
        match reply(dialect, &seen, places) {
            Some(Ruled::Answered(answer)) => return Met::Answered(answer).into(),
            Some(Ruled::Passed) => return Met::Passed.into(),
            None => {}
        }
        match read_seen(dialect, seen) {
            Ok(ServerFrame::Ignored) => {}
            Ok(ServerFrame::Error(error)) => {
                let text = error.text.as_deref().unwrap_or_default();
                let words = match (&*error.code, text) {
                    (NO_CODE, text) if !text.is_empty() => text.to_owned(),
                    (code, text) => format!("{code} {text}"),
                };
                let words = shown(places.held, &words);
                let failure = self.failure(dialect, StepProblem::Refused, &words);
                return Met::Failed(failure).into();
            }
            _ => {
                if self.passed == 0 {
                    self.first = shown(places.held, text);
                }
                self.passed = self.passed.saturating_add(1);
            }
        }
        Met::Passed.into()
    }

    /// The step has waited for as long as it may; `unfinished`: the beginning of a frame has come.
    pub(crate) fn unanswered(&self, dialect: &Dialect, unfinished: bool) -> Failure {
        let first = &self.first;
        let words = match self.passed {
            _ if unfinished => "the beginning of a message came, and not its end".to_owned(),
            0 => "nothing came".to_owned(),
            1 => format!("what came is {first}"),
            passed => format!("{passed} frames came, the first: {first}"),
        };
        self.failure(dialect, StepProblem::Unanswered, &words)
    }

    fn failure(&self, dialect: &Dialect, problem: StepProblem, words: &str) -> Failure {
        let name = self.step(dialect).and_then(|step| step.name.as_deref());
        let step = u8::try_from(self.at + 1).unwrap_or(u8::MAX);
        let name = name.unwrap_or_default().into();
        Failure::said(
            FailureKind::Step {
                step,
                name,
                problem,
            },
            words,
        )
    }

    /// The step, as it is called in words.
    pub(crate) fn word(&self, dialect: &Dialect) -> String {
        let number = self.at + 1;
        match self.step(dialect).and_then(|step| step.name.as_deref()) {
            Some(name) => format!("opening step {number} \"{name}\""),
            None => format!("opening step {number}"),
        }
    }
}

/// What came of a text, with what was captured of it.
#[derive(Debug)]
pub(crate) struct Heard {
    pub met: Met,
    /// To be held from now on.
    pub captured: Vec<Captured>,
}

impl From<Met> for Heard {
    fn from(met: Met) -> Self {
        Self {
            met,
            captured: Vec::new(),
        }
    }
}

/// What a rule says of a frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ruled {
    /// It passes by.
    Passed,
    /// It is answered by this.
    Answered(String),
}

/// What a client answers to a frame by itself. `None`: no rule is about it.
///
/// A rule is about a frame in which everything is that it captures.
pub(crate) fn reply(dialect: &Dialect, seen: &Seen<'_>, places: Places<'_>) -> Option<Ruled> {
    dialect.reply.iter().find_map(|rule| {
        let body = seen.matched(dialect, &rule.when)?;
        let captured = body.captured(&rule.capture).ok()?;
        let own = captured.iter().map(|(name, value)| (&**name, &**value));
        let own: Vec<(&str, &str)> = own.collect();
        Some(match &rule.send {
            Some(template) => Ruled::Answered(said(dialect, (template, &own), places)),
            None => Ruled::Passed,
        })
    })
}

fn shown(held: Option<&Held>, text: &str) -> String {
    quoted(super::template::shown(held, text).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: &str = r#"# ?
[load]
clients = 1
hold = "1s"
session = { credential = "first-frame" }
[environment]
users = { password = "${env:P}" }
[target]
token = "none"
events = { field = "type", ignore = ["noise"] }
[[target.open]]
name = "auth"
send = '{"token":"{credential}","id":"{id}"}'
await = "ok"
capture = { sid = "sid" }
[[target.open]]
send = "{sid}"
[[target.reply]]
when = { type = "ping" }
capture = { nonce = "nonce" }
send = '{"pong":{nonce},"sid":"{sid}"}'
[[target.reply]]
when = { type = "beat" }
send = "none"
"#;

    fn dialect() -> Dialect {
        let overrides = crate::scenario::Overrides::default();
        let plan = crate::plan::compile("t.toml", STEPS, &overrides);
        *plan.unwrap().environment.dialect.unwrap()
    }

    fn held() -> Held {
        Held {
            credential: "s3cret\"-of-one".into(),
            captured: Vec::new(),
        }
    }

    fn places(held: &Held) -> Places<'_> {
        Places {
            conversation: "c-1",
            client: 0,
            account: "u-1",
            cells: None,
            group: 0,
            held: Some(held),
        }
    }

    #[test]
    fn an_opening_says_hears_and_captures_one_step_after_the_other() {
        let (dialect, mut held, mut opening) = (dialect(), held(), Opening::default());
        let said = opening.says(&dialect, "i-1", places(&held)).unwrap();
        assert_eq!(said, r#"{"token":"s3cret\"-of-one","id":"i-1"}"#);
        for passing in [r#"{"type":"noise"}"#, r#"{"type":"beat"}"#, "[]"] {
            let heard = opening.hear(&dialect, passing, places(&held));
            assert!(matches!(heard.met, Met::Passed), "{heard:?}");
        }
        let heard = opening.hear(&dialect, r#"{"type":"ping","nonce":5}"#, places(&held));
        let Met::Answered(answer) = heard.met else {
            panic!("{heard:?}");
        };
        // Nothing fills it yet.
        assert_eq!(answer, r#"{"pong":5,"sid":"{sid}"}"#);
        let heard = opening.hear(&dialect, r#"{"type":"ok","sid":7}"#, places(&held));
        assert!(matches!(heard.met, Met::Done), "{heard:?}");
        held.captured.extend(heard.captured);
        assert_eq!(opening.word(&dialect), "opening step 2");
        assert_eq!(opening.says(&dialect, "i-2", places(&held)).unwrap(), "7");
        opening.pass();
        assert!(opening.step(&dialect).is_none());
        let ping = Seen::new(r#"{"type":"ping","nonce":5}"#);
        let answer = Ruled::Answered(r#"{"pong":5,"sid":"7"}"#.to_owned());
        assert_eq!(reply(&dialect, &ping, places(&held)), Some(answer));
        let beat = Seen::new(r#"{"type":"beat"}"#);
        assert_eq!(reply(&dialect, &beat, places(&held)), Some(Ruled::Passed));
        // What it captures is not there: the rule is not about it.
        let bare = Seen::new(r#"{"type":"ping"}"#);
        assert_eq!(reply(&dialect, &bare, places(&held)), None);
    }

    #[test]
    fn a_step_that_does_not_go_on_says_what_came_instead_and_no_secret() {
        let (dialect, held, mut opening) = (dialect(), held(), Opening::default());
        assert_eq!(
            opening.unanswered(&dialect, false).text(),
            "opening step 1 \"auth\" timeout: nothing came"
        );
        let other = r#"{"type":"no","you said":"s3cret\"-of-one"}"#;
        opening.hear(&dialect, other, places(&held));
        opening.hear(&dialect, "x", places(&held));
        assert_eq!(
            opening.unanswered(&dialect, false).text(),
            r#"opening step 1 "auth" timeout: 2 frames came, the first: {"type":"no","you said":"***"}"#
        );
        let failed = |opening: &mut Opening, text: &str| {
            let heard = opening.hear(&dialect, text, places(&held));
            let Met::Failed(failure) = heard.met else {
                panic!("{heard:?}");
            };
            failure.text()
        };
        assert_eq!(
            failed(&mut opening, r#"{"type":"ok","sid":null}"#),
            r#"opening step 1 "auth" without what it captures: `sid` is null in {"type":"ok","sid":null}"#
        );
        assert_eq!(
            failed(
                &mut opening,
                r#"{"type":"error","code":"bad","message":"no"}"#
            ),
            "opening step 1 \"auth\" refused: bad no"
        );
    }
}
