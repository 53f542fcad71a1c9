//! `POST /clients`.

use std::time::Duration;

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};

use crate::clients::create::{self, Grants};
use crate::clients::draft::ClientMetadata;
use crate::domain::permission::CLIENTS_WRITE;
use crate::web::refusal::Refusal;
use crate::web::state::Running;
use crate::web::{ServerState, bearer, body, json};

use super::created;

pub(in crate::http) async fn post(
    app: Running,
    state: web::Data<ServerState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
    let authority = bearer::authority(&app, &request, CLIENTS_WRITE).await?;
    let object = json::object(&body::read(&request, payload, json::MEDIA_TYPE).await?)?;
    create::refuse_unknown(&object)?;
    let metadata: ClientMetadata = json::from_object(object.clone())?;
    let grants: Grants = json::from_object(object)?;

    let longest = Duration::from_secs(app.config.settings.max_token_lifetime);
    let now = app.clock.now();
    let registered =
        create::create(&app.clients, &app.keys, &authority, &metadata, grants, longest, now)
            .await?;

    state.metrics().clients_registered.inc();
    let client_id = &registered.client.id;
    let mut response = created(&app, &registered);
    // Relative: the admin's listener may be reached by another name than the issuer's.
    if let Ok(location) = format!("clients/{client_id}").parse() {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}
