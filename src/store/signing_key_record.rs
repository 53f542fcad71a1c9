//! The shape of what is shared about signing keys, in every store: keys, what is left of retired
//! ones, and requests for new ones, side by side.

use mongodb::bson::{Bson, Document, doc};
use serde_json::Value;

use crate::domain::clock::Timestamp;
use crate::domain::jwk::{Algorithm, PublicJwk};
use crate::domain::signing_key::{PUBLICATION_LEAD, PublishedKey, Rotation, SharedKeys};

use super::record::{date, timestamp};

pub(super) const RETIRED_AT: &str = "retiredAt";
/// Its stored name is that of earlier versions.
pub(super) const TOMBSTONE: &str = "buried";
const KID: &str = "kid";
const JWK: &str = "jwk";
const PUBLISHED_AT: &str = "publishedAt";
const SIGNS_FROM: &str = "signsFrom";
const SIGNS_UNTIL: &str = "signsUntil";
const IMPORTED_AT: &str = "importedAt";
const REQUESTED_AT: &str = "requestedAt";

/// The prefix of a rotation request's name, where a key has its `kid`.
const ROTATION: &str = "rotation ";

/// What only a key has that may still be needed.
pub(super) const LIVING: [&str; 5] = [JWK, PUBLISHED_AT, SIGNS_FROM, SIGNS_UNTIL, IMPORTED_AT];

/// The document of a published signing key; its name is the `kid`.
pub(super) fn to_document(key: &PublishedKey) -> Document {
    let mut document = doc! {
        KID: key.jwk.kid.as_str(),
        JWK: json_to_bson(key.jwk.to_json()),
        PUBLISHED_AT: date(key.published),
        SIGNS_FROM: date(key.signs_from),
        SIGNS_UNTIL: date(key.signs_until),
    };
    for (name, at) in [(IMPORTED_AT, key.imported), (RETIRED_AT, key.retired)] {
        if let Some(at) = at {
            document.insert(name, date(at));
        }
    }
    document
}

/// What to set and what to unset when a key is shown again: when it was first shown and that it
/// was retired stays.
pub(super) fn renewal(key: &PublishedKey) -> (Document, Vec<&'static str>) {
    let mut set = to_document(key);
    set.remove(PUBLISHED_AT);
    let unset = if key.imported.is_none() { vec![IMPORTED_AT] } else { Vec::new() };
    (set, unset)
}

/// The document with such a change made.
pub(super) fn changed(mut document: Document, change: (Document, Vec<&str>)) -> Document {
    let (set, unset) = change;
    document.extend(set);
    for name in unset {
        document.remove(name);
    }
    document
}

/// What to set of a key that is retired.
pub(super) fn retirement(at: Timestamp) -> Document {
    doc! { RETIRED_AT: date(at) }
}

/// What is left of a key.
pub(super) fn remains(kid: &str) -> Document {
    doc! { KID: kid, TOMBSTONE: true }
}

/// The document of a request, and its name.
pub(super) fn rotation_document(rotation: &Rotation) -> (String, Document) {
    let mut document = doc! {
        REQUESTED_AT: date(rotation.at),
        "hasty": rotation.hasty,
    };
    if let Some(algorithm) = rotation.algorithm {
        document.insert("algorithm", algorithm.as_str());
    }
    if let Some(kid) = &rotation.succeeds {
        document.insert("succeeds", kid.as_str());
    }
    (rotation_name(&rotation.id), document)
}

/// The name of a request among those of keys.
pub(super) fn rotation_name(id: &str) -> String {
    format!("{ROTATION}{id}")
}

/// Everything that can be read of the documents, each with its name. What is no key that we can
/// verify with is left out.
pub(super) fn to_shared_keys<'d>(
    documents: impl IntoIterator<Item = (&'d str, &'d Document)>,
) -> SharedKeys {
    let mut shared = SharedKeys::default();
    for (name, document) in documents {
        if document.contains_key(TOMBSTONE) {
            shared.tombstones.push(name.to_owned());
        } else if let Some(id) = name.strip_prefix(ROTATION).filter(|_| !document.contains_key(JWK))
        {
            shared.rotations.extend(to_rotation(id, document));
        } else {
            shared.keys.extend(to_key(document));
        }
    }
    shared
}

/// Whether it is one of these, and can be read.
pub(super) fn is_known(name: &str, document: &Document) -> bool {
    let shared = to_shared_keys([(name, document)]);
    !(shared.keys.is_empty() && shared.tombstones.is_empty() && shared.rotations.is_empty())
}

fn to_key(document: &Document) -> Option<PublishedKey> {
    let jwk = Value::from(document.get(JWK)?.clone());
    let published = timestamp(document.get(PUBLISHED_AT))?;
    // One that was published before it was noted led by as much.
    let signs_from = timestamp(document.get(SIGNS_FROM)).unwrap_or(published + PUBLICATION_LEAD);
    Some(PublishedKey {
        jwk: PublicJwk::parse(&jwk).ok()?,
        // The date stays when a key is shown again, also that of a clock which was ahead.
        published: published.min(signs_from),
        signs_from,
        signs_until: timestamp(document.get(SIGNS_UNTIL))?,
        imported: timestamp(document.get(IMPORTED_AT)),
        // One of which nobody can read when it was retired is retired.
        retired: document.get(RETIRED_AT).map(|at| timestamp(Some(at)).unwrap_or_default()),
    })
}

fn to_rotation(id: &str, document: &Document) -> Option<Rotation> {
    Some(Rotation {
        id: id.to_owned(),
        at: timestamp(document.get(REQUESTED_AT))?,
        algorithm: document
            .get_str("algorithm")
            .ok()
            .and_then(|name| Algorithm::for_tokens(name).ok()),
        hasty: document.get_bool("hasty").unwrap_or(false),
        succeeds: document.get_str("succeeds").ok().map(str::to_owned),
    })
}

fn json_to_bson(value: Value) -> Bson {
    Bson::try_from(value).unwrap_or(Bson::Null)
}
