//! What was called back is dead at once, and stays dead.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use latchkey::audit::AuditRecord;
use latchkey::domain::clock::{Clock, Timestamp};
use latchkey::domain::error_code::ErrorCode;
use latchkey::domain::id::CredentialId;
use latchkey::domain::revocation::{Revocation, Revoked};
use latchkey::domain::store_error::StoreError;
use latchkey::oauth::authenticate::{CallerAddress, Presented};
use latchkey::oauth::token::TokenRequest;
use latchkey::revocation::RevocationStore;
use latchkey::revocation::revoker::Revoker;
use serde_json::{Value, json};

use crate::harness::{GRANT, Server, claims_of, store_in};
use crate::store_contract::audit_record;

/// What to revoke, once the claims of the token are known.
type Kind<'a> = &'a dyn Fn(&Value) -> Revoked;

/// Ends tokens as the server itself does.
async fn revoke(server: &Server, revoked: Revoked) {
    let now = server.clock.now();
    let until = server.app.health.revocations.horizon(now);
    server.app.clients.revoker.revoke(revoked, until, &audit_record()).await.unwrap();
}

#[actix_web::test]
async fn each_kind_ends_what_it_says_and_nothing_else() {
    let of = |claims: &Value, name: &str| claims[name].as_str().unwrap().to_owned();
    let client = |claims: &Value| of(claims, "client_id").parse().unwrap();
    let at = |claims: &Value, later: i64| {
        Timestamp(claims["iat"].as_u64().unwrap().saturating_add_signed(later))
    };
    #[rustfmt::skip]
    let cases: [(&str, Kind<'_>, bool); 12] = [
        ("its jti",               &|c| Revoked::Token { jti: of(c, "jti") },                                              true),
        ("another jti",           &|_| Revoked::Token { jti: "other".to_owned() },                                        false),
        ("its credential",        &|c| Revoked::Credential { client_id: client(c), credential: CredentialId::from(&*of(c, "cred")), before: at(c, 0) }, true),
        ("another credential",    &|c| Revoked::Credential { client_id: client(c), credential: CredentialId::from("other"), before: at(c, 0) }, false),
        ("another's credential",  &|c| Revoked::Credential { client_id: "other".parse().unwrap(), credential: CredentialId::from(&*of(c, "cred")), before: at(c, 0) }, false),
        ("its credential before", &|c| Revoked::Credential { client_id: client(c), credential: CredentialId::from(&*of(c, "cred")), before: at(c, -31) }, false),
        ("its client at iat",     &|c| Revoked::ClientBefore { client_id: client(c), before: at(c, 0) },                  true),
        ("within the skew",       &|c| Revoked::ClientBefore { client_id: client(c), before: at(c, -30) },                true),
        ("beyond the skew",       &|c| Revoked::ClientBefore { client_id: client(c), before: at(c, -31) },                false),
        ("a higher epoch",        &|c| Revoked::ClientEpoch { client_id: client(c), epoch: 1 },                           true),
        ("everything",            &|c| Revoked::Everything { before: at(c, 0) },                                          true),
        ("another key",           &|_| Revoked::SigningKey { kid: "other".to_owned() },                                   false),
    ];
    for (why, kind, ends) in cases {
        let server = Server::start().await;
        let (id, secret) = server.client_with_secret().await;
        let token = server.token(Some((&id, &secret)), GRANT).await.text_of("access_token");
        assert_eq!(server.tokeninfo(&token).await.status, 200, "{why}: now it is remembered");
        revoke(&server, kind(&claims_of(&token))).await;
        let reply = server.tokeninfo(&token).await;
        assert_eq!(reply.status, if ends { 401 } else { 200 }, "{why}");
        assert_eq!(reply.error(), ends.then_some("invalid_token"), "{why}");
    }
}

#[actix_web::test]
async fn a_new_token_of_a_higher_epoch_is_good() {
    let server = Server::start().await;
    let (id, secret) = server.client_with_secret().await;
    let basic = Some((&*id, &*secret));
    let old = server.token(basic, GRANT).await.text_of("access_token");
    revoke(&server, Revoked::ClientEpoch { client_id: id.parse().unwrap(), epoch: 5 }).await;
    let new = server.token(basic, GRANT).await.text_of("access_token");
    assert_eq!(claims_of(&new)["epoch"], 5);
    assert_eq!(server.tokeninfo(&old).await.status, 401);
    assert_eq!(server.tokeninfo(&new).await.status, 200);
}

#[actix_web::test]
async fn what_was_revoked_stays_so_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let keys = tempfile::tempdir().unwrap();
    let with_keys = |settings: &mut latchkey::config::Settings| {
        settings.signing_keys.folder = keys.path().to_owned();
    };
    let server = Server::on(store_in(folder.path()).await, with_keys).await;
    let (id, secret) = server.client_with_secret().await;
    let [dead, alive] = {
        let issue = async || {
            let reply = server.token(Some((&id, &secret)), GRANT).await;
            reply.text_of("access_token")
        };
        [issue().await, issue().await]
    };
    let jti = claims_of(&dead)["jti"].as_str().unwrap().to_owned();
    revoke(&server, Revoked::Token { jti }).await;
    server.stop().await;

    let server = Server::on(store_in(folder.path()).await, with_keys).await;
    assert_eq!(server.tokeninfo(&dead).await.status, 401);
    assert_eq!(server.tokeninfo(&alive).await.status, 200);
    assert_eq!(server.app.health.revocations.len(), 1);
    server.clock.advance(Duration::from_secs(2 * 86_400));
    server.app.health.revocations.forget_expired(server.clock.now());
    assert!(server.app.health.revocations.is_empty(), "the token has expired of itself");
}

#[actix_web::test]
async fn a_revocation_is_in_the_metrics() {
    let server = Server::start().await;
    revoke(&server, Revoked::Token { jti: "x".to_owned() }).await;
    let metrics = server.get("/-/metrics").await.text;
    assert!(metrics.contains("latchkey_revocations 1\n"), "{metrics}");
}

/// A store that is down.
struct Down;

#[async_trait]
impl RevocationStore for Down {
    async fn revoke(&self, _: &Revocation, _: &AuditRecord) -> Result<(), StoreError> {
        Err(StoreError::new("10.1.2.3 refused"))
    }
}

#[actix_web::test]
async fn what_cannot_be_kept_is_in_force_here_and_not_acknowledged() {
    let server = Server::start().await;
    let token = server.token_of(&server.client_with_secret().await).await;
    let jti = claims_of(&token)["jti"].as_str().unwrap().to_owned();
    let revocations = server.app.health.revocations.clone();
    let revoker = Revoker { store: Arc::new(Down), revocations };
    let until = server.app.health.revocations.horizon(server.clock.now());
    assert!(revoker.revoke(Revoked::Token { jti }, until, &audit_record()).await.is_err());
    assert_eq!(server.tokeninfo(&token).await.status, 401);
}

/// Between the proof and the token, as when another request gets in between.
#[actix_web::test]
async fn a_client_that_is_taken_out_of_use_while_it_proves_itself_gets_no_token() {
    let server = Server::start().await;
    let (id, secret) = server.client_with_secret().await;
    let (app, now) = (&server.app, server.clock.now());
    let presented = Presented::Secret { client_id: id.clone(), secret: secret.into() };
    let caller = CallerAddress { address: Ipv4Addr::LOCALHOST.into(), is_shared: false };
    let prove =
        async || app.tokens.authenticator.authenticate(&presented, caller, now).await.unwrap();
    let issue = |proved: &_| app.tokens.issuer.issue(proved, TokenRequest::default(), now);
    let state = async |to: &str| {
        let path = format!("/clients/{id}/state");
        assert_eq!(server.admin_post(&path, &json!({ "stateTo": to })).await.status, 204);
    };

    let (kept, proved) = (prove().await, prove().await);
    assert!(issue(&kept).is_ok());
    state("DRAFT").await;
    let refused = issue(&proved).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::TemporarilyUnavailable);

    // Nor when it is back: what it proved was so before.
    state("PUBLIC").await;
    assert_eq!(issue(&proved).unwrap_err().code(), ErrorCode::TemporarilyUnavailable);
    let token = issue(&prove().await).unwrap().access_token;
    assert_eq!(server.tokeninfo(&token).await.status, 200);
}
