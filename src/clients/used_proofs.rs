//! Used proofs of possession, remembered where used assertions are.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};

use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;
use crate::domain::store_error::StoreError;
use crate::oauth::AssertionStore;

/// Remembers proofs as the assertions of an owner that is a key and not a client: its name is
/// `key-proof:` and the thumbprint. A digest is made of more than the `jti`, so that not even a
/// client of that name could use up a proof by an assertion.
pub struct UsedProofs(pub Arc<dyn AssertionStore>);

impl UsedProofs {
    /// Remembers, durably, that a proof of this `jti` was used for the key of this thumbprint, until
    /// `until`. False if it was used before; of several at once exactly one gets true.
    pub async fn use_once(
        &self,
        thumbprint: &str,
        jti: &str,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let owner: ClientId = format!("key-proof:{thumbprint}").parse().map_err(StoreError::new)?;
        let mut name = [0; 32];
        let text = format!("key-proof\0{jti}");
        name.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
        self.0.use_once(&owner, name, until).await
    }
}
