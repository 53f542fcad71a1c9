//! Members of a registration that say nothing here: RFC 7591 §2 says what they hold all the same, and
//! a client that gets that wrong must hear of it.

use serde_json::{Map, Value};

use crate::domain::scope::Scope;

use crate::clients::error::{ClientsError, refused};

/// Those that are text, also with a language behind a `#`.
const TEXTS: [&str; 8] = [
    "client_name",
    "client_uri",
    "logo_uri",
    "policy_uri",
    "software_id",
    "software_statement",
    "software_version",
    "tos_uri",
];

/// Those that are lists of texts.
const LISTS: [&str; 2] = ["contacts", "redirect_uris"];

/// Refuses members of the wrong type. `null` is absent: RFC 7592 §2.2.
pub(super) fn well_typed(members: &Map<String, Value>) -> Result<(), ClientsError> {
    for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
        let member = name.split_once('#').map_or(name.as_str(), |(member, _)| member);
        if TEXTS.contains(&member) && !value.is_string() {
            return refused(format!("`{member}` is a string"));
        }
        let is_list = || value.as_array().is_some_and(|list| list.iter().all(Value::is_string));
        if LISTS.contains(&name.as_str()) && !is_list() {
            return refused(format!("`{name}` is a list of strings"));
        }
        let is_scope = || value.as_str().is_some_and(|scope| scope.parse::<Scope>().is_ok());
        if name == "scope" && !is_scope() {
            return refused("`scope` is a string of scopes with spaces between them");
        }
    }
    Ok(())
}
