//! Every setting, its name, its default.
//!
//! A setting `token_lifetime` is `token_lifetime` in the TOML file, `LATCHKEY_TOKEN_LIFETIME` in the
//! environment and `--token-lifetime` as a flag; each overrides the one before. In the code it is
//! `lifetime` of the section [`Tokens`]: a field leaves out what its section says already.
//!
//! [`load`] puts the layers together and gives [`Settings`]. [`Config::of`] checks them against each
//! other and works out the rest: from then on there is only [`Config`]. A section in which nothing has to be worked out is
//! the same type in both.

mod admin;
mod advice;
mod aliases;
mod clients;
pub mod duration;
mod error;
mod gateways;
mod identity;
mod layers;
mod listen;
mod log;
mod registration;
mod resolve;
mod secret;
mod settings;
mod signing_keys;
mod storage;
mod store_url;
mod tokens;
mod values;
mod webhook;

pub use admin::AdminSettings;
pub use clients::{Clients, Switch};
pub use error::ConfigError;
pub use gateways::{AuthSource, ForwardAuthSource, GatewaySettings, Gateways, TrustedHeaders};
pub use identity::IdentitySettings;
pub use layers::{Loaded, load, with_environment_in_help};
pub use listen::Listen;
pub use log::{Log, LogFormat};
pub use registration::{RegistrationSetting, RegistrationSettings};
pub use resolve::Config;
pub use settings::Settings;
pub use signing_keys::{SigningKeyPassword, SigningKeys};
pub use storage::Storage;
pub use store_url::StoreUrl;
pub use tokens::Tokens;
pub use webhook::{Webhook, WebhookSettings};
