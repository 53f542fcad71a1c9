//! `private_key_jwt`: RFC 7523 §3, with the rules of RFC 10070 for `aud` (the issuer, alone) and
//! `typ`.

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Map, Value};

use crate::domain::audience::Audience;
use crate::domain::client::{AuthMethod, Client, ClientKey};
use crate::domain::clock::Timestamp;
use crate::domain::credential::Credential;
use crate::domain::lists;

use super::super::{AssertionDates, AssertionUse, UnverifiedAssertion};
use super::throttle::Attempt;
use super::{
    Asserted, AssertionRules, AuthFailure, AuthenticatedClient, Authenticator, OAuthError,
    published,
};

/// What `typ` may say, in whatever case: that of [RFC 10070](https://www.rfc-editor.org/rfc/rfc10070),
/// and what was usual before. A JWT for any other purpose is not an assertion.
const TYPES: [&str; 2] = ["client-authentication+jwt", "jwt"];

/// How long a `jti` may be, in characters.
const LONGEST_JTI: usize = 256;

/// How many keys are tried for an assertion that does not name one; a registration has no more.
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
            let claims = self.reader.verify(assertion, &key.verifier.jwk)?;
            Some((key, claims))
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
        if is_of_another_type(unverified) {
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
        jti.copy_from_slice(digest(&SHA256, proof.jti.as_bytes()).as_ref());
        let (skew, longest_life) = (self.rules.skew, self.rules.longest_life);
        let Dates { iat, exp } = proof.dates;
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
    let fits: Vec<Credential<ClientKey>> = fits.take(MOST_TRIED).cloned().collect();
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

fn is_of_another_type(unverified: &UnverifiedAssertion) -> bool {
    let Some(typ) = &unverified.typ else { return false };
    let typ = typ.to_ascii_lowercase();
    !TYPES.contains(&typ.strip_prefix("application/").unwrap_or(&typ))
}

/// From when until when it is good.
struct Dates {
    iat: Option<Timestamp>,
    exp: Timestamp,
}

/// What a good assertion says.
struct Proof {
    jti: String,
    dates: Dates,
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
        if text(&mut claims, "iss").as_deref() != Some(id)
            || text(&mut claims, "sub").as_deref() != Some(id)
        {
            return Err(AuthFailure::Claim("iss and sub must both be the client_id"));
        }
        if !claims.remove("aud").is_some_and(|aud| audience_is_right(&aud, client, rules, now)) {
            return Err(AuthFailure::Claim("aud must be the issuer, and nothing else"));
        }
        let dates = check_dates(&mut claims, rules, now)?;
        let jti = text(&mut claims, "jti")
            .filter(|jti| (1..=LONGEST_JTI).contains(&jti.chars().count()))
            .ok_or(AuthFailure::Claim("jti is required: a string of 1 to 256 characters"))?;
        let audiences = claims.remove("requested_audiences").map(requested).transpose()?;
        Ok(Self { jti, dates, asserted: Asserted { audiences, custom: claims } })
    }
}

fn text(claims: &mut Map<String, Value>, name: &str) -> Option<String> {
    match claims.remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

/// `aud` must be the issuer as the only value; a client marked so may still send the URL of the
/// token endpoint, which several common libraries do.
fn audience_is_right(aud: &Value, client: &Client, rules: &AssertionRules, now: Timestamp) -> bool {
    let only = match aud {
        Value::String(only) => only,
        Value::Array(list) => match list.as_slice() {
            [Value::String(only)] => only,
            _ => return false,
        },
        _ => return false,
    };
    let legacy = client.legacy_audience.max(rules.legacy_audience_until);
    *only == rules.issuer || (legacy.is_some_and(|end| now < end) && *only == rules.token_endpoint)
}

fn check_dates(
    claims: &mut Map<String, Value>,
    rules: &AssertionRules,
    now: Timestamp,
) -> Result<Dates, AuthFailure> {
    let mut date = |name| claims.remove(name).map(|value| numeric_date(&value)).transpose();
    let malformed = AuthFailure::Claim("exp, iat and nbf must be numbers");
    let exp = date("exp").map_err(|()| malformed)?;
    let iat = date("iat").map_err(|()| malformed)?;
    let nbf = date("nbf").map_err(|()| malformed)?;

    let exp = exp.ok_or(AuthFailure::Claim("exp is required"))?;
    if exp <= now {
        return Err(AuthFailure::Claim("the assertion has expired"));
    }
    if iat.max(nbf).is_some_and(|start| start > now + rules.skew) {
        return Err(AuthFailure::Claim("iat or nbf is in the future"));
    }
    let from_issue = iat.is_none_or(|iat| exp <= iat + rules.longest_life);
    let from_now = exp <= now + rules.longest_life + rules.skew;
    if from_issue && from_now {
        Ok(Dates { iat, exp })
    } else {
        Err(AuthFailure::Claim("the assertion lives too long"))
    }
}

/// A `NumericDate`; fractions of a second are cut off.
fn numeric_date(value: &Value) -> Result<Timestamp, ()> {
    let whole = value.as_u64();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked before")]
    let cut = value.as_f64().filter(|f| (0.0..1e15).contains(f)).map(|f| f as u64);
    whole.or(cut).map(Timestamp).ok_or(())
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
