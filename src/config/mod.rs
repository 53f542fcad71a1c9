//! Every setting, its name, its default.
//!
//! A setting `token_lifetime` is `token_lifetime` in the TOML file, `LATCHKEY_TOKEN_LIFETIME` in the
//! environment and `--token-lifetime` as a flag; each overrides the one before.

mod advice;
mod error;
mod gateways;
mod layers;
mod resolved;
mod store_url;
mod values;
mod webhook;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};
use ipnet::IpNet;
use secrecy::SecretString;
use serde::Serialize;

use crate::audit::message::Topic;
use crate::domain::audience::Audience;
use crate::domain::jwk::Algorithm;
use crate::domain::jwks_uri::AdmittedHost;
use crate::domain::lists::ListLimits;
use crate::domain::resource::ProtectedResource;
use crate::policy::answer_headers::{FieldName, Renamed};

use values::{date, not_empty, prefix, redacted, secret};

pub use error::ConfigError;
pub use gateways::{AuthSource, ForwardAuthSource, Gateways, TrustedHeaders};
pub use layers::{Loaded, load, with_environment_in_help};
pub use resolved::Resolved;
pub use store_url::StoreUrl;
pub use webhook::Webhook;

/// What a webhook is told of unless it is said: what ended before its time, or soon will.
const TOLD_OF: &str = "tokens.revoked,client.deleted,client.left,client.state_changed,\
    client.regenerated,secret.deleted,key.deleted,signing_key.*,credential.expiring";

/// What an operator may set.
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
#[derive(Args, Clone, Debug, Serialize)]
#[group(skip)]
pub struct Settings {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8080", help_heading = "Listening")]
    pub listen: SocketAddr,

    /// A second address for /clients, /keys, /audit, /revocations, /-/metrics and /documentation; these are then only there
    #[arg(long, help_heading = "Listening")]
    pub admin_listen: Option<SocketAddr>,

    /// PEM file with the certificate chain; with it and --tls-key the server speaks HTTPS only
    #[arg(long, requires = "tls_key", help_heading = "Listening")]
    pub tls_certificate: Option<PathBuf>,

    /// PEM file with the private key of the certificate; both are read again when they change
    #[arg(long, requires = "tls_certificate", help_heading = "Listening")]
    pub tls_key: Option<PathBuf>,

    /// Networks of proxies whose `X-Forwarded-For` is trusted, such as `10.0.0.0/8,::1/128`
    #[arg(long, value_delimiter = ',', help_heading = "Listening")]
    pub trusted_proxies: Vec<IpNet>,

    /// Path prefix of every route but the status routes, such as /oidc
    #[arg(long, default_value = "", value_parser = prefix, help_heading = "Listening")]
    pub service_prefix: String,

    /// Threads that serve requests [default: one per core]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Listening")]
    pub workers: Option<u16>,

    /// Largest request body, in bytes
    #[arg(long, default_value_t = 65536, help_heading = "Listening")]
    pub body_limit: usize,

    /// Largest request header, in bytes, all fields together
    #[arg(long, default_value_t = 32768, help_heading = "Listening")]
    pub header_limit: usize,

    /// Connections that may be open at once, on all listeners together [default: what the limit on file descriptors leaves room for]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Listening")]
    pub max_connections: Option<u32>,

    /// Connections that one address may have open, if it is not of `trusted_proxies`; 0: any number [default: a quarter of all]
    #[arg(long, help_heading = "Listening")]
    pub max_connections_per_address: Option<u32>,

    /// Seconds to go on accepting after the signal to stop, so that load balancers notice
    #[arg(long, default_value_t = 0, help_heading = "Listening")]
    pub shutdown_delay: u64,

    /// Seconds to let running requests finish
    #[arg(long, default_value_t = 30, help_heading = "Listening")]
    pub shutdown_timeout: u64,

    /// Origins that may call every route but the gateways' from a browser; /.well-known is open to all
    #[arg(long, value_delimiter = ',', help_heading = "Listening")]
    pub cors_origins: Vec<String>,

    /// Where state is kept: `file:FOLDER`, or `mongodb://…/DATABASE`
    #[arg(long, default_value = "file:./data", help_heading = "Storage")]
    pub store: StoreUrl,

    /// Clients kept in memory
    #[arg(long, default_value_t = 10_000, help_heading = "Storage")]
    pub client_cache: usize,

    /// Verified tokens kept in memory, in MiB
    #[arg(long, default_value_t = 64, help_heading = "Storage")]
    pub token_cache: u64,

    /// Seconds without news from other replicas after which every token is answered 503; 0: no limit
    #[arg(long, default_value_t = 0, help_heading = "Storage")]
    pub max_staleness: u64,

    /// Days that records of who changed what are kept; 0: for ever
    #[arg(long, default_value_t = 365, help_heading = "Storage")]
    pub audit_retention_days: u64,

    /// The issuer identifier [default: http(s)://localhost:PORT on a loopback address]
    #[arg(long, value_parser = not_empty, help_heading = "Tokens")]
    pub issuer: Option<String>,

    /// Where callers reach this server, if the issuer is not that URL
    #[arg(long, help_heading = "Tokens")]
    pub public_url: Option<url::Url>,

    /// Folder with the private signing keys; a key is made there if there is none
    #[arg(long, default_value = "./keys", help_heading = "Tokens")]
    pub keys: PathBuf,

    /// How tokens are signed: RS256, PS256, ES256 or EdDSA
    #[arg(long, default_value = "RS256", value_parser = Algorithm::for_tokens, help_heading = "Tokens")]
    pub algorithm: Algorithm,

    /// A PEM file with the key that shall sign, if it is not in the folder
    #[arg(long, help_heading = "Tokens")]
    pub signing_key_file: Option<PathBuf>,

    /// The kid under which that key has been signing
    #[arg(long, value_parser = not_empty, requires = "signing_key_file", help_heading = "Tokens")]
    pub signing_key_id: Option<String>,

    /// The password of encrypted signing keys
    #[arg(long, value_parser = secret, hide_default_value = true, help_heading = "Tokens")]
    #[serde(serialize_with = "redacted")]
    pub signing_key_password: Option<SecretString>,

    /// A file with that password
    #[arg(long, help_heading = "Tokens")]
    pub signing_key_password_file: Option<PathBuf>,

    /// Days after which the signing key is rotated; 0: never
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=36500), help_heading = "Tokens")]
    pub key_rotation_days: u64,

    /// Seconds that a token lives
    #[arg(long, default_value_t = 36000, value_parser = clap::value_parser!(u64).range(1..), help_heading = "Tokens")]
    pub token_lifetime: u64,

    /// Longest lifetime of any token, in seconds, whatever its client is granted
    #[arg(long, default_value_t = 86400, value_parser = clap::value_parser!(u64).range(1..), help_heading = "Tokens")]
    pub max_token_lifetime: u64,

    /// Audiences accepted at /tokeninfo: a token with audiences must have one of these
    #[arg(long, value_delimiter = ',', help_heading = "Tokens")]
    pub accepted_audiences: Vec<Audience>,

    /// The audience of a token whose client has none and asked for none
    #[arg(long, value_delimiter = ',', help_heading = "Tokens")]
    pub default_audience: Vec<Audience>,

    /// Refuse token requests that ask for no audience
    #[arg(long, default_value_t = false, action = ArgAction::Set, num_args = 0..=1,
          default_missing_value = "true", value_name = "BOOL", help_heading = "Tokens")]
    pub require_audience: bool,

    /// Limit introspection to tokens that share an audience with the caller
    #[arg(long, default_value_t = false, action = ArgAction::Set, num_args = 0..=1,
          default_missing_value = "true", value_name = "BOOL", help_heading = "Tokens")]
    pub introspection_own_audiences: bool,

    /// Tolerated clock difference, in seconds
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(..=600), help_heading = "Tokens")]
    pub clock_skew: u64,

    /// A JSON file whose members are added to /.well-known/openid-configuration
    #[arg(long, help_heading = "Tokens")]
    pub openid_configuration_file: Option<PathBuf>,

    /// Seconds that a client's assertion may live
    #[arg(long, default_value_t = 3600, value_parser = clap::value_parser!(u64).range(1..), help_heading = "Clients")]
    pub assertion_lifetime: u64,

    /// Date until which every client may send the token endpoint's URL as `aud` (RFC 3339)
    #[arg(long, value_parser = date, help_heading = "Clients")]
    pub legacy_audience_until: Option<String>,

    /// Who may register [default: open on a loopback address, closed elsewhere]
    #[arg(long, value_enum, help_heading = "Clients")]
    pub registration: Option<RegistrationSetting>,

    /// The initial access token, with --registration token
    #[arg(long, value_parser = secret, help_heading = "Clients")]
    #[serde(serialize_with = "redacted")]
    pub initial_access_token: Option<SecretString>,

    /// A file with the initial access token
    #[arg(long, help_heading = "Clients")]
    pub initial_access_token_file: Option<PathBuf>,

    /// Live secrets that a client may have
    #[arg(long, default_value_t = 5, help_heading = "Clients")]
    pub max_secrets: usize,

    /// Live keys that a client may have
    #[arg(long, default_value_t = 10, help_heading = "Clients")]
    pub max_keys: usize,

    /// Audiences that a client may have, and ask for at once
    #[arg(long, default_value_t = ListLimits::DEFAULT.audiences, help_heading = "Clients")]
    pub max_audiences: usize,

    /// Scopes that a client may have, and ask for at once
    #[arg(long, default_value_t = ListLimits::DEFAULT.scopes, help_heading = "Clients")]
    pub max_scopes: usize,

    /// Permissions that a client may have
    #[arg(long, default_value_t = ListLimits::DEFAULT.permissions, help_heading = "Clients")]
    pub max_permissions: usize,

    /// Groups that a client may be in
    #[arg(long, default_value_t = ListLimits::DEFAULT.groups, help_heading = "Clients")]
    pub max_groups: usize,

    /// Registrations a minute from one address, and changes a minute that one client makes to itself; 0: no limit
    #[arg(long, default_value_t = 20, help_heading = "Clients")]
    pub registration_rate: u32,

    /// Tokens that one client may revoke one at a time in a minute; 0: any number
    #[arg(long, default_value_t = 60, help_heading = "Clients")]
    pub revocation_rate: u32,

    /// Whether callers that fail to authenticate too often are throttled: on or off
    #[arg(long, value_enum, default_value_t = Switch::On, help_heading = "Clients")]
    pub throttle: Switch,

    /// Tokens that a client may get in an hour, unless it has a quota of its own; 0 sets no limit
    #[arg(long, default_value_t = 0, help_heading = "Clients")]
    pub quota_per_hour: u64,

    /// Tokens that a client may get in a day, unless it has a quota of its own; 0 sets no limit
    #[arg(long, default_value_t = 0, help_heading = "Clients")]
    pub quota_per_day: u64,

    /// Days after which a client that registered itself and never got a token is removed; 0: never
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=36500), help_heading = "Clients")]
    pub unused_client_days: u32,

    /// Hosts, or host:port, whose keys are fetched at whatever address and also without TLS; others
    /// must have public addresses
    #[arg(long, value_delimiter = ',', help_heading = "Clients")]
    pub jwks_uri_hosts: Vec<AdmittedHost>,

    /// Require a proof of possession for every registered key
    #[arg(long, default_value_t = false, action = ArgAction::Set, num_args = 0..=1,
          default_missing_value = "true", value_name = "BOOL", help_heading = "Clients")]
    pub require_key_proof: bool,

    /// Refuse keys that another client already has
    #[arg(long, default_value_t = false, action = ArgAction::Set, num_args = 0..=1,
          default_missing_value = "true", value_name = "BOOL", help_heading = "Clients")]
    pub refuse_shared_keys: bool,

    /// The client id of the administrator, set at every start
    #[arg(long, value_parser = not_empty, help_heading = "Clients")]
    pub admin_client_id: Option<String>,

    /// The secret of the administrator, set at every start
    #[arg(long, value_parser = secret, help_heading = "Clients")]
    #[serde(serialize_with = "redacted")]
    pub admin_secret: Option<SecretString>,

    /// A file with that secret
    #[arg(long, help_heading = "Clients")]
    pub admin_secret_file: Option<PathBuf>,

    /// The policy of gateways: which requests may pass, JSON or YAML; read again when it changes
    #[arg(long, help_heading = "Gateways")]
    pub policy_file: Option<PathBuf>,

    /// A further address for /auth and /forward-auth; these are then only there
    #[arg(long, help_heading = "Gateways")]
    pub gateway_listen: Option<SocketAddr>,

    /// Where /auth finds the original request: mia, in Original-Request-Uri and Original-Request-Method, or path, behind /auth
    /// and in the method of the call
    #[arg(long, value_enum, default_value_t = AuthSource::Mia, help_heading = "Gateways")]
    pub auth_source: AuthSource,

    /// Where /forward-auth finds it: original, in X-Original-Uri and X-Original-Method, or forwarded, in X-Forwarded-Uri and X-Forwarded-Method
    #[arg(long, value_enum, default_value_t = ForwardAuthSource::Original, help_heading = "Gateways")]
    pub forward_auth_source: ForwardAuthSource,

    /// Whether /auth says no by its status; else it is always 200, with `mia-allowed: 0` for no. Needs --gateway-listen and --auth-source mia
    #[arg(long, default_value_t = true, action = ArgAction::Set, num_args = 0..=1,
          default_missing_value = "true", value_name = "BOOL", help_heading = "Gateways")]
    pub auth_strict: bool,

    /// Claims that are handed on in mia-userproperties, as JSON
    #[arg(long, value_delimiter = ',', value_parser = not_empty, help_heading = "Gateways")]
    pub user_properties: Vec<String>,

    /// Header with the client type, set by the gateway. Needs --gateway-listen and --auth-source mia
    #[arg(long, default_value = gateways::CLIENT_TYPE, help_heading = "Gateways")]
    pub client_type_header: FieldName,

    /// Header that marks a back-office request, set by the gateway. Needs --gateway-listen and --auth-source mia
    #[arg(long, default_value = gateways::BACKOFFICE, help_heading = "Gateways")]
    pub backoffice_header: FieldName,

    /// Other names for the identity headers, such as `mia-userid=miauserid,X-Client-Id=X-Consumer`
    #[arg(long, value_delimiter = ',', help_heading = "Gateways")]
    pub answer_headers: Vec<Renamed>,

    /// URLs of the protected resources behind the gateways, published at /.well-known/oauth-protected-resource (RFC 9728)
    #[arg(long, value_delimiter = ',', help_heading = "Gateways")]
    pub gateway_resources: Vec<ProtectedResource>,

    /// A further address, for Envoy to ask over gRPC; with TLS if there is a certificate
    #[arg(long, help_heading = "Gateways")]
    pub grpc_listen: Option<SocketAddr>,

    /// Webhook URL for signed audit events: an https URL, or http on this machine
    #[arg(long, help_heading = "Webhook")]
    pub webhook_url: Option<url::Url>,

    /// Secret that signs webhook messages: `whsec_` and base64, or any text of at least 24 bytes
    #[arg(long, value_parser = secret, hide_default_value = true, help_heading = "Webhook")]
    #[serde(serialize_with = "redacted")]
    pub webhook_secret: Option<SecretString>,

    /// A file with that secret
    #[arg(long, help_heading = "Webhook")]
    pub webhook_secret_file: Option<PathBuf>,

    /// Audit events to send: names, prefixes such as `client.*`, or `*`
    #[arg(long, value_delimiter = ',', default_value = TOLD_OF, help_heading = "Webhook")]
    pub webhook_events: Vec<Topic>,

    /// Log level: error, warn, info, debug, trace, or a filter such as info,latchkey=debug
    #[arg(long, default_value = "info", help_heading = "Logging")]
    pub log_level: String,

    /// How it is logged
    #[arg(long, value_enum, default_value_t = LogFormat::Auto, help_heading = "Logging")]
    pub log_format: LogFormat,
}

/// Who may register.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum RegistrationSetting {
    /// Registration is closed
    Closed,
    /// Anyone may register
    Open,
    /// Callers must send the initial access token
    Token,
}

/// Whether something is done.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// Yes
    #[value(alias = "true")]
    On,
    /// No
    #[value(alias = "false")]
    Off,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Pretty on a terminal, JSON otherwise
    Auto,
    /// One JSON object per line
    Json,
    /// Human-readable
    Pretty,
}
