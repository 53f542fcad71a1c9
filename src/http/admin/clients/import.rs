//! `POST /clients/import`.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::clients::change::By;
use crate::clients::import::{Imported, MOST_AT_ONCE, Mode};
use crate::domain::permission::ADMIN;
use crate::http::client_json::view;
use crate::web::aside::aside;
use crate::web::refusal::Refusal;
use crate::web::state::Running;
use crate::web::{ServerState, bearer, body, json as json_body};

use super::{malformed, no_store};

/// How large the body may be: there are many clients in one.
const LIMIT: usize = 4 * 1024 * 1024;

/// What is said of a client whose secret is kept so.
const BCRYPT: &str =
    "a secret is kept as a bcrypt hash: one of more than 72 octets never matches it";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    clients: Vec<Value>,
    #[serde(default)]
    dry_run: bool,
}

pub(in crate::http) async fn import(
    app: Running,
    state: web::Data<ServerState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
    let authority = bearer::authority(&app, &request, ADMIN).await?;
    let body = body::read_up_to(LIMIT, &request, payload, &[json_body::MEDIA_TYPE]).await?;
    let read =
        aside(move || json_body::object_of_documents(&body).and_then(json_body::from_object));
    let Request { clients, dry_run } = read.await??;
    if !(1..=MOST_AT_ONCE).contains(&clients.len()) {
        let why = format!("`clients` must hold 1 to {MOST_AT_ONCE} documents");
        return Err(malformed(&why).into());
    }

    let by = By { authority: &authority, now: app.clock.now() };
    let mode = if dry_run { Mode::Try } else { Mode::Do };
    let imported = app.clients.import(by, clients, mode, &app.tokens.issuer).await?;

    let added = imported.iter().filter(|client| client.is_new() && !dry_run).count();
    state.metrics().clients_registered.inc_by(u64::try_from(added).unwrap_or_default());
    let results: Vec<Value> = imported.iter().map(shown).collect();
    Ok(no_store().json(json!({ "results": results })))
}

fn shown(imported: &Imported) -> Value {
    let mut shown = Map::new();
    shown.insert("client_id".to_owned(), json!(imported.client_id));
    shown.insert("outcome".to_owned(), json!(imported.outcome));
    if let Some(secret) = &imported.secret {
        shown.insert("client_secret".to_owned(), secret.reveal().into());
    }
    if let Some(reason) = &imported.reason {
        shown.insert("reason".to_owned(), reason.as_str().into());
    }
    let mut shown = Value::Object(shown);
    view::warn(&mut shown, &imported.left_out);
    view::warn(&mut shown, &imported.shared_keys);
    view::warn(&mut shown, imported.large_token);
    view::warn(&mut shown, imported.has_bcrypt.then_some(BCRYPT));
    shown
}
