//! The log: standard error, a line for each event.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt;
use std::io::{self, IsTerminal, Write};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::LogFormat;
use crate::domain::printable::{escaped, escaped_but};

/// It calls whatever a peer sends an error; a filter of the operator's may name it again.
const QUIET: &str = "actix_http=off";

/// Begins to log to standard error.
///
/// # Errors
/// When the filter cannot be read.
pub fn log(filter: &str, format: LogFormat) -> Result<(), String> {
    let filter = format!("{QUIET},{filter}");
    let filter = filter.parse::<Targets>().map_err(|error| format!("log_level: {error}"))?;
    let is_terminal = io::stderr().is_terminal();
    let pretty = match format {
        LogFormat::Auto => is_terminal,
        LogFormat::Json => false,
        LogFormat::Pretty => true,
    };
    let colours = pretty && has_colours(is_terminal, std::env::var_os("NO_COLOR").as_deref());
    let layer = tracing_subscriber::fmt::layer();
    let layer = layer.with_ansi(colours).with_writer(move || Lines { colours });
    let layer = match pretty {
        true => layer.with_target(false).boxed(),
        false => layer.event_format(Json).boxed(),
    };
    // A subscriber that is there already is somebody else's, in a test: it stays.
    let _ = tracing_subscriber::registry().with(layer).with(filter).try_init();
    Ok(())
}

/// A file is not coloured, nor a terminal whose user does not want it: <https://no-color.org>.
fn has_colours(is_terminal: bool, no_color: Option<&OsStr>) -> bool {
    is_terminal && no_color.is_none_or(OsStr::is_empty)
}

/// An event as a JSON object.
struct Json;

/// Members that are JSON themselves, of audit events.
const NESTED: [&str; 2] = ["before", "after"];

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut timestamp = String::new();
        SystemTime.format_time(&mut Writer::new(&mut timestamp))?;
        let mut members = Members(Map::new());
        members.add("timestamp", timestamp.into());
        members.add("level", event.metadata().level().as_str().into());
        event.record(&mut members);
        // An event of a crate that uses `log` brings its target, and more, as fields.
        let logged = members.0.shift_remove("log.target");
        members.0.retain(|name, _| !name.starts_with("log."));
        let target = logged.unwrap_or_else(|| event.metadata().target().into());
        members.add("target", target);
        writeln!(writer, "{}", Value::Object(members.0))
    }
}

/// The fields of an event.
struct Members(Map<String, Value>);

impl Members {
    fn add(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }
}

impl Visit for Members {
    fn record_str(&mut self, field: &Field, text: &str) {
        let nested = NESTED.contains(&field.name()).then(|| serde_json::from_str(text).ok());
        self.add(field.name(), nested.flatten().unwrap_or_else(|| text.into()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field.name(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field.name(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field.name(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field.name(), format!("{value:?}").into());
    }
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
