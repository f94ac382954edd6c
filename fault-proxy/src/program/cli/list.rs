//! `list`: all proxies, one a line: name, listen, upstream, state, number of toxics.

use super::paper::{Color, Paper};
use fault_proxy::ProxyView;
use std::collections::BTreeMap;

const HEADINGS: [&str; 5] = ["Name", "Listen", "Upstream", "Enabled", "Toxics"];
/// Between two columns.
const GAP: usize = 3;

pub(super) fn write(proxies: &BTreeMap<String, ProxyView>, paper: &mut Paper) {
    let rows: Vec<Row> = proxies.values().map(Row::new).collect();
    if !paper.is_terminal {
        for row in rows {
            paper.put(&row.cells[0]);
            for cell in &row.cells[1..] {
                paper.tab();
                paper.put(cell);
            }
            paper.end();
        }
        return;
    }
    let heads = Row {
        cells: HEADINGS.map(ToOwned::to_owned),
        colors: [Color::Purple; 5],
    };
    let all: Vec<&Row> = std::iter::once(&heads).chain(&rows).collect();
    let width = |column: usize| {
        let cells = all.iter().map(|row| row.cells[column].chars().count());
        cells.max().unwrap_or(0) + GAP
    };
    let widths: [usize; 5] = std::array::from_fn(width);
    for row in &all {
        row.write(&widths, paper);
    }
    if rows.is_empty() {
        paper.line(&["no proxies"]);
    }
}

/// The word for it that scripts look for.
pub(super) fn state(enabled: bool) -> &'static str {
    if enabled { "enabled" } else { "disabled" }
}

struct Row {
    cells: [String; 5],
    colors: [Color; 5],
}

impl Row {
    fn new(proxy: &ProxyView) -> Self {
        Self {
            cells: [
                proxy.name.clone(),
                proxy.listen.clone(),
                proxy.upstream.clone(),
                state(proxy.enabled).to_owned(),
                proxy.toxics.len().to_string(),
            ],
            colors: [
                Color::of(proxy.enabled),
                Color::Blue,
                Color::Yellow,
                Color::Purple,
                Color::Red,
            ],
        }
    }

    fn write(&self, widths: &[usize; 5], paper: &mut Paper) {
        let last = self.cells.len() - 1;
        for (index, (cell, color)) in self.cells.iter().zip(self.colors).enumerate() {
            paper.colored(color, cell);
            if index < last {
                paper.spaces(widths[index] - cell.chars().count());
            }
        }
        paper.end();
    }
}

#[cfg(test)]
mod tests {
    use super::{Paper, write};
    use fault_proxy::ProxyView;
    use std::collections::BTreeMap;

    fn proxies() -> BTreeMap<String, ProxyView> {
        let proxy = |name: &str, enabled| ProxyView {
            name: name.to_owned(),
            listen: "127.0.0.1:1".to_owned(),
            upstream: "redis:6379".to_owned(),
            enabled,
            toxics: Vec::new(),
        };
        let proxies = [proxy("redis-of-tasks", true), proxy("a", false)];
        proxies
            .map(|proxy| (proxy.name.clone(), proxy))
            .into_iter()
            .collect()
    }

    #[test]
    fn scripts_get_fields_and_a_terminal_gets_columns() {
        let mut paper = Paper::new(false);
        write(&proxies(), &mut paper);
        assert_eq!(
            paper.text(),
            "a\t127.0.0.1:1\tredis:6379\tdisabled\t0\n\
             redis-of-tasks\t127.0.0.1:1\tredis:6379\tenabled\t0\n"
        );
        let mut paper = Paper::new(false);
        paper.is_terminal = true;
        write(&proxies(), &mut paper);
        assert_eq!(
            paper.text(),
            "Name             Listen        Upstream     Enabled    Toxics\n\
             a                127.0.0.1:1   redis:6379   disabled   0\n\
             redis-of-tasks   127.0.0.1:1   redis:6379   enabled    0\n"
        );
    }
}
