//! Used proofs of possession, in the collection of used assertions.

use std::sync::Arc;

use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};

use crate::clients::ProofStore;
use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;
use crate::domain::store_error::StoreError;

use super::Store;

/// Remembers proofs as the assertions of an owner that is no client but a key: its name is
/// `key-proof:` and the thumbprint. A digest is made of more than the `jti`, so that not even a
/// client of that name could use up a proof by an assertion.
pub struct UsedProofs(pub Arc<dyn Store>);

#[async_trait]
impl ProofStore for UsedProofs {
    async fn use_once(
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
