//! Looks at everything that the file holds, as the server reads it. Nothing is written, and a server
//! may run meanwhile.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension};

use crate::clients::pepper;
use crate::store::audit::Kept;
use crate::store::inspection::{Inspection, RESTORE_FILE};

use super::failure::is_damage;
use super::past_damage::{lost, past_damage};
use super::readers::reader;
use super::rows::{read, text};
use super::{EmbeddedStore, FILE, OpenError, audit, changes, signing_keys};

/// How many clients are read at once.
const AT_ONCE: usize = 1000;

/// What has been found, and who wants to hear of it meanwhile.
struct Check<'a> {
    connection: Connection,
    file: &'a Path,
    found: Inspection,
    progress: &'a mut dyn FnMut(&Inspection),
}

impl EmbeddedStore {
    /// Looks at everything in the store in this folder; tells `progress` how far it is, now and then.
    pub fn inspect(
        folder: &Path,
        progress: &mut dyn FnMut(&Inspection),
    ) -> Result<Inspection, OpenError> {
        let file = &folder.join(FILE);
        let failed = |source| OpenError::of(folder, file, None, source);
        let connection = reader(file).map_err(failed)?;
        let mut check = Check { connection, file, found: Inspection::default(), progress };
        let parts = [
            Check::pages,
            Check::tables,
            Check::clients,
            Check::audit_records,
            Check::revocations,
            Check::signing_keys,
            Check::pepper,
        ];
        for part in parts {
            match part(&mut check) {
                Err(error) if is_damage(&error) => check.damaged(&error.to_string()),
                done => done.map_err(failed)?,
            }
        }
        Ok(check.found)
    }
}

impl Check<'_> {
    fn damaged(&mut self, what: &str) {
        let already = self.found.problems.iter().any(|known| known.what == what);
        if !already {
            self.found.found("file", self.file.display().to_string(), what, RESTORE_FILE);
        }
    }

    /// The file itself.
    fn pages(&mut self) -> rusqlite::Result<()> {
        let mut said = Vec::new();
        let mut check = self.connection.prepare("PRAGMA quick_check")?;
        let mut rows = check.query([])?;
        let ended = loop {
            match rows.next() {
                Ok(Some(row)) => said.push(text(row, 0)?),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        drop(rows);
        drop(check);
        for what in said.iter().filter(|said| *said != "ok") {
            self.damaged(what);
        }
        ended
    }

    /// Which tables the damaged pages are of: the check of the file says it of none.
    fn tables(&mut self) -> rusqlite::Result<()> {
        if self.found.problems.is_empty() {
            return Ok(());
        }
        let sql = "SELECT name FROM sqlite_schema WHERE type = 'table'";
        let mut tables = self.connection.prepare(sql)?;
        let tables = tables.query_map([], |row| text(row, 0))?;
        for table in tables.collect::<rusqlite::Result<Vec<_>>>()? {
            let check = format!("PRAGMA quick_check(\"{table}\")");
            match self.connection.query_row(&check, [], |row| text(row, 0)) {
                Ok(said) if said == "ok" => {}
                Err(error) if !is_damage(&error) => return Err(error),
                _ => self.found.table(table),
            }
        }
        Ok(())
    }

    fn clients(&mut self) -> rusqlite::Result<()> {
        let mut after = 0;
        loop {
            let lost = |id: &str| lost(id.to_owned());
            let page = past_damage(&self.connection, (after, AT_ONCE), read, lost)?;
            let Some((seq, _)) = page.last() else { return Ok(()) };
            after = *seq;
            for (_, document) in &page {
                self.found.client(document);
            }
            (self.progress)(&self.found);
        }
    }

    fn audit_records(&mut self) -> rusqlite::Result<()> {
        let mut after = String::new();
        loop {
            let wanted = audit::Wanted::after(&after, AT_ONCE);
            let page = wanted.find(&self.connection, |id| Some(Kept::lost(id)))?;
            for kept in &page {
                self.found.audit_record(kept);
            }
            (self.progress)(&self.found);
            match page.last() {
                // The id of a damaged one may be no text, and sorted elsewhere.
                Some(last) if page.len() == AT_ONCE && last.id > after => {
                    after.clone_from(&last.id);
                }
                _ => return Ok(()),
            }
        }
    }

    fn revocations(&mut self) -> rusqlite::Result<()> {
        for (name, kept) in changes::revocations(&self.connection, None, "", i64::MAX)? {
            self.found.revocation(name, &kept);
        }
        (self.progress)(&self.found);
        Ok(())
    }

    fn signing_keys(&mut self) -> rusqlite::Result<()> {
        for (name, document) in signing_keys::all(&self.connection)? {
            self.found.signing_key(&name, document.as_ref());
        }
        Ok(())
    }

    fn pepper(&mut self) -> rusqlite::Result<()> {
        let sql = "SELECT value FROM meta WHERE name = ?1";
        let pepper: Option<Vec<u8>> =
            self.connection.query_row(sql, [pepper::FACT], |row| row.get(0)).optional()?;
        self.found.pepper(pepper.as_deref());
        Ok(())
    }
}
