//! `POST /clients`.

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};

use crate::clients::change::By;
use crate::domain::permission::CLIENTS_WRITE;
use crate::http::client_json::new_client_with_grants;
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
    let members = json::members(&body::read(&request, payload, json::MEDIA_TYPE).await?)?;
    let (new, grants) = new_client_with_grants(members)?;

    let by = By { authority: &authority, now: app.clock.now() };
    let registered = app.clients.create(by, new, grants).await?;

    state.metrics().clients_registered.inc();
    let client_id = &registered.client.id;
    let mut response = created(&app, &registered);
    // Relative: the admin's listener may be reached by another name than the issuer's.
    if let Ok(location) = format!("clients/{client_id}").parse() {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}
