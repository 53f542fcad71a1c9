//! `GET /audit`: who did what.

use actix_web::http::header::ContentType;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use crate::audit::{Action, AuditQuery};
use crate::clients::error::ClientsError;
use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;
use crate::domain::permission::AUDIT_READ;
use crate::domain::printable::misfit;
use crate::web::aside::aside;
use crate::web::bearer;
use crate::web::refusal::Refusal;
use crate::web::state::Running;

use super::clients::no_store;

/// How many records a page has, unless the caller says otherwise; and at most.
const PAGE: usize = 50;
const LONGEST_PAGE: usize = 200;
/// The longest cursor: an id of a record.
const LONGEST_CURSOR: usize = 64;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Query {
    client_id: Option<String>,
    actor: Option<String>,
    action: Option<String>,
    from: Option<String>,
    to: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

pub(in crate::http) async fn list(
    app: Running,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    bearer::authority(&app, &request, AUDIT_READ).await?;
    let query: web::Query<Query> =
        web::Query::from_query(request.query_string()).map_err(|error| {
            ClientsError::Malformed(format!("query: {}", misfit(&error.to_string())))
        })?;
    let asked = query.into_inner().parsed()?;

    let one_more = AuditQuery { limit: asked.limit + 1, ..asked.clone() };
    let records = app.audit_trail.records(&one_more).await.map_err(ClientsError::from)?;

    let shown = aside(move || {
        let page = records.get(..asked.limit).unwrap_or(&records);
        let next = page.last().filter(|_| page.len() < records.len()).map(|record| &record.id);
        json!({ "records": page, "next_cursor": next }).to_string()
    });
    Ok(no_store().content_type(ContentType::json()).body(shown.await?))
}

impl Query {
    fn parsed(self) -> Result<AuditQuery, ClientsError> {
        let limit = self.limit.unwrap_or(PAGE);
        if !(1..=LONGEST_PAGE).contains(&limit) {
            return Err(malformed(&format!("`limit` must be from 1 to {LONGEST_PAGE}")));
        }
        let client = |id: &String| id.parse::<ClientId>().is_ok();
        let action = |name: &String| name.parse::<Action>().is_ok();
        let actor = |name: &String| !name.is_empty() && !name.contains(char::is_control);
        Ok(AuditQuery {
            client_id: checked(self.client_id, client, "`client_id` is not a client id")?,
            actor: checked(self.actor, actor, "`actor` is not an actor")?,
            action: checked(self.action, action, "unknown audit action")?,
            from: moment("from", self.from)?,
            to: moment("to", self.to)?,
            after: match self.cursor {
                Some(cursor) if !is_cursor(&cursor) => return Err(ClientsError::Cursor),
                cursor => cursor,
            },
            limit,
        })
    }
}

fn checked(
    value: Option<String>,
    is_good: impl Fn(&String) -> bool,
    why: &str,
) -> Result<Option<String>, ClientsError> {
    match value {
        Some(value) if !is_good(&value) => Err(malformed(why)),
        value => Ok(value),
    }
}

fn is_cursor(text: &str) -> bool {
    (1..=LONGEST_CURSOR).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// A `NumericDate`, or a date as RFC 3339 has it.
fn moment(name: &str, text: Option<String>) -> Result<Option<Timestamp>, ClientsError> {
    let Some(text) = text else { return Ok(None) };
    let number = || text.parse().ok().filter(|_| !text.starts_with('+')).map(Timestamp);
    let why = || malformed(&format!("`{name}` must be seconds since the Unix epoch, or RFC 3339"));
    number().or_else(|| Timestamp::from_rfc3339(&text)).map(Some).ok_or_else(why)
}

fn malformed(why: &str) -> ClientsError {
    ClientsError::Malformed(why.to_owned())
}
