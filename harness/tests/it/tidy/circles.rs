//! Files that need each other: of each room of `harness`, and of the other crates as wholes.
//!
//! A file needs another where it names what is defined there: by `use`, by a path in its code, or by a name that another
//! module hands on with `pub use`. `mod child;` alone is no need, nor is what tests name.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

use super::source::{Source, attributes, is_for_tests, sources};
use crate::support::{read, root};

/// The circles that are still there, one line each; it only shrinks.
const LIST: &str = "harness/tests/it/tidy/circles.txt";
/// A name handed on from module to module is followed so far.
const DEPTH_MAX: usize = 12;

/// Where a module is in its crate: `["client", "journal"]`.
type Path = Vec<String>;

/// One file's module.
#[derive(Default)]
struct Module {
    file: String,
    /// What is defined in it.
    items: BTreeSet<String>,
    children: BTreeSet<String>,
    /// What is imported: the name here, and its path.
    imports: Vec<(String, Path)>,
    /// Paths named in it.
    named: Vec<Path>,
}

impl Module {
    fn of(source: &Source) -> Self {
        let mut module = Self {
            file: source.path.clone(),
            ..Self::default()
        };
        module.add(&source.parsed.items);
        module
    }

    fn add(&mut self, items: &[syn::Item]) {
        for item in items.iter().filter(|item| !is_for_tests(attributes(item))) {
            let name = match item {
                syn::Item::Use(used) => {
                    flatten(&used.tree, &mut Vec::new(), &mut self.imports);
                    None
                }
                syn::Item::Mod(module) => {
                    match &module.content {
                        // Its names are taken for those of the file.
                        Some((_, items)) => self.add(items),
                        None => drop(self.children.insert(module.ident.to_string())),
                    }
                    None
                }
                syn::Item::Const(item) => Some(&item.ident),
                syn::Item::Enum(item) => Some(&item.ident),
                syn::Item::Fn(item) => Some(&item.sig.ident),
                syn::Item::Static(item) => Some(&item.ident),
                syn::Item::Struct(item) => Some(&item.ident),
                syn::Item::Trait(item) => Some(&item.ident),
                syn::Item::Type(item) => Some(&item.ident),
                syn::Item::Macro(item) => item.ident.as_ref(),
                _ => None,
            };
            self.items.extend(name.map(ToString::to_string));
            Named(&mut self.named).visit_item(item);
        }
    }
}

/// The names of a `use`.
fn flatten(tree: &syn::UseTree, before: &mut Path, into: &mut Vec<(String, Path)>) {
    let mut leaf = |name: &syn::Ident, last: &syn::Ident| {
        let mut path = before.clone();
        if last != "self" {
            path.push(last.to_string());
        }
        let name = if name == "self" {
            path.last().cloned().unwrap_or_default()
        } else {
            name.to_string()
        };
        into.push((name, path));
    };
    match tree {
        syn::UseTree::Name(name) => leaf(&name.ident, &name.ident),
        syn::UseTree::Rename(renamed) => leaf(&renamed.rename, &renamed.ident),
        syn::UseTree::Glob(_) => into.push(("*".to_owned(), before.clone())),
        syn::UseTree::Group(group) => {
            for tree in &group.items {
                flatten(tree, before, into);
            }
        }
        syn::UseTree::Path(path) => {
            before.push(path.ident.to_string());
            flatten(&path.tree, before, into);
            before.pop();
        }
    }
}

/// Collects the paths that code names, those inside of macros too.
struct Named<'a>(&'a mut Vec<Path>);

impl Named<'_> {
    /// A path among tokens; `pub(super)` names none.
    fn note(&mut self, path: Path) {
        let is_module = |name: &String| ["crate", "self", "super"].contains(&name.as_str());
        if !path.iter().all(is_module) {
            self.0.push(path);
        }
    }

    fn tokens(&mut self, tokens: TokenStream) {
        let mut path = Path::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.note(std::mem::take(&mut path));
                    }
                    path.push(name.to_string());
                    colons = 0;
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
                other => {
                    self.note(std::mem::take(&mut path));
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.tokens(group.stream());
                    }
                }
            }
        }
        self.note(path);
    }
}

impl<'ast> Visit<'ast> for Named<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !is_for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    // A name that is handed on is needed by who takes it.
    fn visit_item_use(&mut self, used: &'ast syn::ItemUse) {
        if matches!(used.vis, syn::Visibility::Inherited) {
            let mut names = Vec::new();
            flatten(&used.tree, &mut Vec::new(), &mut names);
            self.0.extend(names.into_iter().map(|(_, path)| path));
        }
    }

    // `pub(super)` needs nothing.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments = path.segments.iter();
        self.0
            .push(segments.map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        self.visit_path(&called.path);
        self.tokens(called.tokens.clone());
    }
}

/// A need that leaves its room.
pub(super) struct Tie<'a> {
    pub file: &'a str,
    pub room: &'a str,
    pub other_room: &'a str,
    pub names: String,
}

/// The modules of one crate.
pub(super) struct Crate(BTreeMap<Path, Module>);

impl Crate {
    /// That below this folder.
    pub(super) fn of(sources: &[Source], folder: &str) -> Self {
        let mut modules = BTreeMap::new();
        for source in sources.iter().filter(|source| !source.is_test()) {
            let Some(below) = source.path.strip_prefix(folder) else {
                continue;
            };
            let mut path: Path = below
                .trim_start_matches('/')
                .trim_end_matches(".rs")
                .split('/')
                .map(str::to_owned)
                .collect();
            if path.last().is_some_and(|last| last == "mod") || path == ["lib"] {
                path.pop();
            }
            if path != ["main"] {
                modules.insert(path, Module::of(source));
            }
        }
        Self(modules)
    }

    /// The module in which that which `module` calls `path` is defined; `None` where it is no module of this crate.
    fn find(&self, module: &Path, path: &[String], depth: usize) -> Option<Path> {
        let (first, rest) = path.split_first()?;
        if depth > DEPTH_MAX {
            return None;
        }
        match first.as_str() {
            "crate" => self.walk(Path::new(), rest, depth),
            "self" => self.walk(module.clone(), rest, depth),
            "super" => {
                let parent = module.split_last()?.1.to_vec();
                match rest.first().map(String::as_str) {
                    Some("super") => self.find(&parent, rest, depth),
                    _ => self.walk(parent, rest, depth),
                }
            }
            _ => self.walk(module.clone(), path, depth),
        }
    }

    /// Follows the names from a module on.
    fn walk(&self, mut at: Path, mut names: &[String], depth: usize) -> Option<Path> {
        while let Some((name, rest)) = names.split_first() {
            let module = self.0.get(&at)?;
            if module.children.contains(name) {
                at.push(name.clone());
                names = rest;
            } else if module.items.contains(name) {
                return Some(at);
            } else {
                let found = self.imported(&at, (name, rest), depth);
                // Where a macro made it, or another crate, the module that was named is needed.
                return found.or((depth == 0).then_some(at));
            }
        }
        Some(at)
    }

    fn imported(
        &self,
        at: &Path,
        (name, rest): (&String, &[String]),
        depth: usize,
    ) -> Option<Path> {
        let imports = &self.0.get(at)?.imports;
        if let Some((_, path)) = imports.iter().find(|(as_name, _)| as_name == name) {
            // A name that means itself is of another crate.
            if path.first() == Some(name) {
                return None;
            }
            let path: Path = path.iter().chain(rest).cloned().collect();
            return self.find(at, &path, depth + 1);
        }
        let globs = imports.iter().filter(|(as_name, _)| as_name == "*");
        globs
            .filter(|(_, path)| {
                path.first()
                    .is_some_and(|first| ["crate", "self", "super"].contains(&first.as_str()))
            })
            .find_map(|(_, path)| {
                let path: Path = path.iter().chain([name]).chain(rest).cloned().collect();
                self.find(at, &path, depth + 1)
            })
    }

    /// What each file needs of which other.
    fn needs(&self) -> BTreeMap<&Path, BTreeMap<Path, BTreeSet<String>>> {
        let mut all = BTreeMap::new();
        for (path, module) in &self.0 {
            let mut needs = BTreeMap::<Path, BTreeSet<String>>::new();
            for named in &module.named {
                if let Some(other) = self.find(path, named, 0)
                    && other != *path
                    && self.0.contains_key(&other)
                {
                    needs.entry(other).or_default().insert(named.join("::"));
                }
            }
            all.insert(path, needs);
        }
        all
    }

    /// The folders and files right below `src`.
    pub(super) fn rooms(&self) -> BTreeSet<String> {
        self.0
            .keys()
            .filter_map(|path| path.first().cloned())
            .collect()
    }

    /// What rooms need of each other.
    pub(super) fn ties_between_rooms(&self) -> Vec<Tie<'_>> {
        let mut ties = Vec::new();
        for (path, needs) in self.needs() {
            for (other, names) in needs {
                let (other, _) = self.0.get_key_value(&other).expect("a module is needed");
                if let (Some(room), Some(other_room)) = (path.first(), other.first())
                    && room != other_room
                {
                    ties.push(Tie {
                        file: &self.0[path].file,
                        room,
                        other_room,
                        names: Vec::from_iter(names).join(", "),
                    });
                }
            }
        }
        ties
    }

    /// The circles among files that `together` puts into one group, each with what ties it.
    fn circles(&self, together: impl Fn(&Path, &Path) -> bool) -> Vec<(BTreeSet<&str>, String)> {
        let needs = self.needs();
        let reached = |start: &Path| {
            let mut reached = BTreeSet::new();
            let mut open = vec![start.clone()];
            while let Some(at) = open.pop() {
                let next = needs[&at].keys().filter(|next| together(start, next));
                open.extend(next.filter(|next| reached.insert((*next).clone())).cloned());
            }
            reached
        };
        let reached: BTreeMap<&Path, BTreeSet<Path>> =
            self.0.keys().map(|path| (path, reached(path))).collect();
        let mut circles = BTreeMap::new();
        for (start, from) in &reached {
            let circle = from.iter().filter(|other| reached[*other].contains(*start));
            let circle: BTreeSet<&Path> = circle.collect();
            let files = circle.iter().map(|path| self.0[*path].file.as_str());
            let files: BTreeSet<&str> = files.collect();
            if files.len() < 2 {
                continue;
            }
            let mut ties = String::new();
            for path in &circle {
                for (other, names) in needs[*path]
                    .iter()
                    .filter(|(other, _)| circle.contains(other))
                {
                    let names: Vec<&str> = names.iter().map(String::as_str).collect();
                    let (file, other) = (&self.0[*path].file, &self.0[other].file);
                    writeln!(ties, "  {file} needs {other}: {}", names.join(", ")).unwrap();
                }
            }
            circles.insert(files, ties);
        }
        circles.into_iter().collect()
    }
}

/// All circles, a line each: the files without their folder. And what ties them.
fn found() -> (String, String) {
    let sources = sources();
    let (mut text, mut all_ties) = (String::new(), String::new());
    for (folder, by_room) in [
        ("harness", true),
        ("reference-server", false),
        ("fault-proxy", false),
        ("xtask", false),
    ] {
        let below = format!("{folder}/src/");
        let modules = Crate::of(&sources, &below);
        let together = |one: &Path, other: &Path| !by_room || one.first() == other.first();
        for (files, ties) in modules.circles(together) {
            all_ties.push_str(&ties);
            let files = files.iter().filter_map(|file| file.strip_prefix(&below));
            let files: Vec<&str> = files.collect();
            writeln!(text, "{folder}: {}", files.join(" ")).unwrap();
        }
    }
    (text, all_ties)
}

#[test]
fn no_file_needs_one_that_needs_it() {
    let (text, ties) = found();
    if std::env::var_os("HARNESS_BLESS").is_some() {
        std::fs::write(root().join(LIST), &text).unwrap();
        return;
    }
    assert_eq!(
        text,
        read(LIST),
        "other circles than those of {LIST}: untie what is new, strike what is gone (HARNESS_BLESS=1 writes it anew):\n{ties}"
    );
}

#[test]
fn a_circle_is_found_through_names_that_are_handed_on() {
    let file = |path: &str, text: &str| Source::of(path, text.to_owned());
    let sources = [
        file("x/src/lib.rs", "mod a; mod b; mod c;"),
        file("x/src/a/mod.rs", "mod deep; pub(crate) use deep::Deep;"),
        file(
            "x/src/a/deep.rs",
            "use crate::b::call; pub struct Deep; #[cfg(test)] mod t { use crate::c::f; }",
        ),
        file(
            "x/src/b.rs",
            "pub fn call() { assert!(matches!(1, crate::a::Deep::ONE)); }",
        ),
        file("x/src/c.rs", "use crate::{a::Deep}; pub fn f() {}"),
    ];
    let crate_ = Crate::of(&sources, "x/src");
    let circles = crate_.circles(|_, _| true);
    let circles: Vec<_> = circles.into_iter().map(|(files, _)| files).collect();
    let expected = BTreeSet::from(["x/src/a/deep.rs", "x/src/b.rs"]);
    assert_eq!(circles, [expected]);
    assert!(
        crate_
            .circles(|one, other| one.first() == other.first())
            .is_empty()
    );
    let ties = crate_.ties_between_rooms();
    let ties: Vec<_> = ties.iter().map(|tie| (tie.room, tie.other_room)).collect();
    assert_eq!(ties, [("a", "b"), ("b", "a"), ("c", "a")]);
}
