//! This module writes the objects of Kubernetes that run a bundle: the ones of `deploy/kubernetes/base`, with this bundle in them.
//!
//! **In:** a bundle and its image. **Out:** YAML, to be piped into `kubectl apply -f -`.

use std::iter;

use super::failure::Failure;
use crate::exit::Exit;
use crate::plan::bundle::{BUNDLE_FILE, Bundle};
use crate::plan::sha256;

const JOB: &str = include_str!("../../../deploy/kubernetes/base/job.yaml");
const VOLUME: &str = include_str!("../../../deploy/kubernetes/base/volume.yaml");
const NETWORK: &str = include_str!("../../../deploy/kubernetes/base/network.yaml");
/// Kubernetes takes config maps of up to 1 MiB, with all that is around their data.
const BUNDLE_BYTES_MAX: usize = 1_000_000;
/// So much of a hash names the objects.
const NAME_DIGITS: usize = 8;

/// The job of that bundle.
///
/// # Errors
///
/// If the bundle does not fit into a config map, or its parts could not reach the servers.
pub(super) fn manifest(
    bundle: &Bundle,
    image: &str,
    allow_hosts: &[String],
) -> Result<String, Failure> {
    possible(bundle)?;
    let json = bundle.json();
    // A job cannot be changed: another bundle, image or host is another one.
    let all = [&json, image.as_bytes(), allow_hosts.join(",").as_bytes()].concat();
    let hash = sha256(&all);
    let name = &hash[..NAME_DIGITS];
    let json = String::from_utf8_lossy(&json);
    if json.len() > BUNDLE_BYTES_MAX {
        let fact = format!(
            "a bundle of {} bytes does not fit into a config map",
            json.len()
        );
        return Err(Failure::new(Exit::Usage, fact).hint(ELSEWHERE));
    }
    let data = json.trim_end().replace('\n', "\n    ");
    let bundled = format!(
        "# What `harness bundle` made: the plan, without secrets.\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  \
         name: harness-bundle-{name}\ndata:\n  {BUNDLE_FILE}: |\n    {data}\n"
    );
    let head = format!(
        "# {} parts of {}. To run it again: kubectl delete job harness-{name}, and apply this once more.\n\
         # Variables that the scenario names (${{env:NAME}}) come from a secret: kubectl create secret generic harness \
         --from-literal=NAME=...\n\
         # The policy below lets parts reach namespaces with the label harness/target=true: give it to the target's, or name its\n\
         # addresses (ipBlock) where it is outside of the cluster.\n",
        bundle.shards,
        bundle.plan.title.replace('\n', " ")
    );
    Ok(head
        + &[
            VOLUME,
            NETWORK,
            &bundled,
            &job(bundle.shards, (image, allow_hosts), name),
        ]
        .join("---\n"))
}

const ELSEWHERE: &str = "copy its folder to a volume that all nodes have and mount that as /bundle, with deploy/kubernetes/base and an overlay of your own";

fn possible(bundle: &Bundle) -> Result<(), Failure> {
    if let Some((file, _)) = bundle.files.first_key_value() {
        let fact = format!("{file}: a bundle with files of its own does not fit into a config map");
        return Err(Failure::new(Exit::Usage, fact).hint(ELSEWHERE));
    }
    if bundle.shards > 1 && bundle.plan.environment.target.is_none() {
        let fact = "the servers of a scenario without a target listen on loopback, where other pods cannot reach them";
        return Err(Failure::new(Exit::Usage, fact).hint("name the service: --target ws://…"));
    }
    Ok(())
}

fn job(shards: u16, (image, allow_hosts): (&str, &[String]), name: &str) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let prometheus = "- --prometheus=0.0.0.0:9464".to_owned();
    let hosts = allow_hosts.iter();
    let hosts = hosts.map(|host| format!("- {}", quoted(&format!("--allow-host={host}"))));
    let flags: Vec<String> = iter::once(prometheus.clone()).chain(hosts).collect();
    let changes = [
        (
            "metadata:\n  name: harness\n",
            format!("metadata:\n  name: harness-{name}\n"),
        ),
        (
            "  # As many as `harness bundle --shards` says: an overlay sets both.\n",
            String::new(),
        ),
        ("completions: 4\n", format!("completions: {shards}\n")),
        ("parallelism: 4\n", format!("parallelism: {shards}\n")),
        ("image: harness\n", format!("image: {}\n", quoted(image))),
        (&prometheus, flags.join("\n            ")),
        (
            "name: harness-bundle\n",
            format!("name: harness-bundle-{name}\n"),
        ),
    ];
    let changed = |text: String, (from, to): &(&str, String)| text.replacen(from, to, 1);
    changes.iter().fold(JOB.to_owned(), changed)
}
