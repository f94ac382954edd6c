//! This module is `harness bundle`: a plan with everything that belongs to it, for shards that a scheduler starts.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Component, Path, PathBuf};

use clap::Args;

use super::failure::Failure;
use super::overrides::{OverrideArgs, quoted};
use super::{kubernetes, read, warning};
use crate::environment::lists_passwords;
use crate::exit::Exit;
use crate::intake;
use crate::plan::bundle::{BUNDLE_FILE, Bundle, SCHEMA, files};
use crate::plan::{Plan, hash, sha256};

/// Longest file that a plan names, and longest bundle.
const FILE_BYTES_MAX: u64 = 256 << 20;

#[derive(Args, Debug)]
pub(super) struct BundleArgs {
    /// Scenario file
    scenario: PathBuf,
    #[command(flatten)]
    changes: OverrideArgs,
    /// Folder for the bundle, new or empty
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Print the objects of Kubernetes that run it, with that image of the harness: for `kubectl apply -f -`
    #[arg(long, value_name = "IMAGE")]
    kubernetes: Option<String>,
    /// Have the parts take that host as target, a service of one's own; repeat for more
    #[arg(long, value_name = "HOST", requires = "kubernetes")]
    allow_host: Vec<String>,
}

pub(super) fn run(args: &BundleArgs, out: &mut impl Write) -> Result<Exit, Failure> {
    let plan = read::plan(&args.scenario, &args.changes.overrides())?;
    let shards = plan.load.shards.ok_or_else(|| {
        let fact = "a bundle is for a number of shards, and neither --shards nor load.shards says how many";
        Failure::new(Exit::Usage, fact).hint("add --shards N, the number of parts of the scheduler's job")
    })?;
    let files = contents(&plan)?;
    warning::tell(&plan);
    let bundle = Bundle::new(plan, shards, &files);
    let image = args.kubernetes.as_deref();
    let manifest = image.map(|image| kubernetes::manifest(&bundle, image, &args.allow_host));
    let manifest = manifest.transpose()?;
    write(&args.out, &bundle, &files)?;
    if let Some(manifest) = manifest {
        write!(out, "{manifest}")?;
        return Ok(Exit::Pass);
    }
    let shown = quoted(args.out.join(BUNDLE_FILE));
    writeln!(
        out,
        "{shown}: {shards} shards of {}, plan {}",
        bundle.plan.title,
        &bundle.plan_hash[..12]
    )?;
    writeln!(
        out,
        "start   harness shard {shown} --shared DIR --index 0 … --index {}",
        shards - 1
    )?;
    Ok(Exit::Pass)
}

/// What the files hold that a plan names.
fn contents(plan: &Plan) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    let mut contents = BTreeMap::new();
    for name in files(plan) {
        let path = Path::new(name);
        let inside = path
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !inside || path.ends_with(BUNDLE_FILE) {
            let fact = format!(
                "{name}: a bundle holds files below the folder in which it is made, by their names"
            );
            return Err(Failure::new(Exit::Usage, fact)
                .hint("copy it there, and name it as it is called from there"));
        }
        let content = intake::bytes(path, FILE_BYTES_MAX).map_err(|error| {
            Failure::new(Exit::Usage, format!("{name}: cannot be read: {error}"))
        })?;
        contents.insert(name.to_owned(), content);
    }
    if let Some(users) = &plan.environment.users.file
        && lists_passwords(users).map_err(|error| Failure::new(Exit::Usage, error.to_string()))?
    {
        let fact = format!("{users}: holds passwords, and a bundle has no secrets");
        return Err(Failure::new(Exit::Usage, fact).hint(
            "leave the column `password` out, and set environment.users.password to ${env:NAME}, which each shard has",
        ));
    }
    if let Some(key) = &plan.environment.tls.key {
        let fact =
            format!("environment.tls.key: {key} is a private key, and a bundle has no secrets");
        return Err(Failure::new(Exit::Usage, fact).hint(
            "have something that each machine trusts end TLS before the target, or start the shards by --shards",
        ));
    }
    if let Some(password) = &plan.environment.users.password
        && !password.contains("${env:")
    {
        let fact = "environment.users.password: stands there in clear, and a bundle has no secrets";
        return Err(Failure::new(Exit::Usage, fact)
            .hint("write ${env:NAME}, and give each shard that variable"));
    }
    Ok(contents)
}

fn write(folder: &Path, bundle: &Bundle, files: &BTreeMap<String, Vec<u8>>) -> Result<(), Failure> {
    let failed = |path: &Path, error: &std::io::Error| {
        let reason = intake::reason(error);
        Failure::new(Exit::Storage, format!("{}: {reason}", path.display()))
    };
    std::fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    let mut entries = std::fs::read_dir(folder).map_err(|error| failed(folder, &error))?;
    if entries.next().is_some() {
        let fact = format!("--out {}: is not empty", folder.display());
        return Err(Failure::new(Exit::Usage, fact).hint("name a new folder"));
    }
    let all = files
        .iter()
        .map(|(name, content)| (name.as_str(), content.clone()))
        .chain([(BUNDLE_FILE, bundle.json())]);
    for (name, content) in all {
        let path = folder.join(name);
        let parent = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent)
            .and_then(|()| std::fs::write(&path, content))
            .map_err(|error| failed(&path, &error))?;
    }
    Ok(())
}

/// Reads a bundle, given as its file or its folder, and says where it lies and what it is called: the SHA-256 of its file.
pub(super) fn opened(path: &Path) -> Result<(PathBuf, Bundle, String), Failure> {
    let file = if path.is_dir() {
        path.join(BUNDLE_FILE)
    } else {
        path.to_owned()
    };
    let shown = file.display();
    let unfit = |fact: String| {
        Failure::new(Exit::Usage, format!("{shown}: {fact}"))
            .hint("make it again with `harness bundle`, and copy its folder as it is")
    };
    let bytes = intake::bytes(&file, FILE_BYTES_MAX)
        .map_err(|error| unfit(format!("cannot be read: {error}")))?;
    let bundle: Bundle = serde_json::from_slice(&bytes)
        .map_err(|error| unfit(format!("is no bundle of this version: {error}")))?;
    if bundle.schema != SCHEMA {
        return Err(unfit(format!(
            "is {}, and this version reads {SCHEMA}",
            bundle.schema
        )));
    }
    if hash(&bundle.plan) != bundle.plan_hash {
        return Err(unfit("its plan was changed after it was made".to_owned()));
    }
    let parent = file
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let folder = parent.unwrap_or(Path::new(".")).to_owned();
    for (name, known) in &bundle.files {
        let beside = folder.join(name);
        let content = intake::bytes(&beside, FILE_BYTES_MAX)
            .map_err(|error| unfit(format!("{name} cannot be read: {error}")))?;
        if sha256(&content) != *known {
            return Err(unfit(format!("{name} was changed after it was made")));
        }
    }
    Ok((folder, bundle, sha256(&bytes)))
}
