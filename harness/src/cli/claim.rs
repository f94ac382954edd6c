//! This module decides whether a folder may become that of a run, and makes it so.
//!
//! **In:** the folder that `--out` names, and `--overwrite`. **Out:** a folder that belongs to this run, and to no other
//! while it lasts. Looking changes nothing; taking comes after everything that can still stop the run, and what an
//! earlier run left there goes when the load begins. Of a folder nothing is removed but what a run is known to have
//! written, by the [`Marker`] it left; a folder that has none, and is not empty, is left alone.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::failure::Failure;
use super::marker::{self, Held, MARKER, Marker, NotHeld, Own, State};
use crate::exit::Exit;
use crate::intake;
use crate::result::store::{Identity, RESULT_FILE, RunDir};

/// They keep a folder, or belong to its disk.
const NO_CONTENT: [&str; 2] = [".gitkeep", "lost+found"];

/// A folder that may be taken.
#[derive(Debug)]
pub(super) struct Claim {
    path: PathBuf,
    /// An earlier run lies there and is to go: its marker, as it was seen.
    earlier: Option<Marker>,
}

/// A folder that was taken.
#[derive(Debug)]
pub(super) struct Taken {
    pub folder: RunDir,
    path: PathBuf,
    held: Held,
    marker: Marker,
    /// Whose it is to become, once it has begun.
    run: Option<Identity>,
}

/// What a folder holds.
#[derive(Debug)]
enum Content {
    Nothing,
    /// What a run wrote, and perhaps more.
    Run(Marker),
    /// A result, and nothing that tells what else its run wrote.
    Unmarked(Identity),
    /// Something that no run of ours wrote: the name of an entry.
    Foreign(String),
}

/// Looks at the folder; it need not exist.
pub(super) fn look(path: &Path, overwrite: bool) -> Result<Claim, Failure> {
    let shown = path.display();
    let claim = |earlier| Claim {
        path: path.to_owned(),
        earlier,
    };
    match content(path).map_err(|error| unreadable(path, &error))? {
        Content::Nothing => Ok(claim(None)),
        Content::Run(marker) => {
            if matches!(Held::again(path), Err(NotHeld::UnderWay)) {
                return Err(under_way(path, &marker.run));
            }
            if marker.state != State::Unbegun && !overwrite {
                return Err(taken_already(path, &marker));
            }
            own(path, &marker)?;
            Ok(claim(Some(marker)))
        }
        Content::Unmarked(run) => {
            let at = moment(&run.started_at);
            let fact = format!("--out {shown}: already holds run {} of {at}", run.id);
            let hint = format!(
                "name another folder: without its {MARKER} nothing tells what else here is of that run"
            );
            Err(Failure::new(Exit::Usage, fact).hint(hint))
        }
        Content::Foreign(name) => Err(foreign(path, &name)),
    }
}

/// Whether a folder holds nothing, so that several runs may have it.
pub(super) fn empty(path: &Path) -> Result<(), Failure> {
    match content(path).map_err(|error| unreadable(path, &error))? {
        Content::Nothing => Ok(()),
        Content::Run(marker) => Err(taken_by(path, &marker.run)),
        Content::Unmarked(run) => Err(taken_by(path, &run)),
        Content::Foreign(name) => Err(foreign(path, &name)),
    }
}

fn taken_by(path: &Path, run: &Identity) -> Failure {
    let fact = format!("--out {}: already holds run {}", path.display(), run.id);
    Failure::new(Exit::Usage, fact)
        .hint("name a folder that is new or empty: each run has one of its own in it")
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let fact = format!(
        "--out {}: cannot be read: {}",
        path.display(),
        intake::reason(error)
    );
    Failure::new(Exit::Storage, fact).hint("name a folder that can be read and written")
}

fn foreign(path: &Path, name: &str) -> Failure {
    let shown = path.display();
    let fact = format!("--out {shown}: is not empty (`{name}`), and is not the folder of a run");
    Failure::new(Exit::Usage, fact)
        .hint("name a folder that is new or empty: nothing of yours is written over")
}

fn under_way(path: &Path, run: &Identity) -> Failure {
    let fact = format!(
        "--out {}: run {} is under way there",
        path.display(),
        run.id
    );
    Failure::new(Exit::Usage, fact).hint("name another folder, or wait for its end")
}

fn taken_already(path: &Path, Marker { run, files, .. }: &Marker) -> Failure {
    let left = if files.contains_key(RESULT_FILE) {
        ""
    } else {
        ", which left no result"
    };
    let (shown, at) = (path.display(), moment(&run.started_at));
    let fact = format!("--out {shown}: already holds run {} of {at}{left}", run.id);
    Failure::new(Exit::Usage, fact).hint("name another folder, or replace that run: --overwrite")
}

/// What the run that left this marker wrote; nothing else may stand where a run writes.
fn own(path: &Path, marker: &Marker) -> Result<Vec<PathBuf>, Failure> {
    match marker::own(path, marker).map_err(|error| unreadable(path, &error))? {
        Own::Files(files) => Ok(files),
        Own::Foreign(name) => {
            let (shown, run) = (path.display(), &marker.run.id);
            let fact = format!(
                "--out {shown}: `{name}` is not as run {run} left it, and would be written over"
            );
            Err(Failure::new(Exit::Usage, fact).hint("move it away, or name another folder"))
        }
    }
}

impl Claim {
    /// Takes the folder for a run. What an earlier one left stays until [`Taken::begin`], but for its logs.
    pub(super) fn take(&self, run: Identity) -> Result<Taken, Failure> {
        let path = self.path.as_path();
        let failed = |error| match error {
            NotHeld::UnderWay => {
                under_way(path, &marker::read(path).map_or(run.clone(), |m| m.run))
            }
            NotHeld::Io(error) => unwritable(path, &error),
        };
        if let Some(seen) = &self.earlier {
            let held = Held::again(path).map_err(failed)?;
            let earlier = marker::read(path).ok_or_else(|| foreign(path, MARKER))?;
            if earlier != *seen {
                // Another run came and went between the look and now: nobody asked for its end.
                return Err(taken_already(path, &earlier));
            }
            return self.taken(held, earlier, run);
        }
        let was_there = path.exists();
        fs::create_dir_all(path).map_err(|error| unwritable(path, &error))?;
        let marker = Marker {
            run: run.clone(),
            state: State::Open,
            files: BTreeMap::new(),
        };
        let held = Held::new(path, &marker).map_err(|error| {
            if !was_there {
                // Not empty: somebody else was there first.
                drop(fs::remove_dir(path));
            }
            failed(error)
        })?;
        // Between the look and now somebody may have come.
        match entry(path, &[MARKER]).map_err(|error| unreadable(path, &error))? {
            None => self.taken(held, marker, run),
            Some(name) => {
                held.remove();
                Err(foreign(path, &name))
            }
        }
    }

    fn taken(&self, held: Held, earlier: Marker, run: Identity) -> Result<Taken, Failure> {
        let logs = own(&self.path, &earlier)?
            .into_iter()
            .filter(|file| file.extension().is_some_and(|kind| kind == "log"));
        for log in logs {
            remove(&log).map_err(|error| unwritable(&log, &error))?;
        }
        marker::remove_logs_folder(&self.path);
        let mut taken = Taken {
            folder: RunDir::at(&self.path),
            path: self.path.clone(),
            held,
            marker: Marker {
                state: State::Open,
                ..earlier
            },
            run: Some(run),
        };
        taken
            .marker
            .files
            .retain(|name, _| !name.starts_with("logs/"));
        taken
            .mark()
            .map_err(|error| unwritable(&self.path, &error))?;
        Ok(taken)
    }
}

/// The folder of a run whose reports are drawn anew, and which files that concerns.
#[derive(Debug)]
pub(super) struct Redrawn {
    path: PathBuf,
    /// `None`: it came here without its marker.
    marked: Option<(Held, Marker)>,
    names: Vec<&'static str>,
}

/// Whether these files of a run's own folder may be drawn anew: those that are as the run left them, or are not there.
pub(super) fn redraw(
    path: &Path,
    names: Vec<&'static str>,
    overwrite: bool,
) -> Result<Redrawn, Failure> {
    let marked = match marker::read(path) {
        None => None,
        Some(marker) => match Held::again(path) {
            Ok(held) => Some((held, marker)),
            Err(NotHeld::UnderWay) => return Err(under_way(path, &marker.run)),
            Err(NotHeld::Io(error)) => return Err(unwritable(path, &error)),
        },
    };
    for name in &names {
        let file = path.join(name);
        let own = match &marked {
            Some((_, marker)) => {
                marker::is_own(path, marker, name).map_err(|error| unreadable(&file, &error))?
            }
            None => fs::symlink_metadata(&file).ok().map(|_| false),
        };
        if own == Some(false) && !overwrite {
            let fact = format!("{}: nothing tells that the run left it so", file.display());
            return Err(Failure::new(Exit::Usage, fact)
                .hint("draw into another folder, with --out, or replace it: --overwrite"));
        }
    }
    Ok(Redrawn {
        path: path.to_owned(),
        marked,
        names,
    })
}

impl Redrawn {
    /// They are drawn.
    pub(super) fn done(self) {
        let Some((mut held, mut marker)) = self.marked else {
            return;
        };
        let drawn = marker::prints(&self.path).into_iter();
        let drawn = drawn.filter(|(name, _)| self.names.contains(&name.as_str()));
        marker.files.extend(drawn);
        // Where it cannot be said, the next one asks.
        drop(held.write(&marker));
    }
}

impl Taken {
    fn mark(&mut self) -> io::Result<()> {
        self.held.write(&self.marker)
    }

    /// The load begins: what an earlier run left is gone from here on.
    pub(super) fn begin(&mut self) {
        let Some(run) = self.run.take() else { return };
        // By the names that runs give, each as its run left it: a marker is a file that anybody may have written.
        let earlier = marker::own(&self.path, &self.marker);
        self.marker.files.clear();
        let files = match earlier {
            Ok(Own::Files(files)) => files,
            Ok(Own::Foreign(name)) => {
                tracing::warn!(
                    name,
                    "a file of an earlier run was changed; all of them are left"
                );
                Vec::new()
            }
            Err(error) => {
                tracing::warn!(%error, "the files of an earlier run are left");
                Vec::new()
            }
        };
        for file in files
            .iter()
            .filter(|file| file.extension().is_none_or(|kind| kind != "log"))
        {
            // What cannot be removed is replaced by what this run writes, and named if that fails.
            if let Err(error) = remove(file) {
                tracing::warn!(%error, file = %file.display(), "a file of an earlier run is left");
            }
        }
        self.marker.run = run;
        self.note();
    }

    /// The run ended before it sent anything: what it found is as it was but for the logs, and where it found nothing
    /// the next one may have the folder without being told so.
    pub(super) fn unbegun(mut self) {
        let Some(run) = self.run.take() else { return };
        if self.marker.files.is_empty() {
            self.marker.run = run;
            self.marker.state = State::Unbegun;
        } else {
            self.marker.state = State::Done;
        }
        let logs = marker::prints(&self.path).into_iter();
        let logs = logs.filter(|(name, _)| name.starts_with("logs/"));
        self.marker.files.extend(logs);
        self.note();
    }

    /// All files are written.
    pub(super) fn done(mut self) {
        self.marker.files = marker::prints(&self.path);
        self.marker.state = State::Done;
        self.note();
    }

    /// Where it cannot be said, the next run is refused the folder, and asks.
    fn note(&mut self) {
        if let Err(error) = self.mark() {
            tracing::warn!(%error, "{MARKER} cannot be written");
        }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    let fact = format!(
        "--out {}: cannot be written: {}",
        path.display(),
        intake::reason(error)
    );
    Failure::new(Exit::Storage, fact).hint("name a folder that can be written to, with --out")
}

fn content(path: &Path) -> io::Result<Content> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Content::Nothing),
        other => other?,
    };
    if let Some(marker) = marker::read(path) {
        return Ok(Content::Run(marker));
    }
    Ok(match entry(path, &[])? {
        None => Content::Nothing,
        Some(name) => match RunDir::at(path).identity() {
            Some(run) => Content::Unmarked(run),
            None => Content::Foreign(name),
        },
    })
}

/// Something in the folder that is neither of these nor nothing.
fn entry(path: &Path, but: &[&str]) -> io::Result<Option<String>> {
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !NO_CONTENT.contains(&name.as_str()) && !but.contains(&name.as_str()) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// `2026-11-21 06:12 UTC` of `2026-11-21T06:12:04.123Z`.
fn moment(rfc3339: &str) -> String {
    match rfc3339.get(..16) {
        Some(minute) => format!("{} UTC", minute.replacen('T', " ", 1)),
        None => rfc3339.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(id: &str) -> Identity {
        Identity {
            id: id.to_owned(),
            started_at: "2026-11-21T06:12:04Z".to_owned(),
        }
    }

    fn text(failure: &Failure) -> String {
        let mut text = Vec::new();
        failure.write(&mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[track_caller]
    fn refused(path: &Path, overwrite: bool) -> String {
        let failure = look(path, overwrite).unwrap_err();
        assert_eq!(failure.exit(), Exit::Usage);
        text(&failure)
    }

    /// A folder with a whole run.
    fn ran(path: &Path, id: &str) {
        let mut taken = look(path, false).unwrap().take(identity(id)).unwrap();
        taken.begin();
        fs::create_dir(path.join("logs")).unwrap();
        for name in [RESULT_FILE, "summary.md", "logs/server.log"] {
            fs::write(path.join(name), name).unwrap();
        }
        taken.done();
    }

    fn write(path: &Path, names: &[&str]) {
        for name in names {
            fs::create_dir_all(path.join(name).parent().unwrap()).unwrap();
            fs::write(path.join(name), "precious").unwrap();
        }
    }

    #[test]
    fn a_new_or_empty_folder_is_taken_and_looking_leaves_no_trace() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("a/b");
        let claim = look(&path, false).unwrap();
        assert!(!path.exists());
        claim.take(identity("r-00000001")).unwrap();
        assert!(path.join(MARKER).is_file());
    }

    #[test]
    fn a_folder_with_a_run_is_refused_by_name_and_time_until_it_may_be_replaced() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path();
        ran(path, "r-0a");
        let said = refused(path, false);
        assert!(
            said.contains("run r-0a of 2026-11-21 06:12 UTC\n"),
            "{said}"
        );
        let others = ["notes.txt", "logs/mine.log", "logs/important/app.log"];
        write(path, &others);
        let mut taken = look(path, true).unwrap().take(identity("r-0b")).unwrap();
        assert!(path.join("summary.md").exists(), "until it begins");
        taken.begin();
        for gone in ["summary.md", RESULT_FILE, "logs/server.log"] {
            assert!(!path.join(gone).exists(), "{gone}");
        }
        for kept in others {
            assert_eq!(fs::read_to_string(path.join(kept)).unwrap(), "precious");
        }
        drop(taken);
        let said = refused(path, false);
        assert!(
            said.contains("r-0b of") && said.contains("left no result"),
            "{said}"
        );
    }

    #[test]
    fn a_file_that_the_run_did_not_write_is_not_replaced_whatever_its_name() {
        for name in [
            "summary.md",
            "plan.toml",
            "logs/server.log",
            "logs/redis.log",
        ] {
            let temp = tempfile::tempdir().unwrap();
            ran(temp.path(), "r-0a");
            write(temp.path(), &[name]);
            let said = refused(temp.path(), true);
            assert!(
                said.contains(&format!("`{name}` is not as run r-0a")),
                "{said}"
            );
        }
    }

    #[test]
    fn a_link_in_the_place_of_a_file_or_of_the_logs_is_not_followed() {
        for name in ["summary.md", "logs", "logs/janitor.log"] {
            let temp = tempfile::tempdir().unwrap();
            let (path, elsewhere) = (temp.path().join("run"), temp.path().join("else"));
            ran(&path, "r-0a");
            write(&elsewhere, &["server.log"]);
            if name == "logs" {
                fs::remove_dir_all(path.join(name)).unwrap();
            } else if name == "summary.md" {
                fs::remove_file(path.join(name)).unwrap();
            }
            std::os::unix::fs::symlink(&elsewhere, path.join(name)).unwrap();
            assert!(refused(&path, true).contains(name), "{name}");
            assert!(elsewhere.join("server.log").exists());
        }
    }

    #[test]
    fn a_marker_that_names_what_no_run_writes_has_none_of_it_removed() {
        let temp = tempfile::tempdir().unwrap();
        let (path, elsewhere) = (temp.path().join("run"), temp.path().join("key"));
        ran(&path, "r-0a");
        fs::write(&elsewhere, "precious").unwrap();
        write(&path, &["notes.txt"]);
        let mut marker = marker::read(&path).unwrap();
        let print = marker.files[RESULT_FILE].clone();
        marker.state = State::Unbegun;
        for name in [elsewhere.to_str().unwrap(), "../key", "notes.txt"] {
            marker.files.insert(name.to_owned(), print.clone());
        }
        Held::again(&path).unwrap().write(&marker).unwrap();
        let mut taken = look(&path, false).unwrap().take(identity("r-0b")).unwrap();
        taken.begin();
        assert!(!path.join(RESULT_FILE).exists(), "that was the run's own");
        for kept in [elsewhere, path.join("notes.txt")] {
            assert_eq!(fs::read_to_string(kept).unwrap(), "precious");
        }
    }

    #[test]
    fn a_run_that_came_and_went_after_the_look_is_not_replaced() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path();
        let taken = look(path, false).unwrap().take(identity("r-0a")).unwrap();
        taken.unbegun();
        let (one, other) = (look(path, false).unwrap(), look(path, false).unwrap());
        let mut taken = one.take(identity("r-0b")).unwrap();
        taken.begin();
        fs::write(path.join("summary.md"), "of r-0b").unwrap();
        taken.done();
        let said = text(&other.take(identity("r-0c")).unwrap_err());
        assert!(said.contains("already holds run r-0b"), "{said}");
        assert_eq!(
            fs::read_to_string(path.join("summary.md")).unwrap(),
            "of r-0b"
        );
    }

    #[test]
    fn two_runs_never_have_one_folder() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path();
        let (first, second) = (look(path, false).unwrap(), look(path, false).unwrap());
        let taken = first.take(identity("r-0a")).unwrap();
        let late = text(&second.take(identity("r-0b")).unwrap_err());
        assert!(late.contains("run r-0a is under way there"), "{late}");
        for overwrite in [false, true] {
            assert!(refused(path, overwrite).contains("under way"));
        }
        drop(taken);
        look(path, true).unwrap();
    }

    #[test]
    fn a_run_that_could_not_begin_leaves_its_folder_to_the_next() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path();
        let taken = look(path, false).unwrap().take(identity("r-0a")).unwrap();
        write(path, &["logs/server.log"]);
        taken.unbegun();
        let taken = look(path, false).unwrap().take(identity("r-0b")).unwrap();
        assert!(!path.join("logs").exists());
        drop(taken);
        assert!(refused(path, false).contains("r-0b") || look(path, true).is_ok());
    }

    #[test]
    fn an_earlier_run_outlives_one_that_could_not_begin() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path();
        ran(path, "r-0a");
        let taken = look(path, true).unwrap().take(identity("r-0b")).unwrap();
        write(path, &["logs/server.log"]);
        taken.unbegun();
        assert_eq!(
            fs::read_to_string(path.join("summary.md")).unwrap(),
            "summary.md"
        );
        assert!(refused(path, false).contains("already holds run r-0a"));
        look(path, true).unwrap();
    }

    #[test]
    fn a_folder_of_somebody_else_is_refused_whatever_is_asked() {
        for name in [
            "logs/app.log",
            "result.json",
            "summary.md",
            ".git/HEAD",
            MARKER,
        ] {
            let temp = tempfile::tempdir().unwrap();
            write(temp.path(), &[name]);
            for overwrite in [false, true] {
                let text = refused(temp.path(), overwrite);
                assert!(text.contains("not the folder of a run"), "{text}");
            }
            let kept = fs::read_to_string(temp.path().join(name)).unwrap();
            assert_eq!(kept, "precious");
        }
    }

    #[test]
    fn a_file_that_only_keeps_the_folder_is_no_hindrance() {
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join(".gitkeep"), "").unwrap();
        look(temp.path(), false).unwrap();
    }
}
