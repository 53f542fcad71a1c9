//! The metrics: counters, gauges and histograms, in the OpenMetrics format.

use std::fmt;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

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
    /// Failed authentications of clients, by reason.
    pub authentication_failures: Family<FailureLabels, Counter>,
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

/// What failed authentications are told apart by.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub struct FailureLabels {
    /// Why, in a word.
    pub reason: &'static str,
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
        let authentication_failures = Family::default();
        let help = "Clients that were not who they said, by reason";
        registry.register("authentication_failures", help, authentication_failures.clone());
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
            authentication_failures,
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
