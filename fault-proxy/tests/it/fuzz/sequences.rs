//! Sequences of changes under traffic, held against a model; and the same changes all at once.

use super::{
    Checked,
    api::{Api, fail},
    model::{Change, Model, Name, any_change},
    talker::{Talkers, is_carried},
};
use crate::support::{World, within};
use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};
use tokio::{task::JoinSet, time::sleep};

#[derive(Debug, Clone)]
pub(super) struct Case {
    changes: Vec<Change>,
    /// All at once instead of one after the other.
    racing: bool,
}

pub(super) fn any_case() -> impl Strategy<Value = Case> {
    (vec(any_change(), 1..30), prop::bool::weighted(0.2))
        .prop_map(|(changes, racing)| Case { changes, racing })
}

pub(super) async fn play(case: Case) -> Checked {
    let mut world = World::start().await;
    let upstreams = [
        world.echo().await.to_string(),
        world.echo().await.to_string(),
    ];
    let mut stage = Stage {
        api: Api::of(&world).await,
        upstreams,
        listens: BTreeMap::new(),
        talkers: Talkers::new(),
        talks: 0,
    };
    let known = if case.racing {
        stage.race(&world, case.changes).await?;
        true
    } else {
        stage.play(case.changes).await?
    };
    stage.end(known).await?;
    world.stop().await;
    Ok(())
}

struct Stage {
    api: Api,
    upstreams: [String; 2],
    /// Where each proxy listens, or was told to.
    listens: BTreeMap<Name, String>,
    talkers: Talkers,
    talks: u64,
}

impl Stage {
    /// One after the other, comparing after each; `false` if a port was lost on the way.
    async fn play(&mut self, changes: Vec<Change>) -> Result<bool, TestCaseError> {
        let mut model = Model::default();
        for change in changes {
            match &change {
                Change::Wait { ms } => sleep(Duration::from_millis(*ms)).await,
                Change::Talk { proxy } => self.talk(&mut model, proxy),
                _ => {
                    let (method, path, body) = self.request(&change);
                    let expected = model.apply(&change);
                    let reply = self.api.ask(method, &path, &body).await?;
                    if reply.is_port_taken() {
                        return Ok(false);
                    }
                    prop_assert_eq!(reply.status, expected, "{:?}: {:?}", change, reply);
                    self.compare(&model).await?;
                }
            }
        }
        Ok(true)
    }

    /// All at once, each on a connection of its own.
    async fn race(&mut self, world: &World, changes: Vec<Change>) -> Checked {
        let mut racers = JoinSet::new();
        for change in changes {
            if matches!(change, Change::Talk { .. } | Change::Wait { .. }) {
                continue;
            }
            let (method, path, body) = self.request(&change);
            let mut api = Api::of(world).await;
            racers.spawn(async move {
                let reply = api.ask(method, &path, &body).await?;
                let fine = reply.status != 500 || reply.is_port_taken();
                if fine {
                    Ok(())
                } else {
                    Err(fail(format!("{change:?}: {reply:?}")))
                }
            });
        }
        while let Some(raced) = within("the racers", racers.join_next()).await {
            raced.map_err(fail)??;
        }
        Ok(())
    }

    fn talk(&mut self, model: &mut Model, name: Name) {
        if let (Some(proxy), Some(listen)) = (model.proxies.get_mut(name), self.listens.get(name))
            && proxy.enabled
        {
            self.talks += 1;
            self.talkers
                .talk(listen.clone(), self.talks, &proxy.welcome());
        }
    }

    /// The change as HTTP; a toxic's update says everything, and only part of it counts.
    fn request(&self, change: &Change) -> (&'static str, String, Vec<u8>) {
        let proxy = |name: Name, upstream: usize, enabled: bool| {
            let free = "127.0.0.1:0".to_owned();
            let listen = self.listens.get(name).unwrap_or(&free);
            json!({"name": name, "listen": listen, "upstream": self.upstreams[upstream],
                   "enabled": enabled})
        };
        let path = |name: Name, rest: &str| format!("/proxies/{}{rest}", encoded(name));
        let (method, path, body) = match change {
            Change::Create {
                proxy: name,
                enabled,
            } => {
                let mut body = proxy(name, 0, *enabled);
                body["listen"] = "127.0.0.1:0".into();
                ("POST", "/proxies".to_owned(), body)
            }
            Change::Update {
                proxy,
                enabled,
                upstream,
            } => {
                let upstream = upstream.map(|index| self.upstreams[index].clone());
                let body = json!({"enabled": enabled, "upstream": upstream});
                ("PATCH", path(proxy, ""), body)
            }
            Change::Delete { proxy } => ("DELETE", path(proxy, ""), Value::Null),
            Change::Populate(all) => {
                let all = all
                    .iter()
                    .map(|(name, upstream, enabled)| proxy(name, *upstream, *enabled));
                ("POST", "/populate".to_owned(), all.collect())
            }
            Change::Reset => ("POST", "/reset".to_owned(), Value::Null),
            Change::AddToxic { proxy, toxic } => ("POST", path(proxy, "/toxics"), toxic.json()),
            Change::UpdateToxic { proxy, name, toxic } => {
                let rest = format!("/toxics/{}", encoded(name));
                ("PATCH", path(proxy, &rest), toxic.json())
            }
            Change::RemoveToxic { proxy, name } => {
                let rest = format!("/toxics/{}", encoded(name));
                ("DELETE", path(proxy, &rest), Value::Null)
            }
            Change::ResetNow { proxy } => {
                let path = format!("/extensions{}", path(proxy, "/reset_now"));
                ("POST", path, Value::Null)
            }
            Change::Talk { .. } | Change::Wait { .. } => {
                ("GET", "/version".to_owned(), Value::Null)
            }
        };
        let body = if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        };
        (method, path, body)
    }

    /// Holds what the server says against the model, and learns where proxies listen.
    async fn compare(&mut self, model: &Model) -> Checked {
        let (_, mut seen) = self.api.json("GET", "/proxies", &Value::Null).await?;
        let mut listens = BTreeMap::new();
        for (name, proxy) in &model.proxies {
            let toxics: Value = proxy.toxics.iter().map(super::model::Toxic::json).collect();
            let listen = seen[name]["listen"].take();
            let expected = json!({"name": name, "listen": null, "toxics": toxics,
                "upstream": self.upstreams[proxy.upstream], "enabled": proxy.enabled});
            prop_assert_eq!(&seen[name], &expected);
            let listen = listen.as_str().unwrap_or_default();
            prop_assert!(listen.starts_with("127.0.0.1:"), "{}", listen);
            prop_assert_eq!(proxy.enabled && listen.ends_with(":0"), false, "{}", listen);
            if let Some(before) = self
                .listens
                .get(name)
                .filter(|before| !before.ends_with(":0"))
            {
                prop_assert_eq!(before, listen, "a proxy moved by itself");
            }
            listens.insert(*name, listen.to_owned());
        }
        prop_assert_eq!(
            seen.as_object().map(serde_json::Map::len),
            Some(model.proxies.len())
        );
        self.listens = listens;
        Ok(())
    }

    /// After a reset everything gets through, and after the deletions nothing is left.
    async fn end(mut self, known: bool) -> Checked {
        let reset = self.api.ask("POST", "/reset", b"").await?;
        if known && !reset.is_port_taken() {
            prop_assert_eq!(reset.status, 204, "{:?}", reset);
            self.talkers.finish().await?;
        } else {
            // What cannot listen again is not reset; the conversations end with their proxies.
            drop(self.talkers);
        }
        let (_, all) = self.api.json("GET", "/proxies", &Value::Null).await?;
        for (name, proxy) in all.as_object().into_iter().flatten() {
            if proxy["enabled"] == true && proxy["toxics"] == json!([]) {
                is_carried(proxy["listen"].as_str().unwrap_or_default()).await?;
            }
            let path = format!("/proxies/{}", encoded(name));
            prop_assert_eq!(self.api.ask("DELETE", &path, b"").await?.status, 204);
        }
        Ok(())
    }
}

fn encoded(name: &str) -> String {
    name.replace(' ', "%20")
}
