//! A page in Markdown: its links, headings and blocks of code, with what it includes.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::read;

/// A page as its readers have it.
pub(super) struct Page {
    /// From the root of the repository.
    pub path: String,
    lines: Vec<Line>,
}

/// A line, and what it is.
struct Line {
    /// In the file, from 1; of an included line that of the line which includes it.
    number: usize,
    text: String,
    /// In a block of code: its language, and where it began.
    code: Option<(String, usize)>,
}

impl Page {
    pub(super) fn read(path: String) -> Self {
        let text = read(&path);
        Self::of(&path, text)
    }

    pub(super) fn of(path: &str, text: String) -> Self {
        let mut numbered = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let text = included(path, line).unwrap_or_else(|| line.to_owned());
            numbered.extend(text.split('\n').map(|line| (index + 1, line.to_owned())));
        }
        let mut code = None;
        let mut lines = Vec::new();
        for (number, text) in numbered {
            let fence = text.trim_start().strip_prefix("```");
            match (fence, code.is_some()) {
                (Some(language), false) => code = Some((language.trim().to_owned(), number)),
                (Some(_), true) => code = None,
                (None, _) => lines.push(Line {
                    number,
                    text,
                    code: code.clone(),
                }),
            }
        }
        Self {
            path: path.to_owned(),
            lines,
        }
    }

    fn prose(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| line.code.is_none())
    }

    /// Where links lead, each with its line.
    pub(super) fn links(&self) -> Vec<(usize, String)> {
        let mut links = Vec::new();
        for line in self.prose() {
            let text = without_code(&line.text);
            let ends = text.split("](").skip(1);
            let each = ends.filter_map(|rest| rest.split(')').next());
            links.extend(each.map(|link| (line.number, link.to_owned())));
        }
        links
    }

    /// The names of its headings in links.
    pub(super) fn anchors(&self) -> BTreeSet<String> {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let mut anchors = BTreeSet::new();
        for line in self.prose() {
            let heading = line.text.trim_start_matches('#');
            if heading.len() == line.text.len() || !heading.starts_with(' ') {
                continue;
            }
            let name = slug(heading.trim());
            let before = seen.entry(name.clone()).or_default();
            anchors.insert(match *before {
                0 => name,
                again => format!("{name}-{again}"),
            });
            *before += 1;
        }
        anchors
    }

    /// Its blocks of code in a language, each with the line at which it begins.
    pub(super) fn blocks(&self, language: &str) -> Vec<(usize, String)> {
        let mut blocks: BTreeMap<usize, String> = BTreeMap::new();
        for line in &self.lines {
            if let Some((of, begin)) = &line.code
                && of == language
            {
                let block = blocks.entry(*begin).or_default();
                block.push_str(&line.text);
                block.push('\n');
            }
        }
        blocks.into_iter().collect()
    }
}

/// A path beside a page's own, without `..`; `None` where it leaves the repository. Links to folders are not resolved: a
/// chapter stands where its book has it.
pub(super) fn beside(page: &str, path: &str) -> Option<String> {
    if path.is_empty() {
        return Some(page.to_owned());
    }
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in path.trim_end_matches('/').split('/') {
        match part {
            ".." => {
                parts.pop()?;
            }
            "." => {}
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// What a line of the book stands for: a file, or the part of it between two marks.
fn included(page: &str, line: &str) -> Option<String> {
    let what = line.strip_prefix("{{#include ")?.strip_suffix("}}")?;
    let (file, mark) = what.split_once(':').unwrap_or((what, ""));
    let text = read(&beside(page, file).unwrap_or_else(|| panic!("{page}: {line}")));
    if mark.is_empty() {
        return Some(text);
    }
    let (begin, end) = (
        format!("ANCHOR: {mark} -->\n"),
        format!("ANCHOR_END: {mark} -->"),
    );
    let part = text
        .split_once(&begin)
        .and_then(|(_, rest)| rest.split_once(&end));
    let (part, _) = part.unwrap_or_else(|| panic!("{page}: {line}: no such mark"));
    Some(part.to_owned())
}

/// A line without what stands between backticks.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

/// What a heading is called in a link.
fn slug(heading: &str) -> String {
    let letters = heading.to_lowercase();
    let letters = letters.chars().filter_map(|letter| match letter {
        ' ' => Some('-'),
        '-' | '_' => Some(letter),
        other => other.is_alphanumeric().then_some(other),
    });
    letters.collect()
}

#[test]
fn links_and_headings_in_code_are_none() {
    let text = "# A `b`: *c*?\n[x](y.md#z) `[n](o)` ![p](q.png)\n```sh\n# no\n[n](o)\n```\n## Same\n## Same\n";
    let page = Page::of("a/b.md", text.to_owned());
    let links = [(2, "y.md#z".to_owned()), (2, "q.png".to_owned())];
    assert_eq!(page.links(), links);
    let anchors: Vec<String> = page.anchors().into_iter().collect();
    assert_eq!(anchors, ["a-b-c", "same", "same-1"]);
    assert_eq!(page.blocks("sh"), [(3, "# no\n[n](o)\n".to_owned())]);
    assert_eq!(beside("a/b.md", "../c/d.md").as_deref(), Some("c/d.md"));
    assert_eq!(beside("b.md", "../c.md"), None);
}
