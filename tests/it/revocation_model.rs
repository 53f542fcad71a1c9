//! The list of revocations, held to a model that is too simple to be wrong.

use std::sync::Arc;
use std::time::Duration;

use latchkey::domain::claims::AccessTokenClaims;
use latchkey::domain::clock::Timestamp;
use latchkey::domain::id::{ClientId, CredentialId};
use latchkey::domain::revocation::{Revocation, Revoked};
use latchkey::domain::state::State;
use latchkey::revocation::OpenedToken;
use latchkey::revocation::list::{Revocations, TokenName};
use proptest::prelude::*;

const LIFE: u64 = 100;
const SKEW: u64 = 5;

fn client(n: u8) -> ClientId {
    format!("client {n}").parse().unwrap()
}

fn credential(n: u8) -> CredentialId {
    CredentialId::from(&*format!("cred {n}"))
}

/// What happens, one thing after the other.
#[derive(Clone, Debug)]
enum Event {
    Revoke(Revoked),
    See(u8, State, u64),
    Wait(u64),
    Forget,
    Issue { client: u8, credential: u8, kid: u8, epoch: u64 },
}

fn event() -> impl Strategy<Value = Event> {
    let moment = (0..400_u64).prop_map(Timestamp);
    let state = prop_oneof![Just(State::Public), Just(State::Draft), Just(State::Trash)];
    prop_oneof![
        (0..3_u8, moment.clone()).prop_map(|(id, before)| {
            Event::Revoke(Revoked::ClientBefore { client_id: client(id), before })
        }),
        (0..3_u8, 0..4_u64).prop_map(|(id, epoch)| {
            Event::Revoke(Revoked::ClientEpoch { client_id: client(id), epoch })
        }),
        (0..3_u8, 0..2_u8, moment.clone()).prop_map(|(id, cred, before)| {
            let (client_id, credential) = (client(id), credential(cred));
            Event::Revoke(Revoked::Credential { client_id, credential, before })
        }),
        moment.prop_map(|before| Event::Revoke(Revoked::Everything { before })),
        (0..2_u8).prop_map(|kid| Event::Revoke(Revoked::SigningKey { kid: format!("key {kid}") })),
        (0..20_u8).prop_map(|jti| Event::Revoke(Revoked::Token { jti: format!("jti {jti}") })),
        (0..3_u8, state, 0..4_u64).prop_map(|(id, state, epoch)| Event::See(id, state, epoch)),
        (1..60_u64).prop_map(Event::Wait),
        Just(Event::Forget),
        (0..3_u8, 0..2_u8, 0..2_u8, 0..4_u64).prop_map(|(client, credential, kid, epoch)| {
            Event::Issue { client, credential, kid, epoch }
        }),
        (0..3_u8, 0..2_u8, 0..2_u8, 0..4_u64).prop_map(|(client, credential, kid, epoch)| {
            Event::Issue { client, credential, kid, epoch }
        }),
    ]
}

/// Every revocation that ever was, looked through from end to end. It forgets nothing.
#[derive(Default)]
struct Model(Vec<Revoked>);

impl Model {
    fn has_ended(&self, token: &OpenedToken) -> bool {
        let claims = &token.claims;
        let early = |before: Timestamp| claims.iat.0 <= before.0.saturating_add(SKEW);
        self.0.iter().any(|revoked| match revoked {
            Revoked::ClientBefore { client_id, before } => {
                *client_id == claims.client_id && early(*before)
            }
            Revoked::ClientEpoch { client_id, epoch } => {
                *client_id == claims.client_id && claims.epoch < *epoch
            }
            Revoked::Credential { client_id, credential, before } => {
                *client_id == claims.client_id
                    && claims.cred.as_ref() == Some(credential)
                    && early(*before)
            }
            Revoked::Everything { before } => early(*before),
            Revoked::SigningKey { kid } => **kid == *token.kid,
            Revoked::Token { jti } => **jti == *claims.jti,
        })
    }
}

/// Nobody revokes what is not issued yet.
fn so_far(revoked: &Revoked, now: Timestamp) -> Revoked {
    let mut revoked = revoked.clone();
    match &mut revoked {
        Revoked::ClientBefore { before, .. }
        | Revoked::Credential { before, .. }
        | Revoked::Everything { before } => *before = now.min(*before),
        Revoked::ClientEpoch { .. } | Revoked::SigningKey { .. } | Revoked::Token { .. } => {}
    }
    revoked
}

fn token(number: usize, now: Timestamp, event: &Event) -> Option<Arc<OpenedToken>> {
    let Event::Issue { client: id, credential: cred, kid, epoch } = event else { return None };
    let jti = format!("jti {number}");
    let claims = AccessTokenClaims {
        iss: "me".into(),
        sub: client(*id),
        client_id: client(*id),
        aud: Box::default(),
        exp: now + Duration::from_secs(LIFE),
        iat: now,
        jti: jti.as_str().into(),
        permissions: Box::default(),
        scope: None,
        groups: Box::default(),
        epoch: *epoch,
        cred: Some(credential(*cred)),
        custom: None,
    };
    let (kid, name) = (format!("key {kid}").into(), TokenName::of(&jti));
    Some(Arc::new(OpenedToken { claims, kid, name }))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// A token that was ended stays so as long as it would have lived, whatever is forgotten; and
    /// none ends that the model does not end.
    #[test]
    fn it_ends_what_the_model_ends(events in proptest::collection::vec(event(), 1..60)) {
        let list = Revocations::new(Duration::from_secs(LIFE), Duration::from_secs(SKEW));
        let (mut model, mut tokens, mut now) = (Model::default(), Vec::new(), Timestamp(100));
        for event in &events {
            match event {
                Event::Revoke(revoked) => {
                    let revoked = so_far(revoked, now);
                    let until = list.horizon(now);
                    list.add(&Revocation { revoked: revoked.clone(), until });
                    model.0.push(revoked);
                }
                Event::See(id, state, epoch) => {
                    list.see_client(&client(*id), *state, *epoch, now);
                    let first_good = if *state == State::Public { *epoch } else { epoch + 1 };
                    let client_id = client(*id);
                    model.0.push(Revoked::ClientEpoch { client_id, epoch: first_good });
                }
                Event::Wait(seconds) => now = now + Duration::from_secs(*seconds),
                Event::Forget => list.forget_expired(now),
                // One that is dead when it is issued is of no interest here.
                Event::Issue { .. } => {
                    let issued = token(tokens.len(), now, event);
                    tokens.extend(issued.filter(|it| !model.has_ended(it) && !list.has_ended(it)));
                }
            }
            for token in tokens.iter().filter(|token| now < token.claims.exp) {
                let (found, expected) = (list.has_ended(token), model.has_ended(token));
                prop_assert_eq!(found, expected, "{:?} at {:?}", token.claims, now);
            }
        }
        list.forget_expired(now + Duration::from_secs(10 * LIFE));
        prop_assert!(list.is_empty(), "everything is forgotten at last");
    }
}
