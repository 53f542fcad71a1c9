//! What ended of the tokens of single clients.

use std::collections::HashMap;
use std::time::Duration;

use crate::domain::claims::AccessTokenClaims;
use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;

use super::Rule;

/// The rules about clients.
#[derive(Debug, Default)]
pub(super) struct ClientRules(HashMap<ClientId, ClientRule>);

#[derive(Debug, Default)]
struct ClientRule {
    /// The first epoch that is good, and how long that matters.
    epoch: u64,
    epoch_until: Timestamp,
    before: Option<Rule>,
}

impl ClientRules {
    pub(super) fn raise(&mut self, id: &ClientId, epoch: u64, until: Timestamp) {
        let rule = self.0.entry(id.clone()).or_default();
        // Seen again it is no news: only tokens from before the first time are concerned.
        if epoch > rule.epoch {
            rule.epoch = epoch;
            rule.epoch_until = rule.epoch_until.max(until);
        }
    }

    pub(super) fn end_before(&mut self, id: &ClientId, rule: Rule) {
        let held = self.0.entry(id.clone()).or_default();
        held.before = Some(held.before.map_or(rule, |stands| stands.and(rule)));
    }

    pub(super) fn epoch(&self, id: &ClientId) -> u64 {
        self.0.get(id).map_or(0, |rule| rule.epoch)
    }

    pub(super) fn has_ended(&self, claims: &AccessTokenClaims, skew: Duration) -> bool {
        if self.0.is_empty() {
            return false;
        }
        self.0.get(&claims.client_id).is_some_and(|rule| {
            let ends = |rule: &Rule| claims.iat.0 <= rule.before.0.saturating_add(skew.as_secs());
            claims.epoch < rule.epoch || rule.before.as_ref().is_some_and(ends)
        })
    }

    pub(super) fn forget_expired(&mut self, now: Timestamp) {
        self.0.retain(|_, rule| {
            rule.before = rule.before.filter(|before| now < before.until);
            if now >= rule.epoch_until {
                rule.epoch = 0;
            }
            rule.epoch > 0 || rule.before.is_some()
        });
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
