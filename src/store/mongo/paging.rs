//! Going through all clients, page by page, in the order of their `_id`: for an `ObjectId` that is
//! the order in which they came.

use futures_util::TryStreamExt;
use mongodb::Collection;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, RawDocumentBuf, doc};
use mongodb::error::Error;

use super::hex;
use crate::store::Document;

/// Before the hex of an `_id` that is no `ObjectId`, in a cursor.
const OTHER: &str = "x-";

/// The least `_id` of every type that is looked for; a comparison matches values of one type only.
/// Other tools may use other types than ours; a server may also turn ours into text.
fn least() -> [Bson; 4] {
    [
        Bson::ObjectId(ObjectId::from_bytes([0; 12])),
        Bson::String(String::new()),
        Bson::Double(f64::NEG_INFINITY),
        Bson::Binary(Binary { subtype: BinarySubtype::Generic, bytes: Vec::new() }),
    ]
}

/// Which of the types of [`least`] it is.
fn kind(id: &Bson) -> usize {
    match id {
        Bson::String(_) => 1,
        Bson::Double(_) | Bson::Int32(_) | Bson::Int64(_) | Bson::Decimal128(_) => 2,
        Bson::Binary(_) => 3,
        _ => 0,
    }
}

/// Up to `limit` documents behind the one with this `_id`, and the cursor of the last of them if
/// there are more. As they came: one that cannot be read must not hide the others.
pub(super) async fn page(
    clients: &Collection<Document>,
    after: Option<Bson>,
    limit: usize,
) -> Result<(Vec<RawDocumentBuf>, Option<String>), Error> {
    let clients = clients.clone_with_type::<RawDocumentBuf>();
    let mut last = after;
    let first = last.as_ref().map_or(0, kind);
    let mut found = Vec::new();
    for least in least().into_iter().skip(first) {
        let rest = last.take().map_or(doc! { "$gte": least }, |last| doc! { "$gt": last });
        let wanted = limit.saturating_add(1) - found.len();
        let documents = clients
            .find(doc! { "_id": rest })
            .sort(doc! { "_id": 1 })
            .limit(i64::try_from(wanted).unwrap_or(i64::MAX))
            .await?;
        found.extend(documents.try_collect::<Vec<_>>().await?);
        if found.len() > limit {
            found.truncate(limit);
            let last = found.last().and_then(|document| document.get("_id").ok()?);
            let last = last.and_then(|id| Bson::try_from(id).ok());
            return Ok((found, last.as_ref().map(cursor_of)));
        }
    }
    Ok((found, None))
}

/// A place among all documents: of which kind their `_id` is, and behind which.
pub(super) struct Place {
    kind: usize,
    after: Option<Bson>,
}

/// The condition that the next `limit` documents fulfil, how many they are, and where to go on. Those
/// whose `_id` is of no type that is looked for come last, all at once.
pub(super) async fn range(
    clients: &Collection<Document>,
    after: Option<Place>,
    limit: usize,
) -> Result<(Document, usize, Option<String>), Error> {
    let Place { kind, after } = after.unwrap_or(Place { kind: 0, after: None });
    let least = least();
    let Some(first) = least.get(kind) else {
        let others: Vec<Document> =
            least.into_iter().map(|least| doc! { "_id": { "$gte": least } }).collect();
        return Ok((doc! { "$nor": others }, 0, None));
    };
    let rest = after.map_or(doc! { "$gte": first }, |after| doc! { "$gt": after });
    let ids: Vec<RawDocumentBuf> = clients
        .clone_with_type::<RawDocumentBuf>()
        .find(doc! { "_id": &rest })
        .projection(doc! { "_id": 1 })
        .sort(doc! { "_id": 1 })
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .await?
        .try_collect()
        .await?;
    let end = ids.last().filter(|_| ids.len() == limit).and_then(|end| end.get("_id").ok()?);
    let Some(end) = end.and_then(|id| Bson::try_from(id).ok()) else {
        return Ok((doc! { "_id": rest }, ids.len(), Some(format!("{} ", kind + 1))));
    };
    let next = format!("{kind} {}", cursor_of(&end));
    let range = doc! { "$and": [{ "_id": rest }, { "_id": { "$lte": end } }] };
    Ok((range, ids.len(), Some(next)))
}

pub(super) fn place_of(cursor: &str) -> Option<Place> {
    let (kind, after) = cursor.split_once(' ')?;
    Some(Place { kind: kind.parse().ok()?, after: id_of(after) })
}

fn cursor_of(id: &Bson) -> String {
    match id {
        Bson::ObjectId(id) => id.to_hex(),
        other => {
            format!("{OTHER}{}", hex(other.clone().into_canonical_extjson().to_string().as_bytes()))
        }
    }
}

pub(super) fn id_of(cursor: &str) -> Option<Bson> {
    let Some(other) = cursor.strip_prefix(OTHER) else {
        return ObjectId::parse_str(cursor).ok().map(Bson::ObjectId);
    };
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Vec<u8> = other.as_bytes().chunks(2).map(pair).collect::<Option<_>>()?;
    let json: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
    Bson::try_from(json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_its_id() {
        for id in [
            Bson::ObjectId(ObjectId::from_bytes([7; 12])),
            Bson::from("65f0c0ffee65f0c0ffee65f0"),
            Bson::from("é\"x-"),
            Bson::Int64(7),
            Bson::Double(7.5),
            Bson::Binary(Binary { subtype: BinarySubtype::Uuid, bytes: vec![1; 16] }),
        ] {
            let cursor = cursor_of(&id);
            assert!(cursor.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'), "{cursor}");
            assert_eq!(id_of(&cursor), Some(id));
        }
        for garbage in ["", "x-", "x-7", "x-zz", "5", "x-7b7d7b"] {
            assert_eq!(id_of(garbage), None, "{garbage}");
        }
    }
}
