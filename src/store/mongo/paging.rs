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
/// Before the number of documents that have gone before, in a cursor among [`others`].
const NUMBERED: &str = "n-";

/// The types of `_id` that tools use, as conditions; a comparison matches values of one type only,
/// but for NX-27017, to which a flag is a number. A server may also turn our type into text.
fn kinds() -> [Document; 4] {
    [
        doc! { "$gte": ObjectId::from_bytes([0; 12]) },
        doc! { "$gte": "" },
        doc! { "$gte": f64::NEG_INFINITY, "$nin": [true, false] },
        doc! { "$gte": Binary { subtype: BinarySubtype::Generic, bytes: Vec::new() } },
    ]
}

/// Which of the [`kinds`] it is.
fn kind(id: &Bson) -> usize {
    match id {
        Bson::String(_) | Bson::Symbol(_) => 1,
        Bson::Double(_) | Bson::Int32(_) | Bson::Int64(_) | Bson::Decimal128(_) => 2,
        Bson::Binary(_) => 3,
        _ => 0,
    }
}

/// Those of a kind, or what is left of them.
fn rest(mut kind: Document, after: Option<&Bson>) -> Document {
    if let Some(after) = after {
        kind.remove("$gte");
        kind.insert("$gt", after);
    }
    doc! { "_id": kind }
}

/// Every other type of `_id`: dates, documents, flags and what else there is. Some servers cannot
/// compare these, and one closes the connection if it is asked to.
fn others() -> Document {
    doc! { "$nor": kinds().map(|kind| doc! { "_id": kind }).to_vec() }
}

/// Where a page ended.
#[derive(Debug, PartialEq)]
pub(super) enum After {
    /// Behind the document with this `_id`.
    Id(Bson),
    /// Behind so many of the [`others`].
    Others(u64),
}

/// Up to `limit` documents behind that place, and the cursor of the last of them if there are more.
/// As they came: one that cannot be read must not hide the others.
pub(super) async fn page(
    clients: &Collection<Document>,
    after: Option<After>,
    limit: usize,
) -> Result<(Vec<RawDocumentBuf>, Option<String>), Error> {
    let mut found = Vec::new();
    let (mut last, passed) = match after {
        None => (None, None),
        Some(After::Id(id)) => (Some(id), None),
        Some(After::Others(passed)) => (None, Some(passed)),
    };
    if passed.is_none() {
        let first = last.as_ref().map_or(0, kind);
        for kind in kinds().into_iter().skip(first) {
            let range = rest(kind, last.take().as_ref());
            found.extend(some(clients, range, doc! {}, 0, limit + 1 - found.len()).await?);
            if found.len() > limit {
                found.truncate(limit);
                let last = found.last().and_then(|document| document.get("_id").ok()?);
                let last = last.and_then(|id| Bson::try_from(id).ok());
                return Ok((found, last.map(|id| cursor_of(&After::Id(id)))));
            }
        }
    }
    let (passed, before) = (passed.unwrap_or(0), found.len());
    found.extend(some(clients, others(), doc! {}, passed, limit + 1 - before).await?);
    let is_all = found.len() <= limit;
    found.truncate(limit);
    let passed = passed + (found.len() - before) as u64;
    Ok((found, (!is_all).then(|| cursor_of(&After::Others(passed)))))
}

async fn some(
    clients: &Collection<Document>,
    range: Document,
    shown: Document,
    skipped: u64,
    wanted: usize,
) -> Result<Vec<RawDocumentBuf>, Error> {
    let clients = clients.clone_with_type::<RawDocumentBuf>();
    let found = clients.find(range).sort(doc! { "_id": 1 }).projection(shown);
    let found = found.skip(skipped).limit(i64::try_from(wanted).unwrap_or(i64::MAX));
    found.await?.try_collect().await
}

/// A place among all documents: of which kind their `_id` is, and behind which.
pub(super) struct Place {
    kind: usize,
    after: Option<Bson>,
}

/// The condition that the next `limit` documents fulfil, how many they are, and where to go on.
/// [`others`] come last, all at once.
pub(super) async fn range(
    clients: &Collection<Document>,
    after: Option<Place>,
    limit: usize,
) -> Result<(Document, usize, Option<String>), Error> {
    let Place { kind, after } = after.unwrap_or(Place { kind: 0, after: None });
    let Some(first) = kinds().into_iter().nth(kind) else { return Ok((others(), 0, None)) };
    let rest = rest(first, after.as_ref());
    let ids = some(clients, rest.clone(), doc! { "_id": 1 }, 0, limit).await?;
    let end = ids.last().filter(|_| ids.len() == limit).and_then(|end| end.get("_id").ok()?);
    let Some(end) = end.and_then(|id| Bson::try_from(id).ok()) else {
        return Ok((rest, ids.len(), Some(format!("{} ", kind + 1))));
    };
    let range = doc! { "$and": [rest, { "_id": { "$lte": &end } }] };
    Ok((range, ids.len(), Some(format!("{kind} {}", text_of(&end)))))
}

pub(super) fn place_of(cursor: &str) -> Option<Place> {
    let (kind, after) = cursor.split_once(' ')?;
    Some(Place { kind: kind.parse().ok()?, after: id_of(after) })
}

fn cursor_of(after: &After) -> String {
    match after {
        After::Id(id) => text_of(id),
        After::Others(passed) => format!("{NUMBERED}{passed}"),
    }
}

pub(super) fn after(cursor: &str) -> Option<After> {
    match cursor.strip_prefix(NUMBERED) {
        Some(passed) => passed.parse().ok().map(After::Others),
        None => id_of(cursor).map(After::Id),
    }
}

fn text_of(id: &Bson) -> String {
    match id {
        Bson::ObjectId(id) => id.to_hex(),
        other => {
            format!("{OTHER}{}", hex(other.clone().into_canonical_extjson().to_string().as_bytes()))
        }
    }
}

fn id_of(text: &str) -> Option<Bson> {
    let Some(other) = text.strip_prefix(OTHER) else {
        return ObjectId::parse_str(text).ok().map(Bson::ObjectId);
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
    fn a_cursor_leads_back_to_its_place() {
        for place in [
            After::Id(ObjectId::from_bytes([7; 12]).into()),
            After::Id("65f0c0ffee65f0c0ffee65f0".into()),
            After::Id("é\"x-".into()),
            After::Id("n-7".into()),
            After::Id(Bson::Int64(7)),
            After::Id(Bson::Double(7.5)),
            After::Id(Binary { subtype: BinarySubtype::Uuid, bytes: vec![1; 16] }.into()),
            After::Others(0),
            After::Others(7),
        ] {
            let cursor = cursor_of(&place);
            assert!(cursor.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'), "{cursor}");
            assert_eq!(after(&cursor), Some(place));
        }
        for garbage in ["", "x-", "x-7", "x-zz", "5", "x-7b7d7b", "n-", "n--1"] {
            assert_eq!(after(garbage), None, "{garbage}");
        }
    }
}
