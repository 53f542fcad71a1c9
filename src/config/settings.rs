//! Every setting, as given.

use clap::Args;
use serde::Serialize;

use super::{
    AdminSettings, Clients, GatewaySettings, IdentitySettings, Listen, Log, RegistrationSettings,
    SigningKeyPassword, SigningKeys, Storage, Tokens, WebhookSettings,
};

/// What an operator may set, before it is resolved into a [`Config`](super::Config).
#[derive(Args, Clone, Debug, Serialize)]
#[group(skip)]
pub struct Settings {
    /// Listeners, and what they take.
    #[command(flatten)]
    #[serde(flatten)]
    pub listen: Listen,
    /// The store, and what is kept of it in memory.
    #[command(flatten)]
    #[serde(flatten)]
    pub storage: Storage,
    /// The issuer and the URL of the server.
    #[command(flatten)]
    #[serde(flatten)]
    pub identity: IdentitySettings,
    /// Where signing keys are, and how they sign.
    #[command(flatten)]
    #[serde(flatten)]
    pub signing_keys: SigningKeys,
    /// The password of signing keys.
    #[command(flatten)]
    #[serde(flatten)]
    pub signing_key_password: SigningKeyPassword,
    /// What tokens are like, and which are accepted.
    #[command(flatten)]
    #[serde(flatten)]
    pub tokens: Tokens,
    /// Who may register.
    #[command(flatten)]
    #[serde(flatten)]
    pub registration: RegistrationSettings,
    /// What clients may have and do.
    #[command(flatten)]
    #[serde(flatten)]
    pub clients: Clients,
    /// The administrator.
    #[command(flatten)]
    #[serde(flatten)]
    pub admin: AdminSettings,
    /// How gateways ask and are answered.
    #[command(flatten)]
    #[serde(flatten)]
    pub gateways: GatewaySettings,
    /// The webhook for audit events.
    #[command(flatten)]
    #[serde(flatten)]
    pub webhook: WebhookSettings,
    /// What is logged, and how.
    #[command(flatten)]
    #[serde(flatten)]
    pub log: Log,
}
