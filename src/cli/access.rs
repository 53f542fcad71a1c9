//! How a command gets at what only an administrator may do.

use std::path::{Path, PathBuf};

use clap::Args;
use reqwest::{Method, RequestBuilder};
use secrecy::SecretString;
use serde_json::Value;
use url::Url;

use crate::assembly::admin_file;

use super::credential::{self, Credential, access_token, secret_in, secret_in_environment};
use super::remote::{Answer, RemoteError, Server, exchange};
use super::variable;

type Failure = Box<dyn std::error::Error>;

/// Where the embedded store keeps the credentials unless it is told otherwise.
const ADMIN_FILE: &str = "./data/admin.json";

/// Which server, and as whom.
#[derive(Args)]
pub(super) struct Access {
    #[command(flatten)]
    server: Server,

    /// Where the administrator's routes are, if they have a listener of their own; with the service prefix, if any
    #[arg(long, value_name = "URL")]
    admin_url: Option<Url>,

    /// The client to act as [env: LATCHKEY_ADMIN_CLIENT_ID]
    #[arg(long, value_name = "ID", requires = "secret_file")]
    client_id: Option<String>,

    /// A file with its secret [env: LATCHKEY_ADMIN_SECRET_FILE; LATCHKEY_ADMIN_SECRET: the secret]
    #[arg(long, value_name = "FILE", requires = "client_id")]
    secret_file: Option<PathBuf>,

    /// A file with both, as an embedded store makes it [default: ./data/admin.json]
    #[arg(long, value_name = "FILE", conflicts_with = "client_id")]
    admin_file: Option<PathBuf>,
}

/// The admin API, open to us.
pub(super) struct Api {
    base: Url,
    token: String,
}

impl Api {
    /// The URL of a route, given by the segments of its path.
    pub(super) fn at(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    /// Reads.
    pub(super) async fn get(&self, url: &Url) -> Result<Answer, RemoteError> {
        self.exchange(Method::GET, url, |request| request).await
    }

    /// Sends JSON.
    pub(super) async fn post(&self, url: &Url, body: &Value) -> Result<Answer, RemoteError> {
        self.exchange(Method::POST, url, |request| request.json(body)).await
    }

    /// Sends any request, with the access token.
    pub(super) async fn exchange(
        &self,
        method: Method,
        url: &Url,
        more: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<Answer, RemoteError> {
        exchange(url, |http| more(http.request(method, url.clone()).bearer_auth(&self.token))).await
    }
}

/// The JSON of an answer that must have some.
pub(super) fn json_of(answer: Answer, url: &Url) -> Result<Value, RemoteError> {
    answer.body.ok_or_else(|| RemoteError::Strange(url.clone()))
}

impl Access {
    /// Gets a token, and finds out where the admin API is.
    pub(super) async fn open(&self) -> Result<Api, Failure> {
        let (client_id, secret) = self.credentials()?;
        let server = self.server.discover().await?;
        let base = match &self.admin_url {
            Some(url) => url.clone(),
            None => server.beside_token_endpoint("")?,
        };
        let secret = Credential::Secret(secret);
        let answer = credential::token(&server, &client_id, &secret, &[]).await?;
        let token = access_token(&server, &answer)?.to_owned();
        Ok(Api { base, token })
    }

    /// What is named on the command line; else what the environment holds; else the file.
    fn credentials(&self) -> Result<(String, SecretString), Failure> {
        if let (Some(id), Some(file)) = (&self.client_id, &self.secret_file) {
            return Ok((id.clone(), secret_in(file)?));
        }
        if let Some(file) = &self.admin_file {
            return from_file(file)?
                .ok_or_else(|| format!("there is no `{}`", file.display()).into());
        }
        let id = variable("LATCHKEY_ADMIN_CLIENT_ID");
        if let (Some(id), Some(secret)) = (id, secret_in_environment("LATCHKEY_ADMIN_SECRET")?) {
            return Ok((id, secret));
        }
        from_file(Path::new(ADMIN_FILE))?.ok_or_else(|| {
            format!(
                "no administrator credentials: run this where `{ADMIN_FILE}` is, name such a file with --admin-file, \
                 give --client-id and --secret-file, or set LATCHKEY_ADMIN_CLIENT_ID and \
                 LATCHKEY_ADMIN_SECRET"
            )
            .into()
        })
    }
}

fn from_file(path: &Path) -> Result<Option<(String, SecretString)>, Failure> {
    let found = admin_file::read(path)
        .map_err(|error| format!("`{}` cannot be used: {error}", path.display()))?;
    Ok(found.map(|found| {
        (found.client_id.to_string(), SecretString::from(found.secret.reveal().to_owned()))
    }))
}
