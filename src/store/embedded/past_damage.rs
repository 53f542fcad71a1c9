//! Reading past damaged pages of the file: what an index knows, and what stands for what is lost.

use mongodb::bson::doc;
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

use crate::domain::client::Unreadable;
use crate::store::unreadable::{Unreadable as Met, What};
use crate::store::{Document, record};

use super::failure::is_corrupt;
use super::rows::{ROW, read, text};

/// The document of a client.
pub(super) fn find(connection: &Connection, id: &str) -> rusqlite::Result<Option<Document>> {
    let sql = format!("SELECT {ROW} FROM clients WHERE client_id = ?1");
    match connection.prepare_cached(&sql)?.query_row([id], read).optional() {
        // Its id was found, in the index.
        Err(error) if is_corrupt(&error) => Ok(Some(lost(id.to_owned()))),
        found => found,
    }
}

/// What is left of a client whose row is on a damaged page of the file; an index has its id.
pub(super) fn lost(client_id: String) -> Document {
    doc! { record::CLIENT_ID: client_id, record::DAMAGE: Unreadable::ON_DAMAGED_PAGE }
}

/// Documents in the order in which they came, after the one of that number.
pub(super) fn page(
    connection: &Connection,
    after: i64,
    limit: usize,
) -> rusqlite::Result<Vec<(i64, Document)>> {
    past_damage(connection, (after, limit), read, |id| lost(id.to_owned()))
}

/// Rows in the order in which they came, after the one of that number. If a page of the file is
/// damaged they are read one by one, and `lost` says what stands for those that cannot be.
pub(super) fn past_damage<T>(
    connection: &Connection,
    (after, limit): (i64, usize),
    read: fn(&Row<'_>) -> rusqlite::Result<T>,
    lost: impl Fn(&str) -> T,
) -> rusqlite::Result<Vec<(i64, T)>> {
    let some = format!("SELECT seq, {ROW} FROM clients WHERE seq > ?1 ORDER BY seq LIMIT ?2");
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut some = connection.prepare_cached(&some)?;
    let rows = some.query_map(params![after, limit], |row| Ok((row.get("seq")?, read(row)?)))?;
    match rows.collect::<rusqlite::Result<Vec<_>>>() {
        Err(error) if is_corrupt(&error) => {}
        rows => return rows,
    }
    let mut found = Vec::new();
    for (seq, id) in names(connection, after, limit)? {
        found.push((seq, one(connection, seq, read)?.unwrap_or_else(|| lost(&id))));
    }
    Ok(found)
}

/// A row; `None` if it cannot be read.
pub(super) fn one<T>(
    connection: &Connection,
    seq: i64,
    read: fn(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Option<T>> {
    let sql = format!("SELECT {ROW} FROM clients WHERE seq = ?1");
    match connection.prepare_cached(&sql)?.query_row([seq], read) {
        Err(error) if is_corrupt(&error) => Ok(None),
        row => row.optional(),
    }
}

/// The numbers and ids of clients, from an index alone.
pub(super) fn names(
    connection: &Connection,
    after: i64,
    limit: i64,
) -> rusqlite::Result<Vec<(i64, String)>> {
    let mut names = connection.prepare_cached(
        "SELECT seq, client_id FROM clients INDEXED BY sqlite_autoindex_clients_1 \
         WHERE seq > ?1 ORDER BY seq LIMIT ?2",
    )?;
    names.query_map(params![after, limit], |row| Ok((row.get(0)?, text(row, 1)?)))?.collect()
}

/// How many rows are read at once where a page of the file is damaged.
const AT_ONCE: usize = 1000;

/// Rows whose keys are from one to another, with both.
pub(super) struct Range<'a, K> {
    pub(super) from: &'a K,
    pub(super) to: &'a K,
    is_one: bool,
}

impl<K> Range<'_, K> {
    /// The condition, where these stand for the two keys. To find the end of a range, SQLite
    /// reads the row behind it, which may be on a damaged page; a single row is looked up.
    pub(super) fn holds(&self, column: &str, from: &str, to: &str) -> String {
        if self.is_one {
            return format!("{column} = {from} AND {column} = {to}");
        }
        format!("{column} BETWEEN {from} AND {to}")
    }
}

/// Reads rows whose keys an index has, up to `most` of them: many at once, or one by one where a page
/// of the file is damaged. `lost` says what stands for those on it.
pub(super) fn in_ranges<K, T>(
    keys: &[K],
    most: usize,
    read: impl Fn(Range<'_, K>) -> rusqlite::Result<Vec<T>>,
    lost: impl Fn(&K) -> Option<T>,
) -> rusqlite::Result<Vec<T>> {
    let mut found = Vec::new();
    for range in keys.chunks(AT_ONCE) {
        let (Some(from), Some(to)) = (range.first(), range.last()) else { continue };
        match read(Range { from, to, is_one: false }) {
            Err(error) if is_corrupt(&error) => {
                for key in range {
                    match read(Range { from: key, to: key, is_one: true }) {
                        Err(error) if is_corrupt(&error) => found.extend(lost(key)),
                        row => found.extend(row?),
                    }
                }
            }
            rows => found.extend(rows?),
        }
        if found.len() >= most {
            break;
        }
    }
    found.truncate(most);
    Ok(found)
}

/// Reads a table that an index has a second copy of, all its columns: the index, where a page of the
/// table is damaged.
pub(super) fn either_copy<T>(
    (table, index): (&str, &str),
    unreadable: &Met,
    read: impl Fn(&str) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    match read("") {
        Err(error) if is_corrupt(&error) => {
            unreadable.met(What::Page, table, "an index is read in its place");
            read(&format!("INDEXED BY {index}"))
        }
        found => found,
    }
}

/// What `take` makes of the documents of clients for which `which` holds, and `lost` of the numbers of
/// those on a damaged page of the file; of `most` of them.
pub(super) fn matching<T>(
    connection: &Connection,
    which: &str,
    values: &[&dyn ToSql],
    most: usize,
    take: impl Fn(&Document) -> Option<T>,
    lost: impl Fn(&i64) -> Option<T>,
) -> rusqlite::Result<Vec<T>> {
    let some = |range: &str, most: usize| -> rusqlite::Result<Vec<T>> {
        let sql = format!("SELECT {ROW} FROM clients WHERE {range} ({which})");
        let mut rows = connection.prepare(&sql)?;
        let mut rows = rows.query(values)?;
        let mut found = Vec::new();
        while found.len() < most
            && let Some(row) = rows.next()?
        {
            found.extend(take(&read(row)?));
        }
        Ok(found)
    };
    match some("", most) {
        Err(error) if is_corrupt(&error) => {}
        found => return found,
    }
    let mut numbers = connection.prepare_cached(
        "SELECT seq FROM clients INDEXED BY sqlite_autoindex_clients_1 ORDER BY seq",
    )?;
    let numbers = numbers.query_map([], |row| row.get(0))?;
    let numbers = numbers.collect::<rusqlite::Result<Vec<i64>>>()?;
    let range = |range: Range<'_, i64>| {
        let [from, to] = [range.from, range.to].map(ToString::to_string);
        some(&format!("{} AND", range.holds("seq", &from, &to)), most)
    };
    in_ranges(&numbers, most, range, lost)
}
