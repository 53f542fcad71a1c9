//! Brings messages to a webhook.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, StatusCode};
use url::Url;

use crate::audit::message::Message;
use crate::audit::{Messenger, Undelivered};

/// How long one attempt may take altogether.
const PATIENCE: Duration = Duration::from_secs(10);

/// Posts to one URL. Follows no redirect: what is signed for one place is none of another's
/// business.
pub struct HttpMessenger {
    http: Client,
    url: Url,
}

impl HttpMessenger {
    /// To this URL.
    pub fn new(url: Url) -> Result<Self, reqwest::Error> {
        let builder = Client::builder()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("latchkey/", env!("CARGO_PKG_VERSION")));
        // In the clear it goes to this machine only: by no proxy, and with no certificate to check.
        let builder = match url.scheme() {
            "http" => builder.no_proxy().tls_certs_only([]),
            _ => builder,
        };
        Ok(Self { http: builder.build()?, url })
    }
}

#[async_trait]
impl Messenger for HttpMessenger {
    async fn send(&self, message: &Message) -> Result<(), Undelivered> {
        let request = self
            .http
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", &message.id)
            .header("webhook-timestamp", message.at.0)
            .header("webhook-signature", &message.signature)
            .body(message.body.clone());
        // The URL may hold what is to be kept from the log.
        let response = request.send().await.map_err(|error| away(&error.without_url()))?;
        judged(response.status())
    }
}

fn judged(status: StatusCode) -> Result<(), Undelivered> {
    let later = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
    if status.is_success() {
        Ok(())
    } else if status.is_client_error() && !later.contains(&status) {
        Err(Undelivered::Refused(status.as_u16()))
    } else {
        Err(Undelivered::Away(format!("it answers {status}")))
    }
}

fn away(error: &reqwest::Error) -> Undelivered {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    Undelivered::Away(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_success_is_success() {
        #[rustfmt::skip]
        let cases = [
            (200, "told"), (202, "told"), (204, "told"),
            (301, "away"), (307, "away"), (408, "away"), (429, "away"), (500, "away"), (503, "away"),
            (400, "refused"), (401, "refused"), (404, "refused"), (410, "refused"), (413, "refused"),
        ];
        for (status, expected) in cases {
            let found = match judged(StatusCode::from_u16(status).unwrap()) {
                Ok(()) => "told",
                Err(Undelivered::Away(_)) => "away",
                Err(Undelivered::Refused(_)) => "refused",
            };
            assert_eq!(found, expected, "{status}");
        }
    }
}
