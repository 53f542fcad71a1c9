//! Gives the administrator new credentials.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::audit::{Author, Recorder};
use crate::clients::admin::{AdminCredentials, Administrators};
use crate::clients::pepper::pepper;
use crate::clients::secrets::Secrets;
use crate::domain::clock::Clock;
use crate::domain::id::ClientId;
use crate::hashing::SlowHashes;
use crate::revocation::list::Revocations;
use crate::revocation::revoker::Revoker;

use super::{OpenStore, StartError, admin_file};

/// The administrator's new credentials.
#[derive(Debug)]
pub struct Reset {
    /// The credentials.
    pub credentials: AdminCredentials,
    /// The file that they are in; `None`: they are nowhere but here.
    pub file: Option<PathBuf>,
}

/// Gives the administrator of this store new credentials: the one that is named, else the one in
/// the file beside the store, else a new one. One whose document is damaged is made anew. Cut off at
/// any point, it can be run again.
pub async fn reset_admin(
    open: &OpenStore,
    clock: &dyn Clock,
    client_id: Option<ClientId>,
) -> Result<Reset, StartError> {
    open.prepare().await?;
    let store = open.store();
    let pepper = pepper(&*store).await.map_err(|source| StartError::pepper(open, source))?;
    let file = open.folder().map(admin_file::path);
    let hashes = SlowHashes::for_this_machine();
    let recorder = Arc::new(Recorder::default());
    let nothing = Revocations::new(Duration::ZERO, Duration::ZERO);
    let revoker = Arc::new(Revoker { store: store.clone(), revocations: Arc::new(nothing) });
    let secrets = Secrets { pepper: pepper.clone(), hashes };
    let administrators = Administrators { repository: store, secrets, recorder, revoker };
    let (author, now) = (Author::operator(), clock.now());

    // A file that cannot be read is about to be replaced.
    let known = || file.as_deref().and_then(|path| admin_file::read(path).ok().flatten());
    let is_named = client_id.is_some();
    let mut client_id = client_id.or_else(|| known().map(|known| known.client_id));
    if let Some(id) = &client_id {
        match administrators.remove_damaged(id, &author, now).await {
            // The one that nobody asked for stays behind.
            Err(error) if error.is_damage() && !is_named => client_id = None,
            removed => removed?,
        }
    }
    let credentials = match client_id {
        Some(id) => AdminCredentials::random_for(id, &pepper)?,
        None => AdminCredentials::random(&pepper)?,
    };
    // The file first: a secret that is in force and that nobody knows would lock everyone out.
    if let Some(path) = &file {
        admin_file::replace(path, &credentials)
            .map_err(|error| StartError::File(path.clone(), error))?;
    }
    administrators.install(&credentials, &author, now).await?;
    Ok(Reset { credentials, file })
}
