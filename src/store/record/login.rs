//! When a client last got a token, and when each credential was last used: written behind, beside
//! everything else.

use mongodb::bson::{DateTime, Document};

use crate::oauth::logins::Login;

use super::values::date;
use super::{LAST_LOGIN, LAST_USED};

/// What is set in the document of a client that logged in; names with dots reach into members.
pub(in crate::store) fn login(login: &Login) -> Document {
    let mut set = Document::new();
    set.extend(login.at.map(|at| (LAST_LOGIN.to_owned(), date(at).into())));
    set.extend(used(login).map(|(id, day)| (format!("{LAST_USED}.{id}"), day.into())));
    set
}

/// The same, set in a document that is at hand.
pub(in crate::store) fn set_login(document: &mut Document, login: &Login) {
    if let Some(at) = login.at {
        document.insert(LAST_LOGIN, date(at));
    }
    let mut held = document.get_document(LAST_USED).cloned().unwrap_or_default();
    held.extend(used(login).map(|(id, day)| (id.to_owned(), day.into())));
    if !held.is_empty() {
        document.insert(LAST_USED, held);
    }
}

pub(super) fn used(login: &Login) -> impl Iterator<Item = (&str, DateTime)> {
    let used = login.used.iter().filter(|(credential, _)| credential.is_plain());
    used.map(|(credential, day)| (credential.as_str(), date(*day)))
}
