//! The page's server as its viewers meet it; a whole run with one is in `tests/it/web.rs`.

use std::net::SocketAddr;

use axum::http::StatusCode;
use reqwest::{Client, RequestBuilder, Response};
use tokio_util::sync::CancellationToken;

use super::hub::VIEWERS_MAX;
use super::*;
use crate::clock::RunClock;

struct Case {
    web: Web,
    stop: CancellationToken,
    address: SocketAddr,
    http: Client,
}

impl Case {
    async fn new() -> Self {
        let stop = CancellationToken::new();
        let any = "127.0.0.1:0".parse().unwrap();
        let web = Web::open(any, stop.clone()).await.unwrap();
        let (address, _) = web.url()["http://".len()..].split_once('/').unwrap();
        Self {
            address: address.parse().unwrap(),
            web,
            stop,
            http: Client::builder().no_proxy().build().unwrap(),
        }
    }

    fn token(&self) -> &str {
        self.web.url().split_once("#stop=").unwrap().1
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn get(&self, path: &str) -> Response {
        self.http.get(self.url(path)).send().await.unwrap()
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.http.post(self.url(path))
    }
}

fn ended(report: Option<&str>) -> Ended {
    Ended {
        verdict: "PASS".to_owned(),
        code: 0,
        sentence: "It held.".to_owned(),
        place: "reports/r-1/report.html".to_owned(),
        report: report.map(|text| text.as_bytes().to_vec()),
    }
}

#[tokio::test]
async fn the_page_runs_its_own_script_only_and_asks_nobody_else() {
    let case = Case::new().await;
    let page = case.get("/").await;
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; "), "{policy}");
    for part in [
        "connect-src 'self'",
        "frame-ancestors 'none'",
        "form-action 'none'",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    let text = page.text().await.unwrap();
    for outside in ["//", "@import", "src=\"http", " style=", " onclick="] {
        let found = text.lines().find(|line| {
            // Comments of the script, and the name of a namespace, which nobody asks for anything.
            let line = line.trim_start();
            line.contains(outside)
                && !line.starts_with("//")
                && !line.contains("www.w3.org/2000/svg")
        });
        assert_eq!(found, None, "{outside}");
    }
    let token = case.token();
    assert!(
        !text.contains(token),
        "who may see the page may not end the run"
    );
}

#[tokio::test]
async fn a_name_that_anybody_could_own_is_not_answered() {
    let case = Case::new().await;
    for path in ["/", "/events", "/metrics", "/report.html"] {
        let foreign = case.http.get(case.url(path)).header("host", "evil.example");
        let answer = foreign.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path}");
    }
    let port = case.address.port();
    let local = case
        .http
        .get(case.url("/"))
        .header("host", format!("localhost:{port}"));
    assert_eq!(local.send().await.unwrap().status(), StatusCode::OK);
    let elsewhere = case
        .http
        .get(case.url("/events"))
        .header("origin", "http://evil.example");
    assert_eq!(
        elsewhere.send().await.unwrap().status(),
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn the_run_is_ended_by_who_has_the_token_and_by_nobody_else() {
    let case = Case::new().await;
    let token = case.token().to_owned();
    let almost = &token[1..];
    for request in [
        case.post("/stop"),
        case.post(&format!("/stop?token={almost}")),
        case.post("/stop").bearer_auth(almost),
        case.post("/stop")
            .bearer_auth(&token)
            .header("origin", "http://evil.example"),
        case.post("/stop")
            .bearer_auth(&token)
            .header("host", "evil.example"),
    ] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    }
    let got = case.get(&format!("/stop?token={token}")).await;
    assert_eq!(got.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert!(!case.stop.is_cancelled());
    let answer = case.post("/stop").bearer_auth(&token).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    assert!(case.stop.is_cancelled());

    let case = Case::new().await;
    let by_query = case.post(&format!("/stop?token={}", case.token()));
    assert_eq!(
        by_query.send().await.unwrap().status(),
        StatusCode::ACCEPTED
    );
    assert!(case.stop.is_cancelled());
}

#[tokio::test]
async fn as_many_watch_as_may_and_one_who_goes_makes_room() {
    let case = Case::new().await;
    let mut viewers = Vec::new();
    for _ in 0..VIEWERS_MAX {
        let viewer = case.get("/events").await;
        assert_eq!(viewer.status(), StatusCode::OK);
        viewers.push(viewer);
    }
    let more = case.get("/events").await;
    assert_eq!(more.status(), StatusCode::SERVICE_UNAVAILABLE);
    drop(viewers.pop());
    let room = async {
        while case.get("/events").await.status() != StatusCode::OK {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(10), room).await.unwrap();
}

#[tokio::test]
async fn the_end_is_told_and_the_report_served_until_every_page_has_it() {
    let case = Case::new().await;
    let early = case.get("/report.html").await;
    assert_eq!(early.status(), StatusCode::NOT_FOUND);
    assert_eq!(
        case.get("/metrics").await.status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    let mut page = case.get("/events?page=1").await;
    let (http, report) = (case.http.clone(), case.url("/report.html"));
    let watching = async move {
        let mut told = String::new();
        while !told.contains("\n\n") {
            let chunk = page.chunk().await.unwrap().unwrap();
            told.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        let report = http.get(report).send().await.unwrap();
        (told, report.text().await.unwrap())
    };
    let clock = RunClock::starting_in(Duration::ZERO);
    let closing = case.web.close(ended(Some("<p>report</p>")));
    let ((told, report), ()) = tokio::join!(watching, closing);
    assert!(told.starts_with("event: ended\n"), "{told}");
    assert!(
        told.contains("\"verdict\":\"PASS\"") && told.contains("\"has_report\":true"),
        "{told}"
    );
    assert_eq!(report, "<p>report</p>");
    assert!(clock.now_us() < 1_000_000, "nobody was left to wait for");
}

#[tokio::test]
async fn who_only_listens_is_not_waited_for() {
    let case = Case::new().await;
    let listener = case.get("/events").await;
    let clock = RunClock::starting_in(Duration::ZERO);
    case.web.close(ended(Some("<p>report</p>"))).await;
    assert!(clock.now_us() < 1_000_000);
    let told = listener.text().await.unwrap();
    assert!(told.contains("event: ended"), "{told}");
}

#[tokio::test]
async fn who_falls_behind_loses_the_stream_and_who_comes_late_is_told_what_was() {
    let hub = Arc::new(Hub::default());
    let mut viewer = hub.join(false).unwrap();
    for _ in 0..40 {
        hub.judging();
    }
    assert!(viewer.events.recv().await.is_err(), "it is too far behind");
    let late = hub.join(false).unwrap();
    let names: Vec<&str> = late.first.iter().map(|event| event.name).collect();
    assert_eq!(names, ["over"]);
}
