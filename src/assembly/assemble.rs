//! Puts the parts together, on a store that answers.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::clients::error::ClientsError;
use crate::clients::pepper::pepper;
use crate::clients::secrets::Secrets;
use crate::config::Config;
use crate::domain::clock::Clock;
use crate::hashing::PATIENCE;
use crate::policy::file::PolicyFile;
use crate::policy::gatekeeper::Gatekeeper;
use crate::revocation::rate::RevocationRate;

use super::first_admin::set_up_admin;
use super::notices::Notices;
use super::parts::Parts;
use super::{App, Chores, Health, OpenStore, StartError, StoreOpenError};

/// Puts everything together; fails for now while the store does not answer.
pub async fn assemble(
    config: Config,
    open: &OpenStore,
    clock: Arc<dyn Clock>,
) -> Result<(App, Chores), StartError> {
    open.prepare().await?;
    let parts = Parts::of(&config, open, clock)?;
    let (feed, store) = (parts.feed.clone(), parts.store.clone());
    match feed.look().await {
        // Everything was read; what could not be written is tried again.
        Err(error) if error.is_unwritable() => {}
        looked => looked.map_err(StoreOpenError::from)?,
    }
    let now = parts.clock.now();
    match parts.quotas.load(now).await {
        Err(error) if error.is_damaged() => {
            let cause = std::error::Error::source(&error);
            tracing::error!(?cause, "the counts of quotas cannot be read: they begin at 0");
        }
        loaded => loaded.map_err(StoreOpenError::from)?,
    }

    let pepper = pepper(&*store).await.map_err(|source| StartError::pepper(open, source))?;
    let secrets = Secrets {
        pepper: pepper.clone(),
        // A separate queue, so that registrations cannot delay token requests.
        hashes: parts.hashes.beside(PATIENCE),
    };
    let administrators = parts.administrators(secrets.clone());
    let set_up = set_up_admin(&administrators, &config, open.folder(), now).await;
    match set_up {
        Err(StartError::Admin(ClientsError::Store(error))) if error.is_unwritable() => {
            tracing::warn!("the administrator cannot be set up; restart when there is room");
        }
        Err(StartError::Admin(error)) if error.is_damage() => {
            let cause = std::error::Error::source(&error);
            tracing::error!(%error, ?cause, "nobody knows whether there is an administrator");
        }
        done => done?,
    }

    let notices = Notices::of(&config, &parts.clock, store.clone())?;
    let credentials = notices.credentials(parts.clients.clone()).await?;
    let delivery = notices.delivery()?;
    let policy = policy(&config)?;
    let rate = Arc::new(RevocationRate::new(config.clients.revocation_rate));
    let tokens = parts.tokens(&config, pepper, rate.clone())?;
    let chores = Chores::of(&parts, &config, credentials.clone(), policy.clone(), delivery.clone());
    let app = App {
        gatekeeper: Gatekeeper {
            judge: tokens.judge.clone(),
            clients: parts.clients.clone(),
            policy,
        },
        tokens,
        clients: parts.clients(&config, secrets, credentials),
        signing: parts.signing(&config),
        revocation_orders: parts.revocation_orders(rate),
        audit_trail: store.clone(),
        health: Health { store, revocations: parts.revocations, delivery },
        feed,
        clock: parts.clock,
        openid_configuration: openid_configuration(&config)?,
        config,
    };
    Ok((app, chores))
}

/// The policy of gateways, if there is one.
fn policy(config: &Config) -> Result<Option<Arc<PolicyFile>>, StartError> {
    let Some(path) = &config.gateways.policy_file else { return Ok(None) };
    let file = PolicyFile::open(path);
    let file =
        file.map_err(|error| StartError::File(path.clone(), std::io::Error::other(error)))?;
    Ok(Some(Arc::new(file)))
}

/// The members that the operator adds to the OpenID configuration; ours stand over them.
fn openid_configuration(config: &Config) -> Result<Map<String, Value>, StartError> {
    let Some(path) = &config.tokens.openid_configuration_file else { return Ok(Map::new()) };
    let text = std::fs::read_to_string(path);
    let parsed = text.and_then(|text| serde_json::from_str(&text).map_err(std::io::Error::from));
    parsed.map_err(|error| StartError::File(path.clone(), error))
}
