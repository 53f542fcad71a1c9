//! `private_key_jwt`: RFC 7523 §3, with the rules of RFC 10070 for `aud` (the issuer, alone) and
//! `typ`.

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Map, Value};

use crate::domain::audience::Audience;
use crate::domain::auth_method::AuthMethod;
use crate::domain::client::{Client, ClientKey};
use crate::domain::clock::Timestamp;
use crate::domain::credential::Credential;
use crate::domain::lists;
use crate::domain::short_lived_jwt::{Fault, Rules, ShortLived, is_of_type};

use super::super::{AssertionDates, AssertionUse, UnverifiedAssertion};
use super::throttle::Attempt;
use super::{
    Asserted, AssertionRules, AuthFailure, AuthenticatedClient, Authenticator, OAuthError,
    published,
};

/// What `typ` may say, in whatever case: that of [RFC 10070](https://www.rfc-editor.org/rfc/rfc10070),
/// and what was usual before. A JWT for any other purpose is not an assertion.
const TYPES: [&str; 2] = ["client-authentication+jwt", "jwt"];

/// How many of the keys that a client publishes are tried for an assertion that does not name one.
/// Those that it registered are tried all: `max_keys` bounds them.
const MOST_TRIED: usize = 10;

impl Authenticator {
    pub(super) async fn by_assertion(
        &self,
        client_id: Option<&str>,
        assertion: &str,
        unverified: Option<&UnverifiedAssertion>,
        attempt: &mut Attempt<'_>,
        now: Timestamp,
    ) -> Result<AuthenticatedClient, OAuthError> {
        let unverified = unverified.ok_or(AuthFailure::MalformedAssertion)?;
        let subject = unverified.subject.as_deref().ok_or(AuthFailure::MalformedAssertion)?;
        if client_id.is_some_and(|named| named != subject) {
            return Err(AuthFailure::MalformedAssertion.into());
        }
        let found = self.find(subject).await?;
        let client = &found.client;
        if client.auth_method != AuthMethod::PrivateKeyJwt {
            return Err(AuthFailure::Method.into());
        }

        let keys = self.keys(client, unverified, now).await?;
        let verified = keys.into_iter().find_map(|key| {
            let verified = self.reader.verify(assertion, &key.verifier.jwk)?;
            Some((key, verified.claims))
        });
        let (key, claims) = verified.ok_or(AuthFailure::Signature)?;
        published(client)?;
        let proof = Proof::check(claims, client, &self.rules, now)?;
        // No guess comes this far: the disk is not waited for one after the other.
        attempt.let_go();
        self.use_up(client, &proof, now).await?;

        Ok(AuthenticatedClient::proved(found, key.id, proof.asserted))
    }

    /// The keys that the assertion may be signed with, of those that the client registered or
    /// publishes: at least one.
    async fn keys(
        &self,
        client: &Client,
        unverified: &UnverifiedAssertion,
        now: Timestamp,
    ) -> Result<Vec<Credential<ClientKey>>, AuthFailure> {
        if unverified.typ.as_deref().is_some_and(|typ| !is_of_type(typ, &TYPES)) {
            return Err(AuthFailure::Key);
        }
        let Some(uri) = &client.jwks_uri else {
            return fitting(&client.keys, client, unverified, now);
        };
        // Nobody is asked for the keys of a client that gets no token anyway.
        published(client)?;
        let kid = unverified.kid.as_deref();
        let set = self.remote_keys.key_set(uri, kid, now).await;
        let set = set.map_err(|_| AuthFailure::KeysUnavailable)?;
        let keys = set.iter().filter_map(|key| key.of_client(client.signing_algorithm, now).ok());
        fitting(&keys.collect::<Vec<_>>(), client, unverified, now)
    }

    async fn use_up(
        &self,
        client: &Client,
        proof: &Proof,
        now: Timestamp,
    ) -> Result<(), OAuthError> {
        let mut jti = [0; 32];
        let ShortLived { iat, exp, jti: name } = &proof.judged;
        jti.copy_from_slice(digest(&SHA256, name.as_bytes()).as_ref());
        let (skew, longest_life) = (self.rules.skew, self.rules.longest_life);
        let (iat, exp) = (*iat, *exp);
        let until = exp.max(now) + skew + skew + std::time::Duration::from_secs(60);
        let dates = AssertionDates { iat, exp, now, longest_life };
        match self.assertions.use_assertion(&client.id, jti, until, dates).await? {
            AssertionUse::First => Ok(()),
            AssertionUse::Again => Err(AuthFailure::Replayed.into()),
            AssertionUse::InDoubt => Err(AuthFailure::InDoubt.into()),
        }
    }
}

/// The keys come from the registration, or from where that says: the header of the assertion only
/// names them. Without a `kid`, each of its algorithm may be the one:
/// [RFC 7515 §4.1.4](https://www.rfc-editor.org/rfc/rfc7515#section-4.1.4).
fn fitting(
    keys: &[Credential<ClientKey>],
    client: &Client,
    unverified: &UnverifiedAssertion,
    now: Timestamp,
) -> Result<Vec<Credential<ClientKey>>, AuthFailure> {
    let UnverifiedAssertion { algorithm, kid, .. } = unverified;
    let mut named = keys.iter().filter(|key| {
        key.is_live_at(now) && kid.as_ref().is_none_or(|kid| key.verifier.jwk.kid == *kid)
    });
    let fits = named.clone().filter(|key| {
        let jwk = &key.verifier.jwk;
        jwk.algorithm.is_named(algorithm)
            && client.signing_algorithm.is_none_or(|registered| registered == jwk.algorithm)
    });
    let most = if client.jwks_uri.is_some() { MOST_TRIED } else { keys.len() };
    let fits: Vec<Credential<ClientKey>> = fits.take(most).cloned().collect();
    if fits.is_empty() { Err(misfit(named.next(), client, algorithm)) } else { Ok(fits) }
}

/// Why the algorithm that an assertion names is not that of the key that it may mean.
fn misfit(key: Option<&Credential<ClientKey>>, client: &Client, named: &str) -> AuthFailure {
    match (key, client.signing_algorithm) {
        (None, _) => AuthFailure::Key,
        (_, Some(registered)) if !registered.is_named(named) => AuthFailure::Registered(registered),
        (Some(key), _) => AuthFailure::Algorithm(key.verifier.jwk.algorithm),
    }
}

/// What a good assertion says.
struct Proof {
    judged: ShortLived,
    asserted: Asserted,
}

impl Proof {
    fn check(
        mut claims: Map<String, Value>,
        client: &Client,
        rules: &AssertionRules,
        now: Timestamp,
    ) -> Result<Self, AuthFailure> {
        let id = client.id.as_str();
        let mut names_client = |name| claims.remove(name).is_some_and(|value| value == id);
        if !names_client("iss") || !names_client("sub") {
            return Err(AuthFailure::Claim("iss and sub must both be the client_id"));
        }
        // Several common libraries send the URL of the token endpoint.
        let legacy = client.legacy_audience.max(rules.legacy_audience_until);
        let token_endpoint = legacy.filter(|end| now < *end).map(|_| &*rules.token_endpoint);
        let expected = Rules {
            audience: &rules.issuer,
            other_audience: token_endpoint,
            longest_life: rules.longest_life,
            skew: rules.skew,
        };
        let judged = ShortLived::judge(&mut claims, &expected, now).map_err(AuthFailure::of)?;
        let audiences = claims.remove("requested_audiences").map(requested).transpose()?;
        Ok(Self { judged, asserted: Asserted { audiences, custom: claims } })
    }
}

impl AuthFailure {
    fn of(fault: Fault) -> Self {
        Self::Claim(match fault {
            Fault::Audience => "aud must be the issuer, and nothing else",
            Fault::Date => "exp, iat and nbf must be numbers",
            Fault::Expired => "the assertion has expired",
            Fault::Future => "iat or nbf is in the future",
            Fault::Jti => "jti is required: a string of 1 to 256 characters",
            Fault::LongLife => "the assertion lives too long",
            Fault::NoExpiry => "exp is required",
        })
    }
}

fn requested(value: Value) -> Result<Vec<Audience>, AuthFailure> {
    let list = match value {
        Value::String(one) => vec![Value::String(one)],
        other => other.as_array().cloned().unwrap_or_else(|| vec![Value::Null]),
    };
    let read = list.iter().map(|item| item.as_str().and_then(|text| text.parse().ok()));
    let audiences: Option<Vec<Audience>> = read.collect();
    let malformed = AuthFailure::Claim("requested_audiences must be a list of audiences");
    audiences.map(lists::unique).ok_or(malformed)
}
