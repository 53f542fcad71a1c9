//! What is kept, where and for how long.

use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::StoreUrl;
use super::duration::{as_days_or_zero, as_seconds_or_zero, in_days, in_seconds, unless_zero};

/// The store, and what is kept of it in memory.
///
/// `std::option::Option` is written out where clap would take `Option` for a flag that may be missing.
#[derive(Args, Clone, Debug, Serialize)]
#[command(next_help_heading = "Storage")]
#[group(skip)]
pub struct Storage {
    /// Where state is kept: `file:FOLDER`, or `mongodb://…/DATABASE`
    #[arg(long, default_value = "file:./data")]
    pub store: StoreUrl,

    /// Clients kept in memory
    #[arg(long, default_value_t = 3_072)]
    pub client_cache: usize,

    /// Verified tokens kept in memory, in MiB
    #[arg(long, default_value_t = 64)]
    pub token_cache: u64,

    /// Seconds without news from other replicas after which every token is answered 503; 0: no limit
    #[arg(long, default_value = "0", value_parser = unless_zero(in_seconds(..)), value_name = "DURATION")]
    #[serde(serialize_with = "as_seconds_or_zero")]
    pub max_staleness: std::option::Option<Duration>,

    /// Days that records of who changed what are kept; 0: for ever
    #[arg(id = "audit_retention_days", long = "audit-retention-days", default_value = "365",
          value_parser = unless_zero(in_days(..)), value_name = "DURATION")]
    #[serde(rename = "audit_retention_days", serialize_with = "as_days_or_zero")]
    pub audit_retention: std::option::Option<Duration>,
}
