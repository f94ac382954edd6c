//! What a `[target]` may say, and what is said of one that cannot be.

use super::*;
use crate::plan::{compile, to_toml};
use crate::scenario::Overrides;

const HEAD: &str = "# ?\n[load]\nclients = 1\nhold = \"1s\"\nsession = { credential = \"none\" }\n[target]\nlogin = \"none\"\ntoken = \"none\"\n";

fn compiled(more: &str) -> Result<Dialect, String> {
    let text = format!("{HEAD}{more}");
    let plan = compile("t.toml", &text, &Overrides::default());
    let plan = plan.map_err(|problems| problems.to_string())?;
    Ok(*plan.environment.dialect.unwrap())
}

#[track_caller]
fn refuses(more: &str, said: &[&str]) {
    let why = compiled(more).unwrap_err();
    for said in said {
        assert!(why.contains(said), "{said} in {why}");
    }
}

const STEPS: &str = r#"
events = { answer = { result = "*" }, ignore = ["a", { begins_with = "7" }] }
[[target.open]]
await = "hello"
capture = { sid = "data.sid" }
[[target.open]]
name = "auth"
send = '{"sid":"{sid}","id":"{id}","who":"{account}"}'
await = { begins_with = "42", 0 = "ok", a.b = 1, c = true, d = "*" }
within = "1500ms"
[[target.open]]
send = "go"
[[target.reply]]
when = { type = "ping" }
capture = { nonce = "nonce" }
send = '{"nonce":{nonce},"sid":"{sid}"}'
[[target.reply]]
when = "noise"
send = "none"
"#;

#[test]
fn steps_and_replies_are_read_as_they_are_written_and_printed_as_they_are_read() {
    let dialect = compiled(STEPS).unwrap();
    assert_eq!(dialect.events.connected, None);
    assert_eq!(dialect.open.len(), 3);
    assert_eq!(dialect.open[0].within_us, 5_000_000);
    assert_eq!(dialect.open[1].within_us, 1_500_000);
    let awaited = dialect.open[1].awaited.as_ref().unwrap();
    assert_eq!(awaited.begins_with.as_deref(), Some("42"));
    assert_eq!(awaited.fields["a.b"], Wanted::Number(1));
    assert_eq!(awaited.fields["d"], Wanted::Any);
    assert_eq!(dialect.open[2].awaited, None);
    assert_eq!(dialect.reply[1].send, None);
    let text = format!("{HEAD}{STEPS}");
    let plan = compile("t.toml", &text, &Overrides::default()).unwrap();
    let again = compile("t.toml", &to_toml(&plan), &Overrides::default()).unwrap();
    assert_eq!(again.environment.dialect, plan.environment.dialect);
}

#[test]
fn a_target_without_steps_is_kept_as_it_always_was() {
    let kept = serde_json::to_value(compiled("").unwrap()).unwrap();
    assert_eq!(kept.get("open"), None);
    assert_eq!(kept.get("reply"), None);
    assert_eq!(kept["events"]["connected"], "connected");
}

#[test]
fn a_step_that_cannot_be_is_refused_where_it_stands() {
    refuses(
        "[[target.open]]\nname = \"x\"\n",
        &["t.toml:9: target.open[0]: a step that neither says nor awaits anything"],
    );
    refuses(
        "[[target.open]]\nsend = \"x\"\ncapture = { sid = \"a\" }\nwithin = \"1s\"\n",
        &[
            "target.open[0].capture: nothing is awaited",
            "target.open[0].within: nothing",
        ],
    );
    refuses(
        "[[target.open]]\nawait = \"x\"\nwithin = \"10min\"\n",
        &["t.toml:11: target.open[0].within: must lie between 1ms and 5min"],
    );
    refuses(
        "[[target.open]]\nawait = \"x\"\nwithin = \"1min\"\n",
        &["open[0].within: 1min is longer than a session may take to open, 10s"],
    );
    refuses(
        "[[target.open]]\nawait = {}\n",
        &["open[0].await: every frame would match"],
    );
    refuses(
        "[[target.open]]\nawait = { a = 1.5 }\n",
        &["a whole number, true or false at `a`"],
    );
    refuses(
        "[[target.open]]\nawait = { a.b = 1, \"a.b\" = 2 }\n",
        &["`a.b` is written twice"],
    );
    refuses(
        &"[[target.open]]\nsend = \"x\"\n".repeat(17),
        &["target.open: at most 16 entries, found 17"],
    );
    refuses(
        "events = { connected = \"hi\" }\n[[target.open]]\nsend = \"x\"\n",
        &["events.connected: the socket is ready after its opening steps"],
    );
    refuses(
        "events = { field = \"none\" }\n[[target.open]]\nawait = \"hi\"\n",
        &["target.open[0].await: is the name of an event, and no field of the frames names one"],
    );
}

#[test]
fn a_place_that_nothing_fills_and_a_name_that_is_taken_are_refused() {
    refuses(
        "[[target.open]]\nsend = '{\"t\":\"{acount}\"}'\n",
        &[
            "t.toml:10: target.open[0].send: nothing fills the place {acount}",
            "did you mean `account`?",
        ],
    );
    refuses(
        "[[target.open]]\nsend = \"{sid}\"\nawait = \"x\"\ncapture = { sid = \"s\" }\n",
        &["nothing fills the place {sid}", "captured by a later step"],
    );
    refuses(
        "[[target.open]]\nsend = \"{text}\"\n",
        &["stands in send.message only"],
    );
    let twice = "[[target.open]]\nawait = \"x\"\ncapture = { sid = \"s\" }\n".repeat(2);
    refuses(
        &twice,
        &["t.toml:14: target.open[1].capture: {sid} is captured twice"],
    );
    refuses(
        "[[target.open]]\nawait = \"x\"\ncapture = { account = \"s\", Sid = \"s\" }\n",
        &["\"Sid\" cannot be the name of a place"],
    );
    refuses(
        "[[target.reply]]\nwhen = \"ping\"\nsend = \"{nonce}\"\n",
        &["target.reply[0].send: nothing fills the place {nonce}"],
    );
    refuses(
        "[[target.reply]]\nsend = \"x\"\n",
        &["target.reply[0]", "when"],
    );
}

#[test]
fn a_credential_is_said_by_who_has_one() {
    refuses(
        "[[target.open]]\nsend = \"{credential}\"\n",
        &[
            "a template says {credential}, and the sockets are opened without one",
            "first-frame",
        ],
    );
    let first = HEAD.replace("\"none\" }", "\"first-frame\" }");
    let users = "[environment]\nusers = { password = \"${env:P}\" }\n";
    let text = format!("{users}{first}[[target.open]]\nsend = \"x\"\n");
    let why = compile("t.toml", &text, &Overrides::default()).unwrap_err();
    assert!(why.to_string().contains("nothing says it"), "{why}");
    let bare = text.split("[target]").next().unwrap();
    let why = compile("t.toml", bare, &Overrides::default()).unwrap_err();
    assert!(
        why.to_string()
            .contains("frames of the contract hold no credential"),
        "{why}"
    );
}

#[test]
fn a_login_of_a_web_page_is_read_and_what_cannot_be_is_refused() {
    const COOKIES: &str = "[environment]\nusers = { password = \"${env:P}\" }\n[load]\nclients = 1\nhold = \"1s\"\nsession = { credential = \"cookie\" }\n[target]\ntoken = \"none\"\n";
    let compiled = |more: &str| {
        let text = format!("{COOKIES}{more}");
        compile("t.toml", &text, &Overrides::default()).map_err(|problems| problems.to_string())
    };
    let good = "cookies = true\nlogin = { page = \"/p\", token = \"none\", expect = 302, capture = { csrf = \"cookie:csrf\" }, fields = { a = \"{csrf}\" }, headers = { X-CSRF-Token = \"{csrf}\" } }\n";
    let plan = compiled(good).unwrap();
    let again = compile("t.toml", &to_toml(&plan), &Overrides::default()).unwrap();
    assert_eq!(again.environment.dialect, plan.environment.dialect);
    for (more, said) in [
        (
            "login = { token = \"none\" }\n",
            "login.token: the answer holds no token",
        ),
        (
            "login = { capture = { a = \"cookie:a\" } }\n",
            "login.capture: nothing is asked for",
        ),
        (
            "login = { page = \"/\", capture = { a = \"x\" } }\n",
            "does not say where the value stands",
        ),
        (
            "login = { fields = { a = \"{b}\" } }\n",
            "login.fields: nothing fills the place {b}",
        ),
        (
            "login = { headers = { X-A = \"{b}\" } }\n",
            "login.headers.X-A: nothing fills the place {b}",
        ),
        (
            "login = { headers = { X-Token = \"abc\" } }\n",
            "a secret must not be written down here",
        ),
        (
            "login = { expect = 404 }\n",
            "login.expect: must lie between 200 and 399",
        ),
        (
            "cookies = true\nheaders = { Cookie = \"${env:C}\" }\n",
            "cookies of the server are sent back",
        ),
    ] {
        let why = compiled(more).unwrap_err();
        assert!(why.contains(said), "{said} in {why}");
    }
}

#[test]
fn cookies_of_a_login_without_a_token_open_sockets_or_get_the_tokens_that_do() {
    let text = format!("{HEAD}cookies = true\nlogin = {{ token = \"none\" }}\n");
    let text = text.replacen("login = \"none\"\ntoken = \"none\"\n", "", 1);
    for (opened, is_fine) in [
        ("cookie", true),
        ("connection-token", true),
        ("first-frame", true),
        ("query-token", false),
        ("authorization", false),
    ] {
        let open = "[[target.open]]\nsend = \"{credential}\"\n";
        let text = text.replace(
            "credential = \"none\"",
            &format!("credential = \"{opened}\""),
        );
        let why = compile(
            "t.toml",
            &format!("{text}events = {{ connected = \"none\" }}\n{open}"),
            &Overrides::default(),
        );
        assert_eq!(
            why.is_ok(),
            is_fine,
            "{opened}: {:?}",
            why.map_err(|why| why.to_string()).err()
        );
    }
}
