//! Trees that fit into the terminal: what a node says is wrapped below itself.

use unicode_width::UnicodeWidthStr;

use crate::{
    table::wrap,
    terminal::{Terminal, Tone},
};

/// Fewest columns that the words of a node get beside its head.
const NARROWEST: usize = 24;

/// A node: a head that stays on its line, words that are wrapped, and what belongs to it.
#[derive(Clone, Debug, Default)]
pub struct Node {
    head: Vec<(Tone, String)>,
    words: Option<(Tone, String)>,
    children: Vec<Self>,
}

impl Node {
    /// A node with this head.
    pub fn new(tone: Tone, head: impl Into<String>) -> Self {
        Self { head: vec![(tone, head.into())], ..Self::default() }
    }

    /// The same with more in its head.
    #[must_use]
    pub fn and(mut self, tone: Tone, text: impl Into<String>) -> Self {
        self.head.push((tone, text.into()));
        self
    }

    /// The same with words.
    #[must_use]
    pub fn says(mut self, tone: Tone, words: impl Into<String>) -> Self {
        self.words = Some((tone, words.into())).filter(|(_, words)| !words.is_empty());
        self
    }

    /// The same with one more below it.
    #[must_use]
    pub fn with(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    /// Adds what belongs to it.
    pub fn extend(&mut self, children: impl IntoIterator<Item = Self>) {
        self.children.extend(children);
    }

    /// Whether nothing belongs to it.
    pub fn is_bare(&self) -> bool {
        self.children.is_empty()
    }

    /// The tree as text.
    pub fn text(&self, terminal: &Terminal) -> String {
        let mut text = String::new();
        self.write(terminal, "", "", &mut text);
        text
    }

    fn write(&self, terminal: &Terminal, first: &str, rest: &str, text: &mut String) {
        let heads: Vec<&(Tone, String)> =
            self.head.iter().filter(|(_, head)| !head.trim().is_empty()).collect();
        let width = first.width() + heads.iter().map(|(_, head)| head.width() + 2).sum::<usize>();
        // Nothing stands to the right of the last head that has no words.
        let ends = |number: usize| self.words.is_none() && number + 1 == heads.len();
        let painted = heads.iter().enumerate().map(|(number, (tone, head))| {
            terminal.paint(*tone, if ends(number) { head.trim_end() } else { head })
        });
        let painted: Vec<_> = painted.collect();
        let mut line = format!("{}{}", terminal.paint(Tone::Dim, first), painted.join("  "));
        if let Some((tone, words)) = &self.words {
            // Beside the head where there is room, else below it.
            let beside = terminal.width.saturating_sub(width) >= NARROWEST;
            let indent = if beside { width } else { rest.width() + 4 };
            let parts = wrap(words, terminal.width.saturating_sub(indent).max(NARROWEST));
            let (bar, gap) = match (heads.is_empty(), self.children.is_empty()) {
                (true, _) => ("", ""),
                (false, true) => ("  ", "  "),
                (false, false) => ("│ ", "  "),
            };
            let margin = " ".repeat(indent.saturating_sub(rest.width() + bar.width()));
            for (number, part) in parts.iter().enumerate() {
                if number == 0 && beside {
                    line.push_str(gap);
                } else {
                    text.push_str(line.trim_end());
                    text.push('\n');
                    line = format!("{}{margin}", terminal.paint(Tone::Dim, &format!("{rest}{bar}")));
                }
                line.push_str(&terminal.paint(*tone, part));
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
        let last = self.children.len().saturating_sub(1);
        for (number, child) in self.children.iter().enumerate() {
            let (branch, below) = if number == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            child.write(terminal, &format!("{rest}{branch}"), &format!("{rest}{below}"), text);
        }
    }
}

/// Texts of one width.
pub fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

/// Width of the widest text.
pub fn widest<'a>(texts: impl Iterator<Item = &'a str>) -> usize {
    texts.map(UnicodeWidthStr::width).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::Colour;

    #[test]
    fn words_are_wrapped_below_themselves_and_lines_go_on() {
        let mut terminal = Terminal::new(Colour::Never);
        terminal.width = 40;
        let words = "some words that do not fit into one line";
        let tree = Node::new(Tone::Strong, "root")
            .with(Node::new(Tone::Plain, "a").says(Tone::Plain, words).with(Node::new(Tone::Plain, "below")))
            .with(Node::new(Tone::Plain, "a-long-head-with-no-room").says(Tone::Plain, words));
        let expected = "\
root
├─ a  some words that do not fit into
│  │  one line
│  └─ below
└─ a-long-head-with-no-room
       some words that do not fit into
       one line
";
        assert_eq!(tree.text(&terminal), expected);
    }
}
