//! This module reads a table as spreadsheets write it, and as people do.
//!
//! **In:** text. **Out:** its rows, each with its line; every cell knows whether it was quoted.
//!
//! Cells are separated by commas, semicolons or tabs, whichever the first row shows, or a line
//! `sep=;` before it. A quoted cell is taken as it stands, with its blanks, separators and line
//! breaks, a doubled quote for one; of any other the blanks around it are left out. Lines end in
//! LF, CR LF or CR. Rows in which nothing stands are passed over. Our own reader, because those
//! there are do not tell a quoted blank from one beside a comma.
//!
//! **Source:** RFC 4180.

const SEPARATORS: [char; 3] = [',', ';', '\t'];

/// A row and where it begins.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// From 1.
    pub line: u64,
    pub cells: Vec<String>,
}

impl Row {
    /// A cell that is there and holds something.
    pub(crate) fn cell(&self, place: usize) -> Option<&str> {
        let cell = self.cells.get(place).map(String::as_str);
        cell.filter(|cell| !cell.is_empty())
    }
}

/// Why a text is no table.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TableError {
    #[error("a quote that is not closed")]
    Open { line: u64 },
    #[error("something stands behind a closed quote")]
    Upstream { line: u64 },
}

impl TableError {
    pub(crate) const fn line(&self) -> u64 {
        match self {
            Self::Open { line } | Self::Upstream { line } => *line,
        }
    }
}

/// The first row in which something stands: the heads.
pub(crate) fn heads(text: &str) -> Option<Row> {
    let mut reader = Reader::of(text);
    loop {
        let row = reader.row().ok()??;
        if row.cells.iter().any(|cell| !cell.is_empty()) {
            return Some(row);
        }
    }
}

/// Every row in which something stands; the first are the heads.
pub(crate) fn rows(text: &str) -> Result<Vec<Row>, TableError> {
    let mut reader = Reader::of(text);
    let mut rows = Vec::new();
    while let Some(row) = reader.row()? {
        if row.cells.iter().any(|cell| !cell.is_empty()) {
            rows.push(row);
        }
    }
    Ok(rows)
}

/// The separator that a line of its own names.
fn declared(text: &str) -> Option<(char, &str)> {
    let (line, rest) = text.split_once('\n')?;
    let mut named = line.trim_end_matches('\r').strip_prefix("sep=")?.chars();
    let separator = named.next()?;
    named.as_str().is_empty().then_some((separator, rest))
}

/// The separator that stands most often in the first line, quotes left out.
fn shown(text: &str) -> char {
    let line = text.lines().next().unwrap_or_default();
    let outside: String = line.split('"').step_by(2).collect();
    let mut best = (0, SEPARATORS[0]);
    for separator in SEPARATORS {
        let count = outside.matches(separator).count();
        if count > best.0 {
            best = (count, separator);
        }
    }
    best.1
}

struct Reader<'t> {
    text: std::iter::Peekable<std::str::Chars<'t>>,
    separator: char,
    line: u64,
}

impl<'t> Reader<'t> {
    fn of(text: &'t str) -> Self {
        let (separator, text, line) = match declared(text) {
            Some((separator, rest)) => (separator, rest, 2),
            None => (shown(text), text, 1),
        };
        Self {
            text: text.chars().peekable(),
            separator,
            line,
        }
    }

    fn row(&mut self) -> Result<Option<Row>, TableError> {
        if self.text.peek().is_none() {
            return Ok(None);
        }
        let line = self.line;
        let mut cells = Vec::new();
        loop {
            cells.push(self.cell()?);
            match self.text.next() {
                Some(mark) if mark == self.separator => {}
                end => {
                    if end == Some('\r') {
                        self.text.next_if_eq(&'\n');
                    }
                    self.line += 1;
                    return Ok(Some(Row { line, cells }));
                }
            }
        }
    }

    /// Up to the separator or the end of the line, which stay.
    fn cell(&mut self) -> Result<String, TableError> {
        self.skip_blanks();
        if self.text.next_if_eq(&'"').is_some() {
            let cell = self.quoted()?;
            self.skip_blanks();
            let next = self.text.peek().copied();
            return if next.is_none_or(|next| self.is_end(next)) {
                Ok(cell)
            } else {
                Err(TableError::Upstream { line: self.line })
            };
        }
        let mut cell = String::new();
        while let Some(&next) = self.text.peek()
            && !self.is_end(next)
        {
            cell.push(next);
            self.text.next();
        }
        cell.truncate(cell.trim_end().len());
        Ok(cell)
    }

    fn quoted(&mut self) -> Result<String, TableError> {
        let begun = self.line;
        let mut cell = String::new();
        loop {
            match self.text.next() {
                None => return Err(TableError::Open { line: begun }),
                Some('"') if self.text.next_if_eq(&'"').is_none() => return Ok(cell),
                Some(letter) => {
                    self.line += u64::from(letter == '\n');
                    cell.push(letter);
                }
            }
        }
    }

    fn skip_blanks(&mut self) {
        let separator = self.separator;
        let blank = |next: &char| {
            next.is_whitespace() && !matches!(next, '\r' | '\n') && *next != separator
        };
        while self.text.next_if(blank).is_some() {}
    }

    fn is_end(&self, next: char) -> bool {
        matches!(next, '\r' | '\n') || next == self.separator
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(u64, &[&str])]) {
        let rows = rows(text).unwrap();
        let rows: Vec<(u64, Vec<&str>)> = rows
            .iter()
            .map(|row| (row.line, row.cells.iter().map(String::as_str).collect()))
            .collect();
        let expected: Vec<(u64, Vec<&str>)> = expected
            .iter()
            .map(|(line, cells)| (*line, cells.to_vec()))
            .collect();
        assert_eq!(rows, expected, "{text:?}");
    }

    #[test]
    fn rows_are_read_whichever_separator_and_line_end_they_have() {
        for text in [
            "a,b\nc,d\n",
            "a;b\r\nc;d",
            "a\tb\rc\td\r",
            "sep=;\r\na;b\nc;d",
        ] {
            let first = u64::from(text.starts_with("sep")) + 1;
            check(text, &[(first, &["a", "b"]), (first + 1, &["c", "d"])]);
        }
        check("sep=|\na|b,c\n", &[(2, &["a", "b,c"])]);
        check("a;b\n1,5;x\n", &[(1, &["a", "b"]), (2, &["1,5", "x"])]);
    }

    #[test]
    fn what_is_quoted_is_taken_as_it_stands_and_blanks_around_the_rest_are_not() {
        check(
            "\"b, c\" , y\n\" p \",\"q\"\"r\"\n",
            &[(1, &["b, c", "y"]), (2, &[" p ", "q\"r"])],
        );
        check(
            "a,b\n\"x\ny\",z\nlast,1\n",
            &[(1, &["a", "b"]), (2, &["x\ny", "z"]), (4, &["last", "1"])],
        );
        check("p\"3,\u{a0}x\n", &[(1, &["p\"3", "x"])]);
    }

    #[test]
    fn rows_without_a_word_are_passed_over_and_short_ones_are_not() {
        check("a,b\n\n,,\n \t\nc\n", &[(1, &["a", "b"]), (5, &["c"])]);
        check("", &[]);
    }

    #[test]
    fn a_quote_that_goes_wrong_is_named_by_its_line() {
        assert_eq!(rows("a\n\"b\nc"), Err(TableError::Open { line: 2 }));
        assert_eq!(rows("a\n\"b\"c\n"), Err(TableError::Upstream { line: 2 }));
    }
}
