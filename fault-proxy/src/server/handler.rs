//! What each route does.
//!
//! **In:** route, method, body. **Out:** a [`Reply`] with Toxiproxy's status, or a [`Refusal`].

use super::{
    body, extension,
    metrics::{self, Metrics},
    reply::{ErrorBody, Reply},
    route::Route,
};
use crate::{
    engine::{Changes, Description, Registry, ToxicChange},
    json::{Fields, parse},
    refusal::Refusal,
    toxic::Toxic,
};
use hyper::Method;
use serde::Serialize;

pub(super) async fn handle(
    registry: &Registry,
    told: Metrics,
    route: Route,
    method: Method,
    body: &[u8],
) -> Result<Reply, Refusal> {
    match route {
        Route::Version => Ok(Reply::version()),
        Route::Proxies if method == Method::GET => Ok(Reply::json(200, &registry.list())),
        Route::Proxies => {
            let created = registry.create(&body::one(body)?).await?;
            Ok(Reply::json(201, &created))
        }
        Route::Proxy(name) => proxy(registry, &name, method, body).await,
        Route::Toxics(name) => {
            let proxy = registry.find(&name)?;
            if method == Method::GET {
                return Ok(toxic_list(&proxy.describe()));
            }
            let body = parse(body)?;
            let toxic = proxy.change_toxic(ToxicChange::Add(&body)).await?;
            Ok(Reply::json(200, toxic.as_ref()))
        }
        Route::Toxic { proxy, toxic } => {
            self::toxic(registry, (&proxy, &toxic), method, body).await
        }
        Route::Populate => Ok(populate(registry, body).await),
        Route::Reset => {
            registry.reset().await?;
            Ok(Reply::empty(204))
        }
        Route::Metrics => metrics::handle(registry, told),
        Route::Extension(extension) => extension::handle(registry, extension, method, body).await,
    }
}

async fn proxy(
    registry: &Registry,
    name: &str,
    method: Method,
    body: &[u8],
) -> Result<Reply, Refusal> {
    if method == Method::DELETE {
        registry.delete(name).await?;
        return Ok(Reply::empty(204));
    }
    let proxy = registry.find(name)?;
    if method == Method::GET {
        return Ok(Reply::json(200, &proxy.describe()));
    }
    let body = parse(body)?;
    let fields = Fields::of(&body, "the proxy")?;
    fields.text("name")?;
    let changes = Changes {
        listen: fields.text("listen")?,
        upstream: fields.text("upstream")?,
        enabled: fields.truth("enabled")?,
        half_close: fields.truth("half_close")?,
    };
    body::is_no_url(changes.upstream.as_deref().unwrap_or_default(), "")?;
    Ok(Reply::json(200, &proxy.update(changes).await?))
}

async fn toxic(
    registry: &Registry,
    (proxy, name): (&str, &str),
    method: Method,
    body: &[u8],
) -> Result<Reply, Refusal> {
    let proxy = registry.find(proxy)?;
    if method == Method::DELETE {
        proxy.remove_toxic(name).await?;
        return Ok(Reply::empty(204));
    }
    let description = proxy.describe();
    let present = description.toxics.iter().find(|toxic| toxic.name == name);
    let present = present.ok_or(Refusal::ToxicNotFound)?;
    if method == Method::GET {
        return Ok(Reply::json(200, present.as_ref()));
    }
    let body = parse(body)?;
    let changed = proxy.change_toxic(ToxicChange::Update(name, &body)).await?;
    Ok(Reply::json(200, changed.as_ref()))
}

/// Nothing is created unless the whole list is sound. Its errors are plain JSON and name what was
/// done before them.
async fn populate(registry: &Registry, body: &[u8]) -> Reply {
    #[derive(Serialize)]
    struct Done {
        proxies: Option<Vec<Description>>,
    }
    #[derive(Serialize)]
    struct Stopped {
        error: String,
        status: u16,
        proxies: Option<Vec<Description>>,
    }
    let (done, outcome) = match body::list(body) {
        Ok(all) => registry.populate(&all).await,
        Err(refusal) => (Vec::new(), Err(refusal)),
    };
    // Go writes a list that was never filled as null.
    let proxies = (!done.is_empty()).then_some(done);
    match outcome {
        Ok(()) => Reply::json(201, &Done { proxies }),
        Err(refusal) => {
            let ErrorBody { error, status } = ErrorBody::from(&refusal);
            let stopped = Stopped {
                error,
                status,
                proxies,
            };
            Reply::json(status, &stopped)
        }
    }
}

fn toxic_list(description: &Description) -> Reply {
    let toxics: Vec<&Toxic> = description.toxics.iter().map(AsRef::as_ref).collect();
    Reply::json(200, &toxics)
}
