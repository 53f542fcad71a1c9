//! What clients may have and do.

use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};
use serde::Serialize;

use crate::domain::clock::Timestamp;
use crate::domain::jwks_uri::AdmittedHost;
use crate::domain::lists::ListLimits;

use super::duration::{as_days_or_zero, as_seconds, in_days, in_seconds, unless_zero};
use super::values::{as_date, date};

/// What clients may have and do.
#[derive(Args, Clone, Debug, Serialize)]
#[command(next_help_heading = "Clients")]
#[group(skip)]
pub struct Clients {
    /// Seconds that a client's assertion may live
    #[arg(long, default_value = "3600", value_parser = in_seconds(1..), value_name = "DURATION")]
    #[serde(serialize_with = "as_seconds")]
    pub assertion_lifetime: Duration,

    /// Date until which every client may send the token endpoint's URL as `aud` (RFC 3339)
    #[arg(long, value_parser = date)]
    #[serde(serialize_with = "as_date")]
    pub legacy_audience_until: Option<Timestamp>,

    /// Live secrets that a client may have
    #[arg(long, default_value_t = 5)]
    pub max_secrets: usize,

    /// Live keys that a client may have
    #[arg(long, default_value_t = 10)]
    pub max_keys: usize,

    /// Audiences that a client may have, and ask for at once
    #[arg(long, default_value_t = ListLimits::DEFAULT.audiences)]
    pub max_audiences: usize,

    /// Scopes that a client may have, and ask for at once
    #[arg(long, default_value_t = ListLimits::DEFAULT.scopes)]
    pub max_scopes: usize,

    /// Permissions that a client may have
    #[arg(long, default_value_t = ListLimits::DEFAULT.permissions)]
    pub max_permissions: usize,

    /// Groups that a client may be in
    #[arg(long, default_value_t = ListLimits::DEFAULT.groups)]
    pub max_groups: usize,

    /// Registrations a minute from one address, and changes a minute that one client makes to itself; 0: no limit
    #[arg(long, default_value_t = 20)]
    pub registration_rate: u32,

    /// Tokens that one client may revoke one at a time in a minute; 0: any number
    #[arg(long, default_value_t = 60)]
    pub revocation_rate: u32,

    /// Whether callers that fail to authenticate too often are throttled: on or off
    #[arg(long, value_enum, default_value_t = Switch::On)]
    pub throttle: Switch,

    /// Tokens that a client may get in an hour, unless it has a quota of its own; 0 sets no limit
    #[arg(long, default_value_t = 0)]
    pub quota_per_hour: u64,

    /// Tokens that a client may get in a day, unless it has a quota of its own; 0 sets no limit
    #[arg(long, default_value_t = 0)]
    pub quota_per_day: u64,

    /// Days after which a client that registered itself and never got a token is removed; 0: never
    #[arg(id = "unused_client_days", long = "unused-client-days", default_value = "0",
          value_parser = unless_zero(in_days(..=36500)), value_name = "DURATION")]
    #[serde(rename = "unused_client_days", serialize_with = "as_days_or_zero")]
    pub unused_for: std::option::Option<Duration>,

    /// Hosts, or host:port, whose keys are fetched at whatever address and also without TLS; others
    /// must have public addresses
    #[arg(long, value_delimiter = ',')]
    pub jwks_uri_hosts: Vec<AdmittedHost>,

    /// Require a proof of possession for every registered key
    #[arg(long, default_value_t = false, action = ArgAction::Set, num_args = 0..=1,
          default_missing_value = "true", value_name = "BOOL")]
    pub require_key_proof: bool,

    /// Refuse keys that another client already has
    #[arg(long, default_value_t = false, action = ArgAction::Set, num_args = 0..=1,
          default_missing_value = "true", value_name = "BOOL")]
    pub refuse_shared_keys: bool,
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

impl Clients {
    /// How long the lists of clients, and of what they ask for, may be.
    #[must_use]
    pub fn list_limits(&self) -> ListLimits {
        ListLimits {
            audiences: self.max_audiences,
            scopes: self.max_scopes,
            permissions: self.max_permissions,
            groups: self.max_groups,
        }
    }
}
