//! `inspect`: one proxy and its toxics, those upstream first, attributes by name.

use super::{
    list::state,
    paper::{Color, Paper},
};
use fault_proxy::{ProxyView, Stream, ToxicView};
use serde_json::Value;

pub(super) fn write(proxy: &ProxyView, paper: &mut Paper) {
    if paper.is_terminal {
        head(proxy, paper);
    }
    for stream in [Stream::Upstream, Stream::Downstream] {
        let mut toxics = proxy.toxics.iter().filter(|toxic| toxic.stream == stream);
        let mut next = toxics.next();
        if paper.is_terminal {
            paper.end();
            paper.colored(Color::Green, &format!("{} toxics", title(stream)));
            paper.line(&[if next.is_some() { ":" } else { ": none" }]);
        }
        while let Some(toxic) = next {
            line(toxic, paper);
            next = toxics.next();
        }
    }
}

fn head(proxy: &ProxyView, paper: &mut Paper) {
    let facts = [
        ("Name", proxy.name.as_str()),
        ("Listen", &proxy.listen),
        ("Upstream", &proxy.upstream),
        ("State", state(proxy.enabled)),
    ];
    for (index, (name, value)) in facts.into_iter().enumerate() {
        if index > 0 {
            paper.spaces(3);
        }
        paper.colored(Color::Purple, name);
        paper.put(&format!(": {value}"));
    }
    paper.end();
}

fn title(stream: Stream) -> &'static str {
    match stream {
        Stream::Upstream => "Upstream",
        Stream::Downstream => "Downstream",
    }
}

fn line(toxic: &ToxicView, paper: &mut Paper) {
    paper.colored(Color::Blue, &toxic.name);
    if paper.is_terminal {
        paper.put(":");
    }
    for (name, value) in [
        ("type", toxic.kind.as_str()),
        ("stream", toxic.stream.name()),
        ("toxicity", &format!("{:.2}", toxic.toxicity)),
    ] {
        paper.tab();
        paper.put(&format!("{name}={value}"));
    }
    paper.tab();
    paper.put("attributes=[");
    let mut attributes: Vec<(&String, &Value)> = toxic.attributes.iter().collect();
    attributes.sort_by_key(|(name, _)| *name);
    for (name, value) in attributes {
        paper.tab();
        paper.put(&format!("{name}={}", text(value)));
    }
    paper.tab();
    paper.line(&["]"]);
}

/// A text without its quotes.
fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::{Paper, write};
    use fault_proxy::ProxyView;
    use serde_json::json;

    fn proxy() -> ProxyView {
        serde_json::from_value(json!({
            "name": "redis", "listen": "127.0.0.1:1", "upstream": "redis:6379", "enabled": true,
            "toxics": [
                {"name": "slow", "type": "latency", "stream": "downstream", "toxicity": 0.5,
                 "attributes": {"latency": 100, "jitter": 10}},
                {"name": "odd", "type": "new", "stream": "upstream", "toxicity": 1.0,
                 "attributes": {"mode": "x"}}
            ]
        }))
        .unwrap()
    }

    #[test]
    fn toxics_stand_by_direction_and_attributes_by_name() {
        let mut paper = Paper::new(false);
        write(&proxy(), &mut paper);
        let rows = [
            "odd\ttype=new\tstream=upstream\ttoxicity=1.00\tattributes=[\tmode=x\t]\n",
            "slow\ttype=latency\tstream=downstream\ttoxicity=0.50\tattributes=[\tjitter=10\tlatency=100\t]\n",
        ];
        assert_eq!(paper.text(), rows.concat());
    }

    #[test]
    fn a_terminal_gets_headings_also_where_nothing_is() {
        let mut paper = Paper::new(false);
        paper.is_terminal = true;
        let mut proxy = proxy();
        proxy.toxics.pop();
        write(&proxy, &mut paper);
        assert_eq!(
            paper.text(),
            "Name: redis   Listen: 127.0.0.1:1   Upstream: redis:6379   State: enabled\n\n\
             Upstream toxics: none\n\n\
             Downstream toxics:\n\
             slow:\ttype=latency\tstream=downstream\ttoxicity=0.50\tattributes=[\tjitter=10\tlatency=100\t]\n"
        );
    }
}
