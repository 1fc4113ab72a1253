//! The terminal: whether there is one, which colours it takes, how wide it is; and what is said beside the data.

use std::io::{IsTerminal as _, Write as _};

use tracing_subscriber::EnvFilter;
use vmtwin_scenarios::diagnostics::Diagnostic;
use vmtwin_scenarios::timeline::{Colour, Ink, Style};

use crate::arguments::{ColorWhen, Global};

/// What is known of the terminal.
#[derive(Clone, Debug)]
pub struct Console {
    /// How text on standard output looks.
    pub style: Style,
    /// The colours of standard error.
    pub errors: Colour,
    /// Whether somebody watches standard error.
    pub watched: bool,
    /// Whether files may refer to files outside of their folder.
    pub allow_outside: bool,
}

impl Console {
    /// The terminal as the options and the environment have it.
    pub fn new(options: &Global) -> Self {
        let bare = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let colour = |terminal: bool| match options.color {
            ColorWhen::Always => Colour::Ansi,
            ColorWhen::Auto if terminal && !bare => Colour::Ansi,
            ColorWhen::Auto | ColorWhen::Never => Colour::Plain,
        };
        let watched = std::io::stderr().is_terminal();
        let width = comfy_table::Table::new().width().map(usize::from).filter(|&width| width >= 40);
        let style = Style { colour: colour(std::io::stdout().is_terminal()), width };
        Self { style, errors: colour(watched), watched, allow_outside: options.allow_outside }
    }

    /// Logs to standard error, the more the more often `-v` was given.
    pub fn log_to_stderr(&self, verbose: u8) {
        let level = match verbose {
            0 => "off",
            1 => "vmtwin=info",
            2 => "vmtwin=debug",
            _ => "vmtwin=trace",
        };
        let log = tracing_subscriber::fmt().with_env_filter(EnvFilter::new(level)).with_writer(std::io::stderr);
        // Records carry virtual time; the wall clock says nothing about them.
        log.without_time().with_ansi(self.errors == Colour::Ansi).init();
    }

    /// Says why the command could not do what it was asked to.
    pub fn complain(&self, error: &anyhow::Error) {
        self.say(&format!("{} {error:#}", self.errors.paint(Ink::Bad, "error:")));
    }

    /// Shows what is wrong with a file.
    pub fn show(&self, diagnostics: &[Diagnostic]) {
        for diagnostic in diagnostics {
            self.say(&format!("{}\n", diagnostic.render(self.errors == Colour::Ansi)));
        }
    }

    /// Says something beside the data.
    pub fn say(&self, text: &str) {
        // Who can't hear it can't be told so.
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }
}
