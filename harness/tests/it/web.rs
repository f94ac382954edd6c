//! `--web`: who watches a run sees what it does, and only who has the token ends it.
//!
//! Slow: run by `cargo test -- --include-ignored`, as `cargo xtask test` does.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::case::{Case, number};
use crate::support::{Done, finish, harness};

/// A run of eight seconds, of few clients, that asks for no more than it can have.
const SHORT: [&str; 10] = [
    "--clients",
    "20",
    "--duration",
    "8s",
    "--set",
    "expect.0.what=complete p50",
    "--set",
    "expect.2.at_least=10",
    "--web",
    "127.0.0.1:0",
];
/// How long a viewer waits for the next word.
const PATIENCE: Duration = Duration::from_secs(30);

/// A run that is under way, and where it is watched.
struct Watched {
    case: Case,
    run: Child,
    address: String,
    token: String,
    /// What the run said before it said where.
    said: BufReader<std::process::ChildStderr>,
}

impl Watched {
    fn start(more: &[&str]) -> Self {
        let case = Case::new();
        let flags: Vec<&str> = SHORT.iter().chain(more).copied().collect();
        let mut run = case
            .command("scenarios/smoke.toml", &flags)
            .spawn()
            .unwrap();
        let mut said = BufReader::new(run.stderr.take().unwrap());
        let url = loop {
            let mut line = String::new();
            assert!(
                said.read_line(&mut line).unwrap() > 0,
                "it never said where"
            );
            if let Some(url) = line.trim_end().strip_prefix("watch  http://") {
                break url.to_owned();
            }
        };
        let (address, token) = url.split_once("/#stop=").unwrap();
        Self {
            case,
            run,
            address: address.to_owned(),
            token: token.to_owned(),
            said,
        }
    }

    fn ask(&self, head: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!("{head} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }

    fn status(&self, head: &str) -> String {
        let mut line = String::new();
        let stream = self.ask(head);
        BufReader::new(stream).read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn end(mut self) -> (Done, Case) {
        let mut done = finish(self.run);
        self.said.read_to_string(&mut done.stderr).unwrap();
        (done, self.case)
    }
}

/// Events of the stream until `is_last`.
fn events(
    stream: TcpStream,
    mut is_last: impl FnMut(&str, &Value) -> bool,
) -> Vec<(String, Value)> {
    let (mut all, mut name) = (Vec::new(), String::new());
    for line in BufReader::new(stream).lines() {
        let line = line.unwrap();
        if let Some(event) = line.strip_prefix("event: ") {
            event.clone_into(&mut name);
        }
        if let Some(data) = line.strip_prefix("data: ") {
            let data = serde_json::from_str(data).unwrap();
            let is_over = is_last(&name, &data);
            all.push((name.clone(), data));
            if is_over {
                return all;
            }
        }
    }
    panic!("the stream ended before it: {all:?}");
}

/// It went to its end, on a machine that may be busy with other tests.
const fn is_judged(done: &Done) -> bool {
    matches!(done.code, 0 | 12 | 13)
}

fn field(frame: &Value, label: &str) -> String {
    let rows = frame["rows"].as_array().unwrap();
    let row = rows.iter().find(|row| row["label"] == label).unwrap();
    let parts = row["fields"].as_array().unwrap().iter();
    let parts = parts.flat_map(|field| field.as_array().unwrap());
    parts.map(|part| part[1].as_str().unwrap()).collect()
}

#[test]
#[ignore = "slow: drives a load for eight seconds"]
fn a_viewer_sees_the_run_go_on_and_hears_the_verdict() {
    let watched = Watched::start(&[]);
    let all = events(watched.ask("GET /events"), |name, _| name == "ended");
    let of = |wanted: &'static str| {
        all.iter()
            .filter(move |(name, _)| name == wanted)
            .map(|(_, data)| data)
    };
    let hello = of("hello").next().unwrap();
    assert_eq!(hello["title"], "smoke");
    let frames: Vec<&Value> = of("now").collect();
    assert!(frames.len() >= 10, "{} frames of 8 s", frames.len());
    let moments: Vec<u64> = frames.iter().map(|frame| number(frame, "/at_us")).collect();
    assert!(moments.is_sorted(), "{moments:?}");
    assert!(field(frames[frames.len() - 1], "messages").contains(" sent = "));
    assert!(field(frames[frames.len() - 1], "expect").contains("complete"));
    // Slots are told again as they fill: the last word counts.
    let mut sent = std::collections::BTreeMap::new();
    let mut grown = Vec::new();
    for points in of("points") {
        for point in points.as_array().unwrap() {
            sent.insert(number(point, "/0"), number(point, "/2/0"));
        }
        grown.push(sent.values().sum::<u64>());
    }
    assert!(
        grown.is_sorted() && grown.first() < grown.last(),
        "{grown:?}"
    );
    let (_, ended) = all.last().unwrap();
    let (done, case) = watched.end();
    let verdict = ended["verdict"].as_str().unwrap();
    assert!(
        done.stdout.starts_with(verdict),
        "{verdict}: {}",
        done.stdout
    );
    assert_eq!(ended["code"], done.code, "{}", done.stderr);
    assert!(is_judged(&done), "{}{}", done.stdout, done.stderr);
    let place = ended["place"].as_str().unwrap();
    assert!(std::path::Path::new(place).is_file(), "{place}");
    let counted = number(&case.result(), "/delivery/sent");
    let told = grown.last().copied().unwrap();
    assert!(
        told <= counted && told * 10 >= counted * 9,
        "{told} of {counted}"
    );
    assert!(
        !case.logs().contains("#stop="),
        "the token is kept by nothing"
    );
}

#[test]
#[ignore = "slow: starts a whole environment"]
fn a_run_is_stopped_with_its_token_only_and_keeps_what_it_saw() {
    let watched = Watched::start(&[]);
    let stream = watched.ask("GET /events");
    // Until something was sent.
    events(stream, |name, data| {
        name == "points"
            && data
                .as_array()
                .unwrap()
                .iter()
                .any(|point| number(point, "/2/0") > 0)
    });
    assert_eq!(watched.status("POST /stop"), "HTTP/1.1 403 Forbidden");
    assert_eq!(
        watched.status("POST /stop?token=0000"),
        "HTTP/1.1 403 Forbidden"
    );
    let stop = format!("POST /stop?token={}", watched.token);
    assert_eq!(watched.status(&stop), "HTTP/1.1 202 Accepted");
    let (done, case) = watched.end();
    assert_eq!(done.code, 130, "{}{}", done.stdout, done.stderr);
    let result = case.result();
    assert_eq!(result["run"]["interrupted"], true);
    assert!(
        number(&result, "/run/duration_us") < 7_500_000,
        "{}",
        result["run"]
    );
}

#[test]
#[ignore = "slow: drives a load for eight seconds"]
fn a_viewer_who_does_not_read_and_one_from_elsewhere_do_no_harm() {
    let watched = Watched::start(&[]);
    let deaf: Vec<TcpStream> = (0..16).map(|_| watched.ask("GET /events")).collect();
    let foreign = TcpStream::connect(&watched.address).unwrap();
    let mut foreign = BufReader::new(foreign);
    let head = b"GET /events HTTP/1.1\r\nHost: evil.example\r\n\r\n";
    foreign.get_mut().write_all(head).unwrap();
    let mut line = String::new();
    foreign.read_line(&mut line).unwrap();
    assert_eq!(line.trim_end(), "HTTP/1.1 403 Forbidden");
    let begun = Instant::now();
    let (done, case) = watched.end();
    assert!(is_judged(&done), "{}{}", done.stdout, done.stderr);
    assert!(
        begun.elapsed() < Duration::from_secs(25),
        "{:?}",
        begun.elapsed()
    );
    assert!(number(&case.result(), "/delivery/sent") > 0);
    drop(deaf);
}

#[test]
fn an_address_that_others_reach_is_asked_for_twice() {
    let done = harness(&["run", "scenarios/smoke.toml", "--web", "0.0.0.0:8080"]);
    assert_eq!(done.code, 2, "{}", done.stderr);
    for word in ["--web 0.0.0.0:8080", "--allow-viewers"] {
        assert!(done.stderr.contains(word), "{}", done.stderr);
    }
}
