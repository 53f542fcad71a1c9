//! The shape of a revocation, in every store; its name is the `_id`.

use mongodb::bson::{Bson, Document};
use serde::Deserialize;
use serde_json::Value;

use crate::domain::clock::Timestamp;
use crate::domain::revocation::{Revocation, Revoked};

use super::record;
use super::unreadable::{Unreadable, What};

pub(super) const CREATED_AT: &str = "createdAt";
pub(super) const UNTIL: &str = "until";

/// Until when one is in force of which nobody can read it: the year 2106.
const LONG: Timestamp = Timestamp(u32::MAX as u64);

/// A revocation that was kept, as far as we understand it.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Kept {
    Known(Revocation),
    /// It is damaged, and its name says what it was.
    Damaged(Revocation),
    /// It is damaged, and so is its name: nobody knows what it revokes.
    Illegible,
    /// Of a kind that only a newer version knows.
    Unknown,
}

/// Those that we understand, and how many others there are. What is damaged is named once.
pub(super) fn known(
    kept: impl IntoIterator<Item = (String, Kept)>,
    unreadable: &Unreadable,
) -> (Vec<Revocation>, usize) {
    let (mut known, mut unknown) = (Vec::new(), 0);
    for (name, kept) in kept {
        match kept {
            Kept::Known(revocation) => known.push(revocation),
            Kept::Damaged(revocation) => {
                unreadable.met(What::Revocation, &name, DAMAGED);
                known.push(revocation);
            }
            Kept::Illegible => {
                unreadable.met(What::Revocation, &name, ILLEGIBLE);
                unknown += 1;
            }
            Kept::Unknown => unknown += 1,
        }
    }
    (known, unknown)
}

/// What is said of a revocation that is damaged.
pub(super) const DAMAGED: &str = "it cannot be read; its name says what it revokes";

/// What is said of one of which nobody knows what it revokes.
pub(super) const ILLEGIBLE: &str = "neither it nor its name can be read";

/// The members of a revocation, but for its name and when it was made.
pub(super) fn to_document(revocation: &Revocation) -> Document {
    let revoked = serde_json::to_value(&revocation.revoked).unwrap_or_default();
    let mut document = match Bson::try_from(revoked) {
        Ok(Bson::Document(document)) => document,
        _ => Document::new(),
    };
    document.insert(UNTIL, record::date(revocation.until));
    document
}

/// What another tool wrote in a form that is not understood is damaged.
pub(super) fn of_document(document: &Document) -> Kept {
    let until = record::timestamp(document.get(UNTIL));
    let members = Value::from(Bson::Document(document.clone()));
    of_parts(document.get_str("_id").unwrap_or_default(), &members, until)
}

/// A row: its name, until when it is kept, and the text of the revocation.
pub(super) fn of_row(name: &str, until: Option<i64>, revoked: &str) -> Kept {
    let until = until.map(|until| Timestamp(u64::try_from(until).unwrap_or_default()));
    of_parts(name, &serde_json::from_str(revoked).unwrap_or_default(), until)
}

fn of_parts(name: &str, members: &Value, until: Option<Timestamp>) -> Kept {
    let revoked = Revoked::deserialize(members).ok();
    let kind = members.get("kind").and_then(Value::as_str);
    match (revoked, until) {
        (Some(revoked), Some(until)) => Kept::Known(Revocation { revoked, until }),
        (revoked, until) => match revoked.or_else(|| Revoked::named(name)) {
            Some(revoked) => Kept::Damaged(Revocation { revoked, until: until.unwrap_or(LONG) }),
            None if kind.is_some_and(|kind| !Revoked::KINDS.contains(&kind)) => Kept::Unknown,
            None => Kept::Illegible,
        },
    }
}

/// The text of a revocation for a store of rows.
pub(super) fn to_text(revocation: &Revocation) -> String {
    serde_json::to_string(&revocation.revoked).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use mongodb::bson::doc;

    use super::*;

    #[test]
    fn of_one_that_is_damaged_the_name_says_what_it_was() {
        let until = Timestamp(1_900_000_000);
        let token = || Revoked::Token { jti: "t".to_owned() };
        let good =
            doc! { "_id": "token:t", "kind": "token", "jti": "t", UNTIL: record::date(until) };
        let with = |name: &str, value: Bson| {
            let mut document = good.clone();
            document.insert(name, value);
            of_document(&document)
        };
        let damaged = |until| Kept::Damaged(Revocation { revoked: token(), until });
        assert_eq!(of_document(&good), Kept::Known(Revocation { revoked: token(), until }));
        for (why, read, expected) in [
            ("a null", with("kind", Bson::Null), damaged(until)),
            ("another type", with("jti", Bson::Int32(7)), damaged(until)),
            ("no date", with(UNTIL, "soon".into()), damaged(LONG)),
            ("not JSON", of_row("token:t", Some(1_900_000_000), "{"), damaged(until)),
            ("no name either", of_row("moon:t", Some(7), "{"), Kept::Illegible),
            ("of a known kind", of_row("x", Some(7), r#"{"kind":"token"}"#), Kept::Illegible),
            ("of a newer kind", of_row("moon:t", Some(7), r#"{"kind":"moon"}"#), Kept::Unknown),
        ] {
            assert_eq!(read, expected, "{why}");
        }
        let newer = doc! { "_id": "moon:t", "kind": "moon", UNTIL: record::date(until) };
        assert_eq!(of_document(&newer), Kept::Unknown);
    }
}
