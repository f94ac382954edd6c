//! The pages of the project: links and headings exist, commands and scenarios in them are real, the book is whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::support::{harness, read, root};

mod markdown;
mod shell;

use markdown::{Page, beside};

/// The sources of the book.
const BOOK: &str = "docs/book/src/";
const SUMMARY: &str = "docs/book/src/SUMMARY.md";

/// Every page of the repository, and every chapter of the book as the book has it, by path.
fn pages() -> BTreeMap<String, Page> {
    let mut paths = BTreeSet::new();
    collect("", &mut paths);
    paths.extend(chapters());
    let pages = paths
        .into_iter()
        .map(|path| (path.clone(), Page::read(path)));
    pages.collect()
}

/// Pages below a folder; a link to a folder is not followed, and what a build, a run or a tool leaves is left out.
fn collect(folder: &str, into: &mut BTreeSet<String>) {
    let mut names: Vec<_> = fs::read_dir(root().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap())
        .collect();
    names.sort_by_key(fs::DirEntry::file_name);
    for entry in names {
        let name = entry.file_name().into_string().unwrap();
        let kind = entry.file_type().unwrap();
        let path = format!("{folder}{name}");
        let is_left = name.starts_with('.')
            || matches!(&*name, "target" | "node_modules")
            || path == "docs/book/book"
            || (folder == "reports/" && kind.is_dir() && name != "example");
        if kind.is_dir() && !is_left {
            collect(&format!("{path}/"), into);
        } else if kind.is_file() && name.strip_suffix(".md").is_some() {
            into.insert(path);
        }
    }
}

/// The chapters that the summary lists, in its order.
fn chapters() -> Vec<String> {
    let summary = Page::of(SUMMARY, read(SUMMARY));
    let links = summary.links().into_iter();
    links.map(|(_, link)| format!("{BOOK}{link}")).collect()
}

#[track_caller]
fn none(found: &[String], rule: &str) {
    assert!(found.is_empty(), "{rule}:\n{}", found.join("\n"));
}

/// What is wrong with a link of a page, if anything is.
fn broken(page: &Page, link: &str, pages: &BTreeMap<String, Page>) -> Option<&'static str> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let Some(target) = beside(&page.path, file) else {
        return Some("leads out of the repository");
    };
    if page.path.starts_with(BOOK) && !target.starts_with(BOOK) {
        return Some("leads out of the book");
    }
    if !root().join(&target).exists() {
        return Some("no such file");
    }
    if anchor.is_empty() {
        return None;
    }
    let headings = pages.get(&target).map(Page::anchors);
    let is_there = headings.is_some_and(|anchors| anchors.contains(anchor));
    (!is_there).then_some("no such heading")
}

#[test]
fn every_link_of_every_page_leads_to_a_file_and_a_heading_that_exist() {
    let pages = pages();
    let mut found = Vec::new();
    for page in pages.values() {
        for (line, link) in page.links() {
            if let Some(why) = broken(page, &link, &pages) {
                found.push(format!("{}:{line}: {link}: {why}", page.path));
            }
        }
    }
    none(&found, "a link leads to what is there");
    assert!(pages.len() > 30, "{:?}", pages.keys());
}

#[test]
fn a_broken_link_is_found() {
    let of = |path: &str, text: &str| (path.to_owned(), Page::of(path, text.to_owned()));
    let pages = BTreeMap::from([
        of("README.md", "# Only this one\n"),
        of("docs/book/src/faq.md", "# Questions\n"),
    ]);
    let told = |path: &str, link| broken(&pages[path], link, &pages);
    assert_eq!(told("README.md", "#only-this-one"), None);
    assert_eq!(told("README.md", "docs/book/src/faq.md#questions"), None);
    assert_eq!(told("README.md", "https://example.org/#x"), None);
    assert_eq!(told("README.md", "#another"), Some("no such heading"));
    assert_eq!(told("README.md", "NO.md"), Some("no such file"));
    let out = Some("leads out of the repository");
    assert_eq!(told("README.md", "../README.md"), out);
    let home = "../../../README.md";
    let out = Some("leads out of the book");
    assert_eq!(told("docs/book/src/faq.md", home), out);
}

#[test]
fn the_summary_lists_every_chapter_once() {
    let listed = chapters();
    let once: BTreeSet<&String> = listed.iter().collect();
    assert_eq!(once.len(), listed.len(), "{listed:?}");
    let mut written = BTreeSet::new();
    collect(BOOK, &mut written);
    written.remove(SUMMARY);
    for page in ["scenarios/README.md", "scenarios/TARGETS.md"] {
        written.insert(format!("{BOOK}{page}"));
    }
    let listed: BTreeSet<String> = listed.into_iter().collect();
    assert_eq!(listed, written, "chapters of {SUMMARY} and files");
}

/// Parsed to its end, and not done: the help that is asked for last comes only after all else was understood.
#[test]
fn every_command_of_every_page_is_one_that_the_program_takes() {
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    for page in pages().values() {
        for (line, block) in page.blocks("sh") {
            for command in shell::commands(&block) {
                let Some(("harness", words)) = shell::named(&command) else {
                    continue;
                };
                let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
                let end = words.iter().position(|word| *word == "--");
                words.insert(end.unwrap_or(words.len()), "--help");
                if !seen.insert(words.join(" ")) {
                    continue;
                }
                let done = harness(&words);
                if done.code != 0 {
                    let place = format!("{}:{line}", page.path);
                    found.push(format!("{place}: {}: {}", words.join(" "), done.stderr));
                }
            }
        }
    }
    none(&found, "a command of a page is understood");
    assert!(seen.len() > 50, "{seen:?}");
}

#[test]
fn every_scenario_of_a_chapter_has_no_problems() {
    let folder = tempfile::tempdir().unwrap();
    let mut words = vec!["check".to_owned()];
    for (path, page) in pages() {
        let whole = page.blocks("toml").into_iter();
        for (line, scenario) in whole.filter(|(_, block)| block.contains("[load]")) {
            let name = format!("{}-{line}.toml", path.replace('/', "-"));
            let file = folder.path().join(name);
            fs::write(&file, scenario).unwrap();
            words.push(file.to_str().unwrap().to_owned());
        }
    }
    assert!(words.len() > 6, "{words:?}");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = harness(&words);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
}

#[test]
fn the_glossary_has_every_word_that_a_report_explains() {
    let glossary = read("docs/book/src/glossary.md").to_lowercase();
    let report = read("reports/example/report.html");
    let (_, words) = report.split_once("What the words mean").unwrap();
    let words = words.split("<dt>").skip(1);
    let words: Vec<&str> = words
        .filter_map(|rest| rest.split("</dt>").next())
        .collect();
    assert!(words.len() >= 18, "{words:?}");
    let missing = words
        .into_iter()
        .filter(|word| !glossary.contains(&format!("**{}**", word.to_lowercase())));
    let missing: Vec<String> = missing.map(str::to_owned).collect();
    none(&missing, "words of a report that the glossary lacks");
}
