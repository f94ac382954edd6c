//! Single requests: bytes that are no HTTP, JSON around the real schema, hostile numbers.

use super::{Checked, api::Api};
use crate::support::{World, connect, within};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Map, Value, json};
use std::fmt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What a connection to the API is used for.
#[derive(Debug, Clone)]
pub(super) enum Request {
    Whole {
        method: String,
        path: String,
        body: Bytes,
    },
    /// Followed by the end of the stream.
    Cut(Bytes),
}

/// Bytes that are shown as text.
#[derive(Clone)]
pub(super) struct Bytes(Vec<u8>);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

pub(super) fn any_case() -> impl Strategy<Value = Vec<Request>> {
    vec(
        prop_oneof![
            6 => toxic_request(),
            3 => proxy_request(),
            2 => odd_request(),
            1 => vec(any::<u8>(), 0..600).prop_map(|bytes| Request::Cut(Bytes(bytes))),
            1 => (odd_request(), 0.0..1.0).prop_map(|(request, share)| request.cut(share)),
        ],
        1..24,
    )
}

/// Plays them against a server with a proxy `a`, which must still work at the end.
pub(super) async fn play(requests: Vec<Request>) -> Checked {
    let mut world = World::start().await;
    let upstream = world.echo().await;
    let create = json!({"name": "a", "listen": "127.0.0.1:0", "upstream": upstream.to_string()});
    let mut api = Api::of(&world).await;
    api.json("POST", "/proxies", &create).await?;
    for request in requests {
        match request {
            Request::Whole { method, path, body } => {
                api.ask(&method, &path, &body.0).await?;
            }
            Request::Cut(Bytes(bytes)) => {
                let mut stream = connect(&world.api.to_string()).await;
                // It may hang up at any point, and need not answer: an end is all that counts.
                if stream.write_all(&bytes).await.is_ok() && stream.shutdown().await.is_ok() {
                    let mut answer = Vec::new();
                    drop(within("the end", stream.read_to_end(&mut answer)).await);
                }
            }
        }
    }
    for path in ["/version", "/proxies", "/extensions/proxies"] {
        let (status, body) = api.json("GET", path, &Value::Null).await?;
        prop_assert_eq!((status, body.is_object()), (200, true), "{}", path);
    }
    world.stop().await;
    Ok(())
}

impl Request {
    fn cut(self, share: f64) -> Self {
        let Self::Whole { method, path, body } = self else {
            return self;
        };
        let length = body.0.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"
        );
        let mut bytes = [head.as_bytes(), &body.0].concat();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a length"
        )]
        bytes.truncate((bytes.len() as f64 * share) as usize);
        Self::Cut(Bytes(bytes))
    }
}

fn whole(
    methods: &'static [&'static str],
    paths: &'static [&'static str],
    body: impl Strategy<Value = Vec<u8>>,
) -> impl Strategy<Value = Request> {
    (select(methods), select(paths), body).prop_map(|(method, path, body)| Request::Whole {
        method: method.to_owned(),
        path: path.to_owned(),
        body: Bytes(body),
    })
}

fn toxic_request() -> impl Strategy<Value = Request> {
    whole(
        &["POST", "PATCH", "DELETE", "GET"],
        &[
            "/proxies/a/toxics",
            "/proxies/a/toxics/t",
            "/proxies/a/toxics/latency_downstream",
            "/proxies/a/toxics/slicer_upstream",
            "/proxies/b/toxics",
        ],
        prop_oneof![4 => json_bytes(toxic()), 1 => damaged(json_bytes(toxic()))],
    )
}

fn proxy_request() -> impl Strategy<Value = Request> {
    whole(
        &["POST", "PATCH", "DELETE", "GET"],
        &[
            "/proxies",
            "/proxies/a",
            "/proxies/b",
            "/populate",
            "/reset",
            "/extensions/proxies",
            "/extensions/proxies/a/reset_now",
        ],
        json_bytes(prop_oneof![
            proxy(),
            vec(proxy(), 0..4).prop_map(Value::Array)
        ]),
    )
}

/// Any method and path that fit into a request line, with any bytes.
fn odd_request() -> impl Strategy<Value = Request> {
    let path = prop_oneof![
        "/[!-~]{0,40}",
        "/(proxies|populate|extensions|%70roxies)(/[!-~]{0,9}){0,5}",
        "/proxies/(a|%61|%2e|%00|%ff|%zz|%)/(toxics|reset_now|)/?.{0,3}",
    ];
    let method = prop_oneof![
        select(&["GET", "POST", "PATCH", "DELETE", "PUT", "OPTIONS", "TRACE"][..])
            .prop_map(str::to_owned),
        "[A-Z]{1,12}",
    ];
    let body = prop_oneof![
        vec(any::<u8>(), 0..200),
        json_bytes(leaf()),
        Just(b"[".repeat(5_000)),
        Just(br#"{"attributes":"#.repeat(2_000)),
    ];
    (method, path, body).prop_filter_map("HTTP of its own", |(method, path, body)| {
        // An event stream has no end, HEAD's answer no body, CONNECT no HTTP after it; and only
        // visible ASCII makes a request line.
        let plain = path.bytes().all(|byte| byte.is_ascii_graphic());
        let own = path.contains("events") || ["HEAD", "CONNECT"].contains(&method.as_str());
        let framed = !path.contains('#') && hyperlike(&path);
        (plain && !own && framed).then_some(Request::Whole {
            method,
            path,
            body: Bytes(body),
        })
    })
}

/// Whether an HTTP library takes the path at all; it hangs up where it does not.
fn hyperlike(path: &str) -> bool {
    !path.contains(['"', '<', '>', '\\', '^', '`', '{', '|', '}'])
}

fn json_bytes(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Vec<u8>> {
    value.prop_map(|value| value.to_string().into_bytes())
}

/// The same with some bytes replaced and the end missing.
fn damaged(bytes: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let hits = vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (bytes, hits, any::<prop::sample::Index>()).prop_map(|(mut bytes, hits, end)| {
        for (place, byte) in hits {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        bytes.truncate(end.index(bytes.len()) + 1);
        bytes
    })
}

/// Now and then something else than what belongs there, or nothing.
fn mostly(value: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Option<Value>> {
    prop_oneof![6 => value.prop_map(Some), 1 => leaf().prop_map(Some), 2 => Just(None)]
}

fn object(
    fields: Vec<(&'static str, BoxedStrategy<Option<Value>>)>,
) -> impl Strategy<Value = Value> {
    let (names, values): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
    (values, any::<bool>()).prop_map(move |(values, shouted)| {
        let fields = names.iter().zip(values).filter_map(|(name, value)| {
            let name = if shouted {
                name.to_uppercase()
            } else {
                (*name).to_owned()
            };
            Some((name, value?))
        });
        Value::Object(fields.collect::<Map<_, _>>())
    })
}

fn texts(texts: &'static [&'static str]) -> impl Strategy<Value = Value> {
    select(texts).prop_map(Value::from)
}

fn toxic() -> impl Strategy<Value = Value> {
    let kinds: &[&str] = &[
        "noop",
        "latency",
        "bandwidth",
        "slow_close",
        "timeout",
        "reset_peer",
        "slicer",
        "limit_data",
        "packet_loss",
        "blackhole",
        "idle_timeout",
        "limit_time",
        "slow_connect",
        "refuse",
        "no_answer",
        "nonsense",
        "",
    ];
    let attributes = [
        "latency",
        "jitter",
        "rate",
        "delay",
        "timeout",
        "average_size",
        "size_variation",
        "bytes",
        "time",
        "connections",
        "loss_rate",
        "correlation",
    ];
    let attributes = attributes.map(|name| (name, mostly(number()).boxed()));
    object(vec![
        ("name", mostly(texts(&["t", "u", "", "ä/ö"])).boxed()),
        ("type", mostly(texts(kinds)).boxed()),
        (
            "stream",
            mostly(texts(&[
                "upstream",
                "downstream",
                "UpStream",
                "sideways",
                "",
            ]))
            .boxed(),
        ),
        ("toxicity", mostly(number()).boxed()),
        ("attributes", mostly(object(attributes.to_vec())).boxed()),
    ])
}

/// Nothing here makes anybody ask a name server.
fn proxy() -> impl Strategy<Value = Value> {
    let listens: &[&str] = &[
        "127.0.0.1:0",
        "localhost:0",
        "127.0.0.1:99999",
        "127.0.0.1",
        "127.0.0.1:-1",
        ":http",
        "nowhere",
    ];
    let upstreams: &[&str] = &["127.0.0.1:1", "nowhere", "", ":", "[::1]:1"];
    object(vec![
        ("name", mostly(texts(&["a", "b", "c", ""])).boxed()),
        ("listen", texts(listens).prop_map(Some).boxed()),
        ("upstream", mostly(texts(upstreams)).boxed()),
        (
            "enabled",
            mostly(any::<bool>().prop_map(Value::from)).boxed(),
        ),
        (
            "toxics",
            mostly(vec(toxic(), 0..3).prop_map(Value::Array)).boxed(),
        ),
    ])
}

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => (0_i64..50).prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        2 => select(&[
            i64::MIN, -1, 0, 1, 1_000_000, 9_223_372_036_854, 4_611_686_018_427, i64::MAX - 1,
            i64::MAX,
        ][..]).prop_map(Value::from),
        1 => Just(json!(u64::MAX)),
    ]
}

fn leaf() -> impl Strategy<Value = Value> {
    let flat = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number(),
        any::<String>().prop_map(Value::from),
    ];
    flat.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::Array),
            vec((any::<String>(), inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}
