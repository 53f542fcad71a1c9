//! Sees to it that there is an administrator.

use std::path::Path;

use crate::audit::Author;
use crate::clients::admin::{self, AdminCredentials};
use crate::domain::secret::ClientSecret;

use super::{App, StartError, admin_file};

/// Sees to it that there is an administrator: the one that is configured, or, on a store of our
/// own, one whose credentials are left in a file.
pub(super) async fn set_up_admin(app: &App, folder: Option<&Path>) -> Result<(), StartError> {
    let now = app.clock.now();
    if let Some((id, secret)) = &app.config.admin {
        let secret = secrecy::ExposeSecret::expose_secret(secret).to_owned();
        let credentials =
            AdminCredentials { client_id: id.parse()?, secret: ClientSecret::from(secret) };
        app.clients.install_admin(&credentials, &Author::server(), now).await?;
        tracing::info!(client_id = %credentials.client_id, "the configured administrator is set");
        for former in app.clients.end_former_admins(&credentials.client_id, now).await? {
            tracing::info!(client_id = %former, "ended the former administrator");
        }
        return Ok(());
    }
    if admin::exists(&*app.repository).await? {
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
            let credentials = AdminCredentials::random(&app.clients.pepper)?;
            admin_file::write(&path, &credentials).map_err(failed)?;
            credentials
        }
    };
    app.clients.install_admin(&credentials, &Author::server(), now).await?;
    let client_id = &credentials.client_id;
    tracing::info!(%client_id, file = %path.display(), "made an administrator; its secret is in the file");
    Ok(())
}
