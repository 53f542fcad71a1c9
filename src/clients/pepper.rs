//! The pepper of the secrets' checksums: made once, by whichever replica starts first.

use crate::domain::secret::Pepper;
use crate::domain::store_error::StoreError;
use crate::random::{self, NoEntropy};

use super::SharedFacts;

/// Under this name the pepper is agreed on.
pub const FACT: &str = "pepper";

/// Why there is no pepper.
#[derive(Debug, thiserror::Error)]
pub enum NoPepper {
    /// Secrets exist that only the lost pepper verifies.
    #[error(
        "the store holds client secrets, or clients that cannot be read, but the record `pepper` \
         that verifies secrets is missing: restore it from a backup (collection or table `meta`), or give those clients new secrets"
    )]
    Lost,
    /// The record is not what we wrote.
    #[error(
        "the record `pepper` (collection or table `meta`) is damaged, and no secret that this server \
         made verifies without it: restore it from a backup; `latchkey store check` says what else \
         is damaged"
    )]
    Damaged,
    /// Randomness ran out.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
    /// The store could not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The pepper that all replicas on this store use.
pub async fn pepper(facts: &dyn SharedFacts) -> Result<Pepper, NoPepper> {
    let agreed = match facts.agreed(FACT).await? {
        Some(agreed) => agreed,
        None if facts.has_checksummed_secrets().await? => return Err(NoPepper::Lost),
        None => facts.agree(FACT, &random::bytes::<{ Pepper::LENGTH }>()?).await?,
    };
    let bytes: [u8; Pepper::LENGTH] = agreed.try_into().map_err(|_| NoPepper::Damaged)?;
    Ok(Pepper::from(bytes))
}
