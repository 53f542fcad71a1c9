//! An administrator revokes tokens, and the replica that is asked has it in force when it answers.

use std::sync::Arc;

use crate::clients::change::By;
use crate::clients::error::ClientsError;
use crate::clients::revoke::{Instruction, Order, TokenRevocation};
use crate::domain::revocation::{Revocation, Revoked};
use crate::signing::key_exchange::KeyExchange;

use super::feed::Feed;

/// Carries out what administrators revoke.
pub struct RevocationOrders {
    /// Ends tokens.
    pub tokens: TokenRevocation,
    /// Replaces a signing key that is revoked.
    pub keys: Arc<KeyExchange>,
    /// Tells this replica.
    pub feed: Arc<Feed>,
}

impl RevocationOrders {
    /// Carries an order out to its end: what is revoked when it returns is so for good.
    pub async fn carry_out(
        &self,
        by: By<'_>,
        instruction: Instruction,
    ) -> Result<Vec<Revocation>, ClientsError> {
        if let Order::SigningKey(kid) = &instruction.order {
            if !instruction.force && !self.keys.knows(kid).await? {
                return Err(ClientsError::NothingToRevoke("signing key"));
            }
            self.keys.make_way(by.authority, kid).await;
        }
        let revoked = self.tokens.revoke(by, instruction).await?;
        if revoked.iter().any(|it| matches!(it.revoked, Revoked::SigningKey { .. })) {
            // The key leaves the ring when the feed reads next.
            let _ = self.feed.look().await;
            if self.keys.ring.active_kid().is_none() {
                tracing::error!("the only signing key was revoked: add a key to the folder");
            }
        }
        Ok(revoked)
    }
}
