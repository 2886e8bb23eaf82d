//! Tables that fit into the terminal: a last column that does not is wrapped below itself.

use unicode_width::UnicodeWidthStr;

use crate::terminal::{Terminal, Tone};

/// Between two columns.
const GAP: usize = 2;
/// Fewest columns that the last one gets.
const NARROWEST: usize = 24;

/// One cell, and what it means.
#[derive(Clone, Debug)]
pub struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A cell in the colour of its meaning.
    pub fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self { text: text.into(), tone }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(Tone::Plain, text)
    }
}

/// Rows below a head.
#[derive(Clone, Debug)]
pub struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table without rows. A head of empty words is not shown.
    pub fn new(head: &[&'static str]) -> Self {
        Self { head: head.to_vec(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The table as text, indented.
    pub fn text(&self, terminal: &Terminal, indent: usize) -> String {
        let last = self.head.len().saturating_sub(1);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.text.width());
            cells.chain(self.head.get(column).map(|head| head.width())).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        let before: usize = widths.iter().take(last).map(|width| width + GAP).sum::<usize>() + indent;
        let room = terminal.width.saturating_sub(before).max(NARROWEST);
        let head: Vec<Cell> = self.head.iter().map(|head| Cell::new(Tone::Strong, *head)).collect();
        let shown = self.head.iter().any(|head| !head.is_empty());
        let mut text = String::new();
        for row in shown.then_some(&head).into_iter().chain(&self.rows) {
            let mut line = " ".repeat(indent);
            for (column, cell) in row.iter().enumerate() {
                if column < last {
                    let padding = widths.get(column).copied().unwrap_or(0).saturating_sub(cell.text.width());
                    line.push_str(&terminal.paint(cell.tone, &cell.text));
                    line.push_str(&" ".repeat(padding + GAP));
                    continue;
                }
                for (number, part) in wrap(&cell.text, room).iter().enumerate() {
                    if number > 0 {
                        text.push_str(line.trim_end());
                        text.push('\n');
                        line = " ".repeat(before);
                    }
                    line.push_str(&terminal.paint(cell.tone, part));
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// Words behind a mark, in lines that hang from it.
pub fn marked(terminal: &Terminal, tone: Tone, mark: &str, words: &str) -> Vec<String> {
    let lines = wrap(words, terminal.width.saturating_sub(mark.len() + 3)).into_iter().enumerate();
    let behind = |(number, words): (usize, String)| {
        let mark = if number == 0 { terminal.paint(tone, mark) } else { " ".repeat(mark.len()) };
        format!("{mark} {words}")
    };
    lines.map(behind).collect()
}

/// Text in lines of at most so many columns, broken at spaces. A longer word stays whole.
pub fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            if !line.is_empty() && line.width() + 1 + word.width() > room {
                lines.push(std::mem::take(&mut line));
            } else if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::Colour;

    #[test]
    fn the_last_column_is_wrapped_below_itself() {
        let mut terminal = Terminal::new(Colour::Never);
        terminal.width = 40;
        let mut table = Table::new(&["NAME", "MESSAGE"]);
        table.row(["a-name".into(), "some words that do not fit into one line".into()]);
        assert_eq!(
            table.text(&terminal, 0),
            "NAME    MESSAGE\na-name  some words that do not fit into\n        one line\n"
        );
    }
}
