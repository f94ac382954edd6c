//! A Rust file of one of the crates, read as Rust.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

use crate::support::{read, root};

/// A Rust file.
pub(super) struct Source {
    /// From the root of the repository.
    pub path: String,
    pub text: String,
    pub parsed: syn::File,
    /// Its lines that are compiled for tests only.
    tests: Vec<RangeInclusive<usize>>,
}

impl Source {
    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let path = path.strip_prefix(root()).unwrap().to_str().unwrap();
        Self::of(path, text)
    }

    pub(super) fn of(path: &str, text: String) -> Self {
        let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut tests = Tests(Vec::new());
        tests.visit_file(&parsed);
        Self {
            path: path.to_owned(),
            text,
            parsed,
            tests: tests.0,
        }
    }

    /// Its lines without its tests, each with its number.
    pub(super) fn own_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate();
        let lines = lines.map(|(index, line)| (index + 1, line));
        lines.filter(|(number, _)| !self.tests.iter().any(|test| test.contains(number)))
    }

    pub(super) fn is_test(&self) -> bool {
        self.path.contains("/tests/") || self.path.ends_with("/tests.rs")
    }

    /// The room of `harness` that a file belongs to: the folder or file right below `src`.
    pub(super) fn room(&self) -> Option<&str> {
        let below = self.path.strip_prefix("harness/src/")?;
        let room = below.split('/').next()?.trim_end_matches(".rs");
        (!matches!(room, "lib" | "main")).then_some(room)
    }
}

/// Whether the attributes have something compiled for tests only.
pub(super) fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    let is_test = |attribute: &syn::Attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Path>()
                .is_ok_and(|condition| condition.is_ident("test"))
    };
    attributes.iter().any(is_test)
}

/// Collects where items for tests stand.
struct Tests(Vec<RangeInclusive<usize>>);

impl Tests {
    /// Whether it was one.
    fn note(&mut self, attributes: &[syn::Attribute], span: proc_macro2::Span) -> bool {
        let is_test = is_for_tests(attributes);
        if is_test {
            self.0.push(span.start().line..=span.end().line);
        }
        is_test
    }
}

impl<'ast> Visit<'ast> for Tests {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !self.note(attributes(item), item.span()) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        let attributes = match item {
            syn::ImplItem::Fn(method) => &method.attrs[..],
            syn::ImplItem::Const(constant) => &constant.attrs,
            _ => &[],
        };
        self.note(attributes, item.span());
    }
}

/// The attributes of an item.
pub(super) fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// Every Rust file of every member of the workspace.
pub(super) fn sources() -> Vec<Source> {
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let members = manifest["workspace"]["members"].as_array().unwrap();
    let mut paths = Vec::new();
    for member in members {
        for folder in ["src", "tests"] {
            let folder = root().join(member.as_str().unwrap()).join(folder);
            collect(&folder, &mut paths);
        }
    }
    paths.sort();
    assert!(paths.len() > 20, "too few sources found: {paths:?}");
    paths.iter().map(|path| Source::read(path)).collect()
}
