//! What one replica does for all of them: a lease says which.

use mongodb::Collection;
use mongodb::bson::doc;
use mongodb::error::Error;

use crate::domain::clock::Timestamp;
use crate::store::{Document, record};

use super::unless_duplicate;

/// Takes or renews a lease. Whether this holder has it now.
///
/// A compare-and-swap of a version: on a server where that is not atomic two may hold it at once.
pub(super) async fn take(
    meta: &Collection<Document>,
    name: &str,
    holder: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool, Error> {
    let Some(held) = meta.find_one(doc! { "_id": name }).await? else {
        let first =
            doc! { "_id": name, "holder": holder, "until": record::date(until), "version": 1 };
        return unless_duplicate(meta.insert_one(first).await);
    };
    let is_ours = held.get_str("holder").is_ok_and(|other| other == holder);
    if !is_ours && record::timestamp(held.get("until")).is_some_and(|end| now < end) {
        return Ok(false);
    }
    let version = record::number(held.get("version"));
    let next = version.unwrap_or(0) + 1;
    let change = doc! { "holder": holder, "until": record::date(until), "version": next };
    let unchanged = doc! { "_id": name, "version": held.get("version").cloned() };
    Ok(meta.update_one(unchanged, doc! { "$set": change }).await?.matched_count == 1)
}
