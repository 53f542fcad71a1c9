//! Logs and metrics.
//!
//! Field names in use: `client_id`, `kid`, `route`, `status`, `error` (the code), `reason` and
//! `cause` (for us alone), `address`, `host`, `key`, `holder`, `file`, `duration_ms`; of what gateways ask,
//! `rule` (its path), `method`, `header`; of what was changed, `audit`
//! (the action), `id` (of its record), `actor`, `before`, `after`, `request_id`. Never a secret, a token or an assertion.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
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

/// What is counted and measured.
pub struct Metrics {
    registry: Registry,
    /// How long requests took, by route and status.
    pub requests: Family<RequestLabels, Histogram, fn() -> Histogram>,
    /// Access tokens issued.
    pub tokens_issued: Counter,
    /// Clients registered.
    pub clients_registered: Counter,
    /// Revocations that are held.
    pub revocations: Gauge,
    /// Credentials that end soon.
    pub credentials_expiring: Family<WithinDays, Gauge>,
    /// Credentials that nobody would miss.
    pub credentials_removable: Gauge,
    /// Messages that the webhook took.
    pub webhook_delivered: Counter,
    /// Attempts at the webhook that failed.
    pub webhook_failed: Counter,
    /// The age of the oldest event that the webhook has not received.
    pub webhook_oldest: Gauge,
    /// One if the files of the signing keys can be read, or there never were any.
    pub key_files_readable: Gauge,
    /// One if the policy of gateways in force is what its file says.
    pub policy_current: Gauge,
    /// Answers to gateways, by answer and reason.
    pub decisions: Family<DecisionLabels, Counter>,
    /// Those of them that most are: a yes, because the policy permits it.
    pub permitted: Counter,
    /// Seconds since anything was heard of other replicas.
    pub staleness: Gauge<f64, AtomicU64>,
    /// Connections that are open.
    pub connections_open: Gauge,
    /// Connections that were refused because there were too many, by limit.
    pub connections_refused: Family<LimitLabels, Counter>,
    /// Attempts that were refused because too many had failed, by limit.
    pub throttled: Family<LimitLabels, Counter>,
    /// Tokens that were refused because a quota was used up.
    pub quota_refusals: Counter,
    /// One if the store answered last.
    pub store_up: Gauge,
    /// Documents that could not be read whole, by kind.
    pub unreadable: Family<KindLabels, Counter>,
}

/// What unreadable documents are told apart by.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub struct KindLabels {
    /// `client` or `audit_record`.
    pub kind: &'static str,
}

/// What requests are told apart by.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub struct RequestLabels {
    /// The route as it is written in the documentation.
    pub route: &'static str,
    /// The status of the answer.
    pub status: Status,
}

/// What throttled attempts and refused connections are told apart by.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub struct LimitLabels {
    /// `client`, `address` or `overall`.
    pub limit: &'static str,
}

/// What answers to gateways are told apart by.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub struct DecisionLabels {
    /// `yes`, `unauthorized`, `forbidden` or `unavailable`.
    pub answer: &'static str,
    /// Why, in a word.
    pub reason: &'static str,
}

/// Of most answers.
const PERMITTED: DecisionLabels = DecisionLabels { answer: "yes", reason: "permitted" };

/// Within how many days credentials end.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub struct WithinDays {
    /// How many.
    pub within_days: u32,
}

/// An HTTP status as a label.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Status(pub u16);

impl EncodeLabelValue for Status {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        EncodeLabelValue::encode(&u64::from(self.0), encoder)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("latchkey");
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        registry.register("build", "What runs here", Info::new(version.to_vec()));
        let requests = Family::new_with_constructor(durations as fn() -> Histogram);
        registry.register("request_duration_seconds", "How long requests took", requests.clone());
        let tokens_issued = Counter::default();
        registry.register("tokens_issued", "Access tokens issued", tokens_issued.clone());
        let clients_registered = Counter::default();
        registry.register("clients_registered", "Clients registered", clients_registered.clone());
        let connections_open = Gauge::default();
        registry.register(
            "connections_open",
            "Connections that are open",
            connections_open.clone(),
        );
        let connections_refused = Family::default();
        let help = "Connections refused because there were too many";
        registry.register("connections_refused", help, connections_refused.clone());
        let throttled = Family::default();
        let help = "Authentication refused because too many attempts failed";
        registry.register("authentication_throttled", help, throttled.clone());
        let quota_refusals = Counter::default();
        registry.register("quota_refusals", "Tokens refused by a quota", quota_refusals.clone());
        let store_up = Gauge::default();
        registry.register(
            "store_up",
            "Whether the store answered last, and took what was written",
            store_up.clone(),
        );
        let unreadable = Family::default();
        let help = "Documents in the store that could not be read whole";
        registry.register("unreadable_documents", help, unreadable.clone());
        let revocations = Gauge::default();
        registry.register("revocations", "Revocations that are held", revocations.clone());
        let staleness = Gauge::<f64, AtomicU64>::default();
        let help = "Seconds since anything was heard of other replicas";
        registry.register("feed_staleness_seconds", help, staleness.clone());
        let key_files_readable = Gauge::default();
        let help = "Whether the files of the signing keys can be read";
        registry.register("signing_key_files_readable", help, key_files_readable.clone());
        let policy_current = Gauge::default();
        let help = "Whether the policy of gateways in force is what its file says";
        registry.register("policy_current", help, policy_current.clone());
        let decisions = Family::<DecisionLabels, Counter>::default();
        registry.register("gateway_decisions", "Answers to gateways", decisions.clone());
        let permitted = decisions.get_or_create_owned(&PERMITTED);
        let credentials_expiring = Family::default();
        let help = "Credentials that end within so many days, as the replica that looks found";
        registry.register("credentials_expiring", help, credentials_expiring.clone());
        let credentials_removable = Gauge::default();
        let help = "Credentials that are safe to remove, as the replica that looks found";
        registry.register("credentials_removable", help, credentials_removable.clone());
        let webhook_delivered = Counter::default();
        registry.register("webhook_delivered", "Messages that arrived", webhook_delivered.clone());
        let webhook_failed = Counter::default();
        registry.register("webhook_failed", "Attempts that failed", webhook_failed.clone());
        let webhook_oldest = Gauge::default();
        let help = "Seconds since the oldest audit event that the webhook has not received";
        registry.register("webhook_oldest_seconds", help, webhook_oldest.clone());
        Self {
            registry,
            requests,
            tokens_issued,
            clients_registered,
            revocations,
            credentials_expiring,
            credentials_removable,
            webhook_delivered,
            webhook_failed,
            webhook_oldest,
            key_files_readable,
            policy_current,
            decisions,
            permitted,
            staleness,
            connections_open,
            connections_refused,
            throttled,
            quota_refusals,
            store_up,
            unreadable,
        }
    }
}

fn durations() -> Histogram {
    Histogram::new([0.0001, 0.0005, 0.001, 0.005, 0.025, 0.1, 0.5, 2.5])
}

impl Metrics {
    /// Everything, in the OpenMetrics text format.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
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
