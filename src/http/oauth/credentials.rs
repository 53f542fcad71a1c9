//! What a caller shows to prove who it is: exactly one thing, in one place. RFC 6749 §2.3.

use std::mem::take;

use actix_web::http::header::{AUTHORIZATION, HeaderValue};
use actix_web::{HttpMessage, HttpRequest};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::GeneralPurposeConfig;
use zeroize::Zeroizing;

use crate::assembly::App;
use crate::domain::clock::Timestamp;
use crate::domain::secret::ClientSecret;
use crate::oauth::authenticate::{AuthenticatedClient, Presented};
use crate::oauth::error::{AuthFailure, OAuthError};
use crate::telemetry::{LimitLabels, Metrics};
use crate::web::form::Form;
use crate::web::origin::ClaimedClient;
use crate::web::{ServerState, address};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Some clients leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The client that is asking, if it proves it. Every route that authenticates clients does it here,
/// so that failures at all of them count together.
pub(in crate::http) async fn authenticated(
    app: &App,
    state: &ServerState,
    request: &HttpRequest,
    presented: &Presented,
    now: Timestamp,
) -> Result<AuthenticatedClient, OAuthError> {
    let trusted = &app.config.listen.trusted_proxies;
    let caller = address::counted(request, trusted, state.untrusted_proxies());
    let proved = app.tokens.authenticator.authenticate(presented, caller, now).await;
    let claimed = match &proved {
        Ok(client) => client.client().id.to_string(),
        Err(_) => app.tokens.authenticator.claimed(presented),
    };
    request.extensions_mut().insert(ClaimedClient(claimed));
    proved.inspect_err(|error| count(error, state.metrics()))
}

/// Counts a refusal that is about how often somebody asks.
pub(in crate::http) fn count(error: &OAuthError, metrics: &Metrics) {
    match error {
        OAuthError::Throttled(throttled) => {
            let limit = throttled.limit.as_str();
            metrics.throttled.get_or_create(&LimitLabels { limit }).inc();
        }
        OAuthError::Quota(_) => drop(metrics.quota_refusals.inc()),
        _ => {}
    }
}

/// Finds the one proof in the request.
pub(in crate::http) fn presented(
    request: &HttpRequest,
    form: &Form,
) -> Result<Presented, OAuthError> {
    refuse_in_query(request.query_string())?;
    let mut headers = request.headers().get_all(AUTHORIZATION);
    let (header, second) = (headers.next(), headers.next());
    let secret = form.value("client_secret");
    let assertion = form.value("client_assertion");
    let assertion_type = form.value("client_assertion_type");
    let ways = usize::from(header.is_some())
        + usize::from(secret.is_some())
        + usize::from(assertion.is_some() || assertion_type.is_some());
    if second.is_some() || ways > 1 {
        return Err(OAuthError::TwoCredentials);
    }

    let client_id = form.value("client_id");
    if let Some(header) = header {
        let (id, secret) = basic(header).ok_or(AuthFailure::MalformedHeader)?;
        if client_id.is_some_and(|named| named != id) {
            return Err(OAuthError::TwoClients);
        }
        return Ok(Presented::Secret { client_id: id, secret });
    }
    if let Some(secret) = secret {
        let client_id = client_id.ok_or(OAuthError::Missing("client_id"))?.to_owned();
        return Ok(Presented::Secret { client_id, secret: secret.to_owned().into() });
    }
    match (assertion, assertion_type) {
        (None, None) => Err(AuthFailure::Missing.into()),
        (None, Some(_)) => Err(OAuthError::Missing("client_assertion")),
        (Some(_), None) => Err(OAuthError::Missing("client_assertion_type")),
        (Some(assertion), Some(ASSERTION_TYPE)) => Ok(Presented::Assertion {
            client_id: client_id.map(str::to_owned),
            assertion: assertion.to_owned(),
        }),
        (Some(_), Some(_)) => Err(OAuthError::Malformed("client_assertion_type")),
    }
}

/// A bearer token proves who asks; a second proof beside it is one too many.
pub(in crate::http) fn refuse_beside_a_token(
    request: &HttpRequest,
    form: &Form,
) -> Result<(), OAuthError> {
    refuse_in_query(request.query_string())?;
    let proofs = ["client_secret", "client_assertion", "client_assertion_type"];
    match proofs.iter().any(|name| form.value(name).is_some()) {
        true => Err(OAuthError::TwoCredentials),
        false => Ok(()),
    }
}

/// A URL ends up in logs: RFC 6749 §2.3.1 forbids it.
fn refuse_in_query(query: &str) -> Result<(), OAuthError> {
    let secret = ["client_id", "client_secret", "client_assertion"];
    let mut names = form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name);
    match names.any(|name| secret.contains(&&*name)) {
        true => Err(OAuthError::QueryCredentials),
        false => Ok(()),
    }
}

/// Both halves are form-encoded before they are joined:
/// [RFC 6749 §2.3.1](https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1).
fn basic(header: &HeaderValue) -> Option<(String, ClientSecret)> {
    let (scheme, encoded) = header.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = Zeroizing::new(BASE64.decode(encoded.trim()).ok()?);
    let (id, secret) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    let (id, mut secret) = (form_decoded(id)?, form_decoded(secret)?);
    Some((id.to_string(), take(&mut *secret).into()))
}

/// Decodes one value. A separator in it would be an error in the encoding; there it is itself.
fn form_decoded(text: &str) -> Option<Zeroizing<String>> {
    let escaped = Zeroizing::new(text.replace('&', "%26"));
    let one = Zeroizing::new(format!("v={}", *escaped));
    let (_, value) = form_urlencoded::parse(one.as_bytes()).next()?;
    Some(Zeroizing::new(value.into_owned()))
}
