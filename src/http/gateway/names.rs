//! What the headers are called, worked out once.

use std::borrow::Cow;

use actix_web::dev::RequestHead;
use actix_web::http::header::{HeaderName, HeaderValue};

use crate::config::Config;
use crate::policy::{AnswerHeader, AnswerHeaders, Identity, Request};

use super::original::{Unclear, only};

/// The names that this server uses.
pub(in crate::http) struct Names {
    /// Where `/auth` is.
    pub(super) auth_route: String,
    /// What `/auth` says of who asks.
    pub(super) mia: Vec<(AnswerHeader, HeaderName)>,
    /// What `/forward-auth` says of who asks.
    pub(super) others: Vec<(AnswerHeader, HeaderName)>,
    /// The kind of client, and whether it is a request of the back office, where a gateway is
    /// believed to say it.
    told: Option<(HeaderName, HeaderName)>,
}

impl Names {
    pub(in crate::http) fn of(config: &Config) -> Self {
        let (gateways, prefix) = (&config.gateways, &config.listen.service_prefix);
        let name = |text: &str| HeaderName::from_bytes(text.as_bytes()).ok();
        let told = gateways.trusted.as_ref();
        Self {
            auth_route: format!("{prefix}/auth"),
            mia: named(&AnswerHeader::OF_MIA, &gateways.headers),
            others: named(&AnswerHeader::OF_OTHERS, &gateways.headers),
            told: told.and_then(|it| {
                Some((name(it.client_type.as_str())?, name(it.backoffice.as_str())?))
            }),
        }
    }

    /// The request, with what the gateway says of its client, where it is believed to say it.
    pub(super) fn told<'a>(
        &'a self,
        call: &'a RequestHead,
        request: Request<'a>,
    ) -> Result<Request<'a>, Unclear<'a>> {
        let Some((client_type, backoffice)) = &self.told else { return Ok(request) };
        let unclear = |name: &'a HeaderName| Unclear { header: Some(name.as_str()) };
        let said = |name| only(call.headers(), name).map_err(|_| unclear(name));
        let is_backoffice = match said(backoffice)? {
            Some("1" | "true") => true,
            None | Some("" | "0" | "false") => false,
            Some(_) => return Err(unclear(backoffice)),
        };
        let client_type = said(client_type)?.filter(|kind| !kind.is_empty());
        Ok(Request { client_type, backoffice: is_backoffice, ..request })
    }
}

fn named(headers: &[AnswerHeader], names: &AnswerHeaders) -> Vec<(AnswerHeader, HeaderName)> {
    let name = |header: AnswerHeader| {
        let ours = HeaderName::from_static(header.name()); // costs nothing to copy
        match names.name(header) {
            name if name == ours.as_str() => ours,
            renamed => HeaderName::from_bytes(renamed.as_bytes()).unwrap_or(ours),
        }
    };
    headers.iter().map(|header| (*header, name(*header))).collect()
}

/// What a header says. Every value is one that a header can have; another would say nothing.
pub(super) fn value(identity: &Identity<'_>, header: AnswerHeader) -> HeaderValue {
    let value = match identity.value(header) {
        Cow::Borrowed(value) => HeaderValue::from_str(value).ok(),
        Cow::Owned(value) => HeaderValue::try_from(value).ok(),
    };
    value.unwrap_or_else(|| HeaderValue::from_static(""))
}
