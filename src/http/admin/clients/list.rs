//! `GET /clients`.

use actix_web::http::header::ContentType;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use crate::clients::Cursor;
use crate::clients::error::ClientsError;
use crate::clients::list::Filter;
use crate::domain::clock::Timestamp;
use crate::domain::permission::CLIENTS_READ;
use crate::domain::printable::misfit;
use crate::http::client_json::view;
use crate::web::aside::aside;
use crate::web::bearer;
use crate::web::refusal::Refusal;
use crate::web::state::Running;

use super::{malformed, no_store};

/// How many clients a page has, unless the caller says otherwise; and at most.
const PAGE: usize = 50;
const LONGEST_PAGE: usize = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    cursor: Option<String>,
    limit: Option<usize>,
    name: Option<String>,
    state: Option<String>,
    permission: Option<String>,
    auth_method: Option<String>,
    unused_since: Option<u64>,
}

pub(in crate::http) async fn list(
    app: Running,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    bearer::authority(&app, &request, CLIENTS_READ).await?;
    let query: web::Query<Query> = web::Query::from_query(request.query_string())
        .map_err(|error| malformed(&format!("query: {}", misfit(&error.to_string()))))?;
    let query = query.into_inner();
    let limit = query.limit.unwrap_or(PAGE);
    if !(1..=LONGEST_PAGE).contains(&limit) {
        return Err(malformed(&format!("`limit` must be from 1 to {LONGEST_PAGE}")).into());
    }
    let filter = query.filter()?;
    let after = query.cursor.map(Cursor);

    let page = app.clients.list(&filter, after, limit).await?;

    let watch = app.clients.watch.at(app.clock.now());
    let shown = aside(move || {
        let clients: Vec<_> = page.clients.iter().map(|it| view::client(it, watch)).collect();
        let next = page.next.map(|cursor| cursor.0);
        serde_json::json!({ "clients": clients, "next_cursor": next }).to_string()
    });
    Ok(no_store().content_type(ContentType::json()).body(shown.await?))
}

impl Query {
    fn filter(&self) -> Result<Filter, ClientsError> {
        let parsed =
            |name: &str, error: &dyn std::fmt::Display| malformed(&format!("`{name}`: {error}"));
        let state = self.state.as_deref().map(str::parse).transpose();
        let permission = self.permission.as_deref().map(str::parse).transpose();
        let method = self.auth_method.as_deref().map(str::parse).transpose();
        Ok(Filter {
            name: self.name.clone(),
            state: state.map_err(|error| parsed("state", &error))?,
            permission: permission.map_err(|error| parsed("permission", &error))?,
            auth_method: method.map_err(|error| parsed("auth_method", &error))?,
            unused_since: self.unused_since.map(Timestamp),
        })
    }
}
