//! What is this token worth? Asked by gateways for every request that they let pass.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::audience::Audience;
use crate::domain::claims::AccessTokenClaims;
use crate::domain::clock::Timestamp;
use crate::domain::store_error::StoreError;
use crate::revocation::list::Revocations;

use super::error::TokenFault;
use super::{News, NotOurs, OpenedToken, TokenOpener};

/// An access token of ours that is alive.
///
/// The field is private and only [`TokenJudge::judge`] fills it: holding one *is* the proof.
#[derive(Debug)]
pub struct LiveToken(Arc<OpenedToken>);

impl LiveToken {
    /// What it says.
    #[must_use]
    pub fn claims(&self) -> &AccessTokenClaims {
        &self.0.claims
    }
}

/// Judges bearer tokens. No store is asked.
pub struct TokenJudge {
    /// What verifies signatures.
    pub opener: Arc<dyn TokenOpener>,
    /// What brings the keys and the revocations of other replicas.
    pub news: Arc<dyn News>,
    /// What has ended before its time.
    pub revocations: Arc<Revocations>,
    /// How long nothing may have been heard of other replicas; `None`: for ever.
    pub max_staleness: Option<Duration>,
    /// The longest that any token lives, whatever it says: for as long it can be revoked.
    pub longest_life: Duration,
    /// How far the clocks of two replicas may be apart.
    pub skew: Duration,
    /// If there are any, a token that has an audience must have one of these.
    pub accepted_audiences: Vec<Audience>,
}

impl TokenJudge {
    /// The token, if it is ours and alive.
    pub async fn judge(&self, token: &str, now: Timestamp) -> Result<LiveToken, TokenFault> {
        let live = self.judge_for_anyone(token, now).await?;
        if self.accepts(&live.claims().aud) { Ok(live) } else { Err(TokenFault::Audience) }
    }

    /// The same, whoever it is for.
    pub async fn judge_for_anyone(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<LiveToken, TokenFault> {
        let opened = self.open(token).await?;
        let over = opened.claims.iat + self.longest_life + self.skew <= now;
        if over || !opened.claims.is_live_at(now, self.skew) {
            return Err(TokenFault::Expired);
        }
        if self.revocations.has_ended(&opened) {
            return Err(TokenFault::Revoked);
        }
        Ok(LiveToken(opened))
    }

    /// What it says, dead or alive, if it is ours.
    pub(super) async fn open(&self, token: &str) -> Result<Arc<OpenedToken>, TokenFault> {
        if self.max_staleness.is_some_and(|limit| self.news.staleness() > limit) {
            return Err(StoreError::new("nothing was heard of other replicas for too long").into());
        }
        match self.opener.open(token) {
            // Another replica may have begun to sign with a key that we have not heard of yet.
            Err(NotOurs::UnknownKey) if self.news.next().await? => Ok(self.opener.open(token)?),
            opened => Ok(opened?),
        }
    }

    fn accepts(&self, audiences: &[Audience]) -> bool {
        self.accepted_audiences.is_empty()
            || audiences.is_empty()
            || audiences.iter().any(|audience| self.accepted_audiences.contains(audience))
    }
}
