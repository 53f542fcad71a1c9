//! What tokens are like, and which are accepted.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args};
use serde::Serialize;

use crate::domain::audience::Audience;

use super::duration::{as_seconds, in_seconds};

/// What tokens are like, and which are accepted.
#[derive(Args, Clone, Debug, Serialize)]
#[command(next_help_heading = "Tokens")]
#[group(skip)]
pub struct Tokens {
    /// Seconds that a token lives
    #[arg(id = "token_lifetime", long = "token-lifetime", default_value = "36000",
          value_parser = in_seconds(1..), value_name = "DURATION")]
    #[serde(rename = "token_lifetime", serialize_with = "as_seconds")]
    pub lifetime: Duration,

    /// Longest lifetime of any token, in seconds, whatever its client is granted
    #[arg(id = "max_token_lifetime", long = "max-token-lifetime", default_value = "86400",
          value_parser = in_seconds(1..), value_name = "DURATION")]
    #[serde(rename = "max_token_lifetime", serialize_with = "as_seconds")]
    pub max_lifetime: Duration,

    /// Audiences accepted at /tokeninfo: a token with audiences must have one of these
    #[arg(long, value_delimiter = ',')]
    pub accepted_audiences: Vec<Audience>,

    /// The audience of a token whose client has none and asked for none
    #[arg(long, value_delimiter = ',')]
    pub default_audience: Vec<Audience>,

    /// Refuse token requests that ask for no audience
    #[arg(long, default_value_t = false, action = ArgAction::Set, num_args = 0..=1,
          default_missing_value = "true", value_name = "BOOL")]
    pub require_audience: bool,

    /// Limit introspection to tokens that share an audience with the caller
    #[arg(long, default_value_t = false, action = ArgAction::Set, num_args = 0..=1,
          default_missing_value = "true", value_name = "BOOL")]
    pub introspection_own_audiences: bool,

    /// Tolerated clock difference, in seconds
    #[arg(long, default_value = "30", value_parser = in_seconds(..=600), value_name = "DURATION")]
    #[serde(serialize_with = "as_seconds")]
    pub clock_skew: Duration,

    /// A JSON file whose members are added to /.well-known/openid-configuration
    #[arg(long)]
    pub openid_configuration_file: Option<PathBuf>,
}
