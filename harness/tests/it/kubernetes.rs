//! This module holds the manifests of `deploy/kubernetes/`, and those that `harness bundle` prints, against the types of
//! Kubernetes: every field is one that it knows, with a value of its type.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::support::{harness, read};

const SCENARIO: [&str; 2] = ["scenarios/smoke.toml", "--shards=6"];
const TARGET: &str = "--target=wss://chat.example.org";
const PASSWORD: &str = "--set=environment.users.password=${env:CHAT_PASSWORD}";

/// The objects of a file.
fn objects(text: &str) -> Vec<Value> {
    let documents = text.split("---\n");
    let parsed = documents.map(|text| serde_saphyr::from_str(text).unwrap());
    parsed.collect()
}

/// An object as its type has it, if nothing of it is unknown.
#[track_caller]
fn typed<T: DeserializeOwned>(object: &Value) -> T {
    let mut unknown = Vec::new();
    let typed = serde_ignored::deserialize(object, |path| unknown.push(path.to_string()));
    assert_eq!(unknown, [""; 0], "{object:#}");
    typed.unwrap()
}

/// It is what its kind says.
#[track_caller]
fn check(object: &Value) {
    match object["kind"].as_str().unwrap() {
        "Job" => drop(typed::<Job>(object)),
        "ConfigMap" => drop(typed::<ConfigMap>(object)),
        "PersistentVolumeClaim" => drop(typed::<PersistentVolumeClaim>(object)),
        "NetworkPolicy" => drop(typed::<NetworkPolicy>(object)),
        other => panic!("{other}: no type is known"),
    }
}

#[test]
fn every_field_of_the_manifests_is_one_that_kubernetes_knows() {
    for file in ["base/job", "base/volume", "base/network", "merge/job"] {
        let objects = objects(&read(&format!("deploy/kubernetes/{file}.yaml")));
        assert!(!objects.is_empty());
        objects.iter().for_each(check);
    }
}

#[test]
#[should_panic(expected = "left: [\"spec.?.backoffLimitPerIndx\"]")]
fn a_field_that_nobody_knows_is_found() {
    let job = read("deploy/kubernetes/base/job.yaml");
    check(&objects(&job.replace("backoffLimitPerIndex", "backoffLimitPerIndx"))[0]);
}

#[test]
fn what_is_scraped_is_the_port_and_the_part_that_tells_of_all() {
    let monitor = &objects(&read("deploy/kubernetes/monitor/podmonitor.yaml"))[0];
    let job: Job = typed(&objects(&read("deploy/kubernetes/base/job.yaml"))[0]);
    let template = job.spec.unwrap().template;
    let labels = template.metadata.unwrap().labels.unwrap();
    let mut wanted = monitor["spec"]["selector"]["matchLabels"]
        .as_object()
        .unwrap()
        .clone();
    // Kubernetes gives each pod of an Indexed Job its index as a label.
    let index = wanted.remove("batch.kubernetes.io/job-completion-index");
    assert_eq!(index.unwrap(), "0");
    for (label, value) in wanted {
        assert_eq!(value, labels[&label]);
    }
    let ports = template.spec.unwrap().containers[0].ports.clone().unwrap();
    let endpoint = &monitor["spec"]["podMetricsEndpoints"][0];
    assert!(
        ports
            .iter()
            .any(|port| port.name.as_deref() == endpoint["port"].as_str())
    );
}

#[test]
fn overlays_change_what_is_there() {
    for overlay in ["example", "merge"] {
        let text = read(&format!("deploy/kubernetes/{overlay}/kustomization.yaml"));
        let overlay: Value = serde_saphyr::from_str(&text).unwrap();
        for patch in overlay["patches"].as_array().unwrap() {
            let name = patch["target"]["name"].as_str().unwrap();
            let file = if name == "harness" { "base" } else { "merge" };
            let job = &objects(&read(&format!("deploy/kubernetes/{file}/job.yaml")))[0];
            assert_eq!(job["metadata"]["name"], name);
            let operations: Value =
                serde_saphyr::from_str(patch["patch"].as_str().unwrap()).unwrap();
            for operation in operations.as_array().unwrap() {
                let path = operation["path"].as_str().unwrap();
                let place = path.strip_suffix("/-").unwrap_or(path);
                assert!(job.pointer(place).is_some(), "{path}");
            }
        }
    }
}

#[test]
fn what_a_bundle_prints_runs_that_bundle() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("bundle");
    let image = ["--kubernetes", "registry.example.org/harness:1"];
    let rest = [TARGET, PASSWORD, "--allow-host=chat.example.org", "--out"];
    let words = [
        &["bundle"],
        &SCENARIO[..],
        &image,
        &rest,
        &[out.to_str().unwrap()],
    ]
    .concat();
    let done = harness(&words);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let objects = objects(&done.stdout);
    objects.iter().for_each(check);
    let of = |kind: &str| {
        objects
            .iter()
            .find(|object| object["kind"] == kind)
            .unwrap()
    };
    let (job, map): (Job, ConfigMap) = (typed(of("Job")), typed(of("ConfigMap")));
    let claim: PersistentVolumeClaim = typed(of("PersistentVolumeClaim"));

    let bundle = std::fs::read_to_string(out.join("bundle.json")).unwrap();
    assert_eq!(map.data.unwrap()["bundle.json"], bundle);
    let spec = job.spec.unwrap();
    assert_eq!((spec.completions, spec.parallelism), (Some(6), Some(6)));
    let pod = spec.template.spec.unwrap();
    let container = &pod.containers[0];
    assert_eq!(container.image.as_deref(), Some(image[1]));
    let arguments = container.args.as_deref().unwrap();
    assert!(
        arguments.contains(&"--allow-host=chat.example.org".to_owned()),
        "{arguments:?}"
    );
    let volumes = pod.volumes.unwrap();
    let bundled = volumes.iter().find_map(|volume| volume.config_map.as_ref());
    assert_eq!(bundled.unwrap().name, map.metadata.name.unwrap());
    let shared = volumes
        .iter()
        .find_map(|volume| volume.persistent_volume_claim.as_ref());
    assert_eq!(
        Some(&shared.unwrap().claim_name),
        claim.metadata.name.as_ref()
    );
    assert_ne!(
        job.metadata.name.as_deref(),
        Some("harness"),
        "another bundle is another job"
    );
}

#[test]
fn a_bundle_that_no_config_map_holds_or_no_pod_reaches_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("bundle");
    let refused = |more: &[&str], fact: &str| {
        let image = ["--kubernetes=harness", "--out", out.to_str().unwrap()];
        let done = harness(&[&["bundle"], &SCENARIO[..], &image, more].concat());
        assert_eq!(done.code, 2, "{}", done.stdout);
        assert!(
            done.stderr.contains(fact) && done.stderr.contains(" hint: "),
            "{}",
            done.stderr
        );
        assert!(!out.exists());
    };
    refused(&[], "other pods cannot reach them");
    let payloads = "--set=load.payloads=scenarios/README.md";
    refused(
        &[TARGET, PASSWORD, payloads],
        "does not fit into a config map",
    );
}
