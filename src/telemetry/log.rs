//! The log: standard error, a line for each event.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;
use crate::domain::printable::{escaped, escaped_but};

/// Begins to log to standard error.
///
/// # Errors
/// When the filter cannot be read.
pub fn log(filter: &str, format: LogFormat) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter).map_err(|error| format!("log_level: {error}"))?;
    let is_terminal = io::stderr().is_terminal();
    let pretty = match format {
        LogFormat::Auto => is_terminal,
        LogFormat::Json => false,
        LogFormat::Pretty => true,
    };
    let colours = pretty && has_colours(is_terminal, std::env::var_os("NO_COLOR").as_deref());
    let builder = tracing_subscriber::fmt().with_env_filter(filter);
    let builder = builder.with_ansi(colours).with_writer(move || Lines { colours });
    // A subscriber that is there already is somebody else's, in a test: it stays.
    let _ = if pretty {
        builder.with_target(false).try_init()
    } else {
        builder.json().flatten_event(true).with_current_span(false).try_init()
    };
    Ok(())
}

/// A file is not coloured, nor a terminal whose user does not want it: <https://no-color.org>.
fn has_colours(is_terminal: bool, no_color: Option<&OsStr>) -> bool {
    is_terminal && no_color.is_none_or(OsStr::is_empty)
}

/// Standard error, a line for each event. What an event quotes must not write lines of its own, nor
/// command a terminal.
struct Lines {
    colours: bool,
}

impl Write for Lines {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let line = self.line_of(line).into_owned() + "\n";
        io::stderr().write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl Lines {
    fn line_of<'a>(&self, event: &'a str) -> Cow<'a, str> {
        // In what is coloured the subscriber has escaped the escapes that are not its own.
        if self.colours { escaped_but(event, '\u{1b}') } else { escaped(event) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_terminals_are_coloured_and_not_against_the_users_will() {
        for (is_terminal, no_color, coloured) in [
            (true, None, true),
            (true, Some(""), true),
            (true, Some("1"), false),
            (false, None, false),
            (false, Some(""), false),
        ] {
            let shown = has_colours(is_terminal, no_color.map(OsStr::new));
            assert_eq!(shown, coloured, "{is_terminal}, {no_color:?}");
        }
    }

    #[test]
    fn an_event_is_one_line_and_commands_nothing() {
        let event = "{\"reason\":\"a\u{9b}31m\u{202e}\"}";
        let line = Lines { colours: false }.line_of(event).into_owned();
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["reason"], "a\u{9b}31m\u{202e}", "it means the same");
        assert!(line.is_ascii(), "{line}");
        let pretty = "\u{1b}[32mINFO\u{1b}[0m a\nERROR b\u{9b}31m";
        let line = Lines { colours: true }.line_of(pretty).into_owned();
        assert_eq!(line, "\u{1b}[32mINFO\u{1b}[0m a\\u000aERROR b\\u009b31m");
    }
}
