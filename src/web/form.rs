//! The parameters of a form, strictly.

use std::collections::BTreeMap;

use actix_web::HttpRequest;
use actix_web::web::Payload;
use zeroize::Zeroizing;

use crate::assembly::App;
use crate::domain::audience::{self, Audience};
use crate::domain::lists::{self, ListLimits};
use crate::domain::resource::Resource;
use crate::domain::scope::Scope;
use crate::domain::token_size::LONGEST;
use crate::oauth::error::OAuthError;
use crate::oauth::token::{TokenRequest, one_list};

use super::body;
use super::refusal::Refusal;

pub(crate) const MEDIA_TYPE: &str = "application/x-www-form-urlencoded";

/// The parameters that may be repeated: RFC 8707 §2 says so of `resource`.
const AUDIENCE: &str = "audience";
const RESOURCE: &str = "resource";

/// How many parameters a form may have beside those that may be repeated.
const MOST_OTHERS: usize = 64;

/// The parameters that were sent with a value. Holds secrets: never log it. They are wiped with it.
pub struct Form {
    values: BTreeMap<String, Zeroizing<String>>,
    audience: Vec<String>,
    resource: Vec<String>,
}

/// Reads the form that is the body of a request.
pub(crate) async fn read(
    app: &App,
    request: &HttpRequest,
    payload: Payload,
) -> Result<Form, Refusal> {
    let body = body::read(request, payload, MEDIA_TYPE).await?;
    Ok(Form::parse(&body, &app.tokens.issuer.rules.lists)?)
}

/// Reads a form with a token in it: there is room for every token that is issued.
pub(crate) async fn read_with_token(
    app: &App,
    request: &HttpRequest,
    payload: Payload,
) -> Result<Form, Refusal> {
    let limit = app.config.listen.body_limit.max(2 * LONGEST);
    let body = body::read_up_to(limit, request, payload, &[MEDIA_TYPE]).await?;
    Ok(Form::parse(&body, &app.tokens.issuer.rules.lists)?)
}

impl Form {
    /// A repeated parameter is an error and an empty one counts as absent:
    /// [RFC 6749 §3.2](https://www.rfc-editor.org/rfc/rfc6749#section-3.2).
    ///
    /// Nobody has proved anything yet: values are taken as they are, and not looked into.
    pub fn parse(body: &[u8], limits: &ListLimits) -> Result<Self, OAuthError> {
        let most = limits.audiences.saturating_mul(2).saturating_add(MOST_OTHERS);
        if body.split(|byte| *byte == b'&').nth(most).is_some() {
            return Err(OAuthError::TooManyParameters(most));
        }
        let mut form = Self { values: BTreeMap::new(), audience: Vec::new(), resource: Vec::new() };
        if std::str::from_utf8(body).is_err() {
            return Err(OAuthError::NotAForm);
        }
        for (name, value) in form_urlencoded::parse(body) {
            match &*name {
                AUDIENCE => form.audience.push(value.into_owned()),
                RESOURCE => form.resource.push(value.into_owned()),
                _ => {
                    let value = Zeroizing::new(value.into_owned());
                    if form.values.insert(name.to_string(), value).is_some() {
                        return Err(OAuthError::Repeated(name.into_owned()));
                    }
                }
            }
        }
        form.values.retain(|_, value| !value.is_empty());
        Ok(form)
    }

    /// The value of a parameter, if it was sent with one.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|value| value.as_str())
    }

    /// What is asked for, beside the proof of who asks. For callers that have proved it: here the
    /// values are looked into.
    pub fn token_request(&self, limits: &ListLimits) -> Result<TokenRequest, OAuthError> {
        let (audience, resource) =
            (self.audience(limits.audiences)?, self.resource(limits.audiences)?);
        Ok(TokenRequest {
            scope: self.scope(limits.scopes)?,
            audience: one_list(audience, resource)?,
        })
    }

    fn scope(&self, most: usize) -> Result<Option<Scope>, OAuthError> {
        let text = self.value("scope").unwrap_or_default();
        if lists::items(text).count() > most {
            return Err(OAuthError::TooManyScopes(most));
        }
        let scope: Scope = text.parse().map_err(|_| OAuthError::MalformedScope)?;
        Ok((!scope.is_empty()).then_some(scope))
    }

    fn audience(&self, most: usize) -> Result<Option<Vec<Audience>>, OAuthError> {
        let joined = self.audience.join(" ");
        if lists::items(&joined).count() > most {
            return Err(OAuthError::TooManyAudiences(most));
        }
        let list = audience::parse_list(&joined).map_err(|_| OAuthError::Malformed(AUDIENCE))?;
        Ok((!list.is_empty()).then_some(list))
    }

    /// A resource has no spaces in it: one parameter names one.
    fn resource(&self, most: usize) -> Result<Option<Vec<Audience>>, OAuthError> {
        let sent = self.resource.iter().filter(|resource| !resource.is_empty());
        if sent.clone().count() > most {
            return Err(OAuthError::TooManyAudiences(most));
        }
        let read = sent.map(|text| text.parse().map_err(|_| OAuthError::MalformedResource));
        let list: Vec<Resource> = read.collect::<Result<_, _>>()?;
        let list = lists::unique(list.into_iter().map(Audience::from));
        Ok((!list.is_empty()).then_some(list))
    }
}
