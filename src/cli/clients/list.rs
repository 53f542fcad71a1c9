//! `latchkey clients list`.

use clap::Args;
use serde_json::Value;
use url::Url;

use super::Failure;
use crate::cli::access::{Access, json_of};
use crate::cli::remote::RemoteError;
use crate::cli::{Outcome, date, moment, print};
use crate::domain::auth_method::AuthMethod;
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::printable::escaped;
use crate::domain::state::State;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    access: Access,

    /// Only those that have this in their names, in whatever case
    #[arg(long)]
    name: Option<String>,

    /// Only those in this state: PUBLIC, DRAFT, TRASH or DELETED
    #[arg(long)]
    state: Option<State>,

    /// Only those that hold this permission
    #[arg(long)]
    permission: Option<String>,

    /// Only those that use this: client_secret_basic, client_secret_post or private_key_jwt
    #[arg(long, value_name = "METHOD")]
    auth_method: Option<AuthMethod>,

    /// Only those that got no token since then: a date, or how long ago, such as 90d
    #[arg(long, value_name = "WHEN")]
    unused_since: Option<String>,

    /// Print each client as a line of JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: &Arguments) -> Outcome {
    let filters = arguments.filters()?;
    let api = arguments.access.open().await?;
    if !arguments.json {
        print(&row(["CLIENT ID", "STATE", "METHOD", "LAST LOGIN", "CREDENTIALS", "NAME"]))?;
    }
    let mut cursor: Option<String> = None;
    loop {
        let url = page_url(&api.at(&["clients"]), &filters, cursor.as_deref());
        let page = json_of(api.get(&url).await?, &url)?;
        let strange = || RemoteError::Strange(api.at(&["clients"]));
        let clients = page.get("clients").and_then(Value::as_array).ok_or_else(strange)?;
        for client in clients {
            print(&if arguments.json { client.to_string() } else { row_of(client) })?;
        }
        cursor = page.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
        if cursor.is_none() {
            return Ok(());
        }
    }
}

impl Arguments {
    fn filters(&self) -> Result<Vec<(&'static str, String)>, Failure> {
        let since = self.unused_since.as_deref();
        let since = since.map(|text| moment::moment(text, SystemClock.now())).transpose()?;
        let all = [
            ("name", self.name.clone()),
            ("state", self.state.map(|state| state.to_string())),
            ("permission", self.permission.clone()),
            ("auth_method", self.auth_method.map(|method| method.to_string())),
            ("unused_since", since.map(|since| since.0.to_string())),
        ];
        Ok(all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
    }
}

fn page_url(clients: &Url, filters: &[(&'static str, String)], cursor: Option<&str>) -> Url {
    let mut url = clients.clone();
    let mut query = url.query_pairs_mut();
    query.append_pair("limit", "200");
    for (name, value) in filters {
        query.append_pair(name, value);
    }
    if let Some(cursor) = cursor {
        query.append_pair("cursor", cursor);
    }
    drop(query);
    url
}

fn row_of(client: &Value) -> String {
    let text = |name: &str| client.get(name).and_then(Value::as_str).unwrap_or_default();
    let login = client.get("last_login_at").and_then(date);
    let login = login.unwrap_or_else(|| "never".to_owned());
    let (method, hint) = (text("token_endpoint_auth_method"), hint(client));
    row([text("client_id"), text("__STATE__"), method, &login, &hint, text("client_name")])
}

/// What is to be done about its credentials: those that end soon, and those that may go.
fn hint(client: &Value) -> String {
    let credentials = ["secrets", "keys"].into_iter();
    let credentials: Vec<&Value> =
        credentials.filter_map(|name| client.get(name)?.as_array()).flatten().collect();
    let days = |it: &&Value| it.get("expires_within_days").and_then(Value::as_u64);
    let ends = credentials.iter().filter_map(days).min().map(|days| format!("ends in {days}d"));
    let may_go =
        |it: &&&Value| it.get("safe_to_remove").is_some_and(|safe| *safe == Value::Bool(true));
    let may_go = credentials.iter().filter(may_go).count();
    let may_go = (may_go > 0).then(|| format!("{may_go} to remove"));
    ends.into_iter().chain(may_go).collect::<Vec<_>>().join(", ")
}

fn row([id, state, method, login, hint, name]: [&str; 6]) -> String {
    // A name that another tool wrote must not command a terminal.
    escaped(&format!("{id:<32}  {state:<7}  {method:<19}  {login:<20}  {hint:<24}  {name}"))
        .into_owned()
}
