//! Sees to it that there is an administrator.

use std::path::Path;

use crate::audit::Author;
use crate::clients::admin::{AdminCredentials, Administrators};
use crate::config::Config;
use crate::domain::clock::Timestamp;
use crate::domain::secret::ClientSecret;

use super::{StartError, admin_file};

/// Sees to it that there is an administrator: the one that is configured, or, on a store of our
/// own, one whose credentials are left in a file.
pub(super) async fn set_up_admin(
    administrators: &Administrators,
    config: &Config,
    folder: Option<&Path>,
    now: Timestamp,
) -> Result<(), StartError> {
    if let Some((id, secret)) = &config.admin {
        let secret = secrecy::ExposeSecret::expose_secret(secret).to_owned();
        let credentials =
            AdminCredentials { client_id: id.parse()?, secret: ClientSecret::from(secret) };
        if !install(administrators, &credentials, now).await? {
            return Ok(());
        }
        tracing::info!(client_id = %credentials.client_id, "the configured administrator is set");
        for former in administrators.end_former(&credentials.client_id, now).await? {
            tracing::info!(client_id = %former, "ended the former administrator");
        }
        return Ok(());
    }
    if administrators.exist().await? {
        return Ok(());
    }
    let Some(folder) = folder else {
        tracing::warn!(
            "no client is an administrator: set admin_client_id and admin_secret \
             (LATCHKEY_ADMIN_CLIENT_ID, LATCHKEY_ADMIN_SECRET), or run `latchkey admin reset`"
        );
        return Ok(());
    };
    let path = admin_file::path(folder);
    let failed = |error| StartError::File(path.clone(), error);
    // The file first: an administrator whose secret nobody knows would lock everyone out.
    let credentials = match admin_file::read(&path).map_err(failed)? {
        Some(credentials) => credentials,
        None => {
            let credentials = AdminCredentials::random(&administrators.secrets.pepper)?;
            admin_file::write(&path, &credentials).map_err(failed)?;
            credentials
        }
    };
    if !install(administrators, &credentials, now).await? {
        return Ok(());
    }
    let client_id = &credentials.client_id;
    tracing::info!(%client_id, file = %path.display(), "made an administrator; its secret is in the file");
    Ok(())
}

/// Whether it is the administrator now. One that is damaged must not end the start.
async fn install(
    administrators: &Administrators,
    credentials: &AdminCredentials,
    now: Timestamp,
) -> Result<bool, StartError> {
    match administrators.install(credentials, &Author::server(), now).await {
        Err(error) if error.is_damage() => {
            let client_id = &credentials.client_id;
            tracing::error!(
                %client_id,
                reason = %error,
                "the administrator cannot be set up, and everything else is served: stop the server \
                 and run `latchkey admin reset`, or restore a backup"
            );
            Ok(false)
        }
        installed => Ok(installed.map(|()| true)?),
    }
}
