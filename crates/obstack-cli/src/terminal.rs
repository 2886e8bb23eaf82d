//! What is printed where: results on stdout, everything else on stderr, colours only for people.

use std::{
    env,
    io::{self, IsTerminal, Write},
};

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;

use crate::error::Error;

/// Columns where nobody knows how many there are.
const PLAIN_WIDTH: usize = 120;
/// Fewest columns that are reckoned with.
const NARROWEST: usize = 40;

/// Whether to print colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What a piece of text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it should be; added.
    Good,
    /// Broken; removed.
    Bad,
    /// To be looked at; changed.
    Warn,
    /// Beside the point.
    Dim,
    /// A heading.
    Strong,
    /// Nothing special.
    Plain,
}

/// Where a command prints to.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// Columns of stdout.
    pub width: usize,
    /// Stdout is a terminal, and may be drawn anew.
    pub redraws: bool,
    colours: bool,
    error_colours: bool,
}

impl Terminal {
    /// The terminal of this process.
    pub fn new(colour: Colour) -> Self {
        let wanted = |is_terminal: bool| match colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => {
                let set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
                let dumb = env::var("TERM").is_ok_and(|term| term == "dumb");
                is_terminal && !set("NO_COLOR") && !dumb
            }
        };
        let is_terminal = io::stdout().is_terminal();
        let columns = env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        let size = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        Self {
            width: columns.or_else(|| size().filter(|_| is_terminal)).unwrap_or(PLAIN_WIDTH).max(NARROWEST),
            redraws: is_terminal,
            colours: wanted(is_terminal),
            error_colours: wanted(io::stderr().is_terminal()),
        }
    }

    /// Text in the colour of its meaning, for stdout.
    pub fn paint(&self, tone: Tone, text: &str) -> String {
        paint(self.colours, tone, text)
    }

    /// Prints a result. A reader that has gone away is no error.
    #[expect(clippy::unused_self, reason = "whoever prints has a terminal")]
    pub fn print(&self, text: &str) -> Result<(), Error> {
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Error::new("cannot print the result").because(error))
            }
            _ => Ok(()),
        }
    }

    /// Says something beside the result.
    pub fn note(&self, text: &str) {
        self.say(Tone::Dim, "note", text);
    }

    /// Says something that somebody should look at.
    pub fn warn(&self, text: &str) {
        self.say(Tone::Warn, "warning", text);
    }

    /// Says what failed.
    pub fn report(&self, error: &Error) {
        self.say(Tone::Bad, "error", &error.to_string());
    }

    fn say(&self, tone: Tone, word: &str, text: &str) {
        // Nobody is left to tell when stderr is closed.
        let _ = writeln!(io::stderr(), "{}: {text}", paint(self.error_colours, tone, word));
    }
}

fn paint(colours: bool, tone: Tone, text: &str) -> String {
    let style = match tone {
        Tone::Good => Style::new().fg_color(Some(AnsiColor::Green.into())),
        Tone::Bad => Style::new().fg_color(Some(AnsiColor::Red.into())),
        Tone::Warn => Style::new().fg_color(Some(AnsiColor::Yellow.into())),
        Tone::Dim => Style::new().dimmed(),
        Tone::Strong => Style::new().bold(),
        Tone::Plain => return text.to_owned(),
    };
    if colours && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
}
