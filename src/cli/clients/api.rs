//! The routes about clients.

use reqwest::header::{CONTENT_TYPE, IF_MATCH};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use url::Url;

use crate::cli::access::Api;
use crate::cli::remote::{Answer, RemoteError};

/// RFC 7396 §4.
const MERGE_PATCH: &str = "application/merge-patch+json";

impl Api {
    /// What is below the client of this id.
    pub(super) fn client(&self, id: &str, below: &[&str]) -> Url {
        let path: Vec<&str> = ["clients", id].into_iter().chain(below.iter().copied()).collect();
        self.at(&path)
    }

    /// Changes, if the tag is still right.
    pub(super) async fn patch(
        &self,
        url: &Url,
        body: &Value,
        tag: Option<&str>,
    ) -> Result<Answer, RemoteError> {
        let patched = |request: RequestBuilder| {
            if_match(request, tag).header(CONTENT_TYPE, MERGE_PATCH).body(body.to_string())
        };
        self.exchange(Method::PATCH, url, patched).await
    }

    /// Removes, if the tag is still right.
    pub(super) async fn delete(&self, url: &Url, tag: Option<&str>) -> Result<Answer, RemoteError> {
        self.exchange(Method::DELETE, url, |request| if_match(request, tag)).await
    }
}

/// RFC 9110 §13.1.1.
pub(super) fn if_match(request: RequestBuilder, tag: Option<&str>) -> RequestBuilder {
    match tag {
        Some(tag) => request.header(IF_MATCH, tag),
        None => request,
    }
}

/// Ends the tokens that were issued so far.
pub(super) fn revoke_tokens(url: &mut Url) {
    url.query_pairs_mut().append_pair("revoke_tokens", "true");
}
