//! What is logged, and how.

use clap::{Args, ValueEnum};
use serde::Serialize;

/// What is logged, and how.
#[derive(Args, Clone, Debug, Serialize)]
#[command(next_help_heading = "Logging")]
#[group(skip)]
pub struct Log {
    /// Log level: error, warn, info, debug, trace, or a filter such as info,latchkey=debug
    #[arg(id = "log_level", long = "log-level", default_value = "info")]
    #[serde(rename = "log_level")]
    pub level: String,

    /// How it is logged
    #[arg(id = "log_format", long = "log-format", value_enum, default_value_t = LogFormat::Auto)]
    #[serde(rename = "log_format")]
    pub format: LogFormat,
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
