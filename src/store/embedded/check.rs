//! Looks at everything that the file holds, as the server reads it. Nothing is written, and a server
//! may run meanwhile.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Row};

use crate::clients::pepper;
use crate::store::inspection::{Inspection, RESTORE_FILE};
use crate::store::revocation::of_row;

use super::failure::is_damage;
use super::readers::reader;
use super::rows::{from_text, lost, past_damage, read, text};
use super::{EmbeddedStore, FILE, OpenError, audit};

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
        let failed = |source| OpenError::of(folder, file, source);
        let connection = reader(file).map_err(failed)?;
        let mut check = Check { connection, file, found: Inspection::default(), progress };
        let parts = [Check::pages, Check::clients, Check::others];
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

    fn others(&mut self) -> rusqlite::Result<()> {
        let sql = format!("SELECT {} FROM audit", audit::COLUMNS);
        self.each(&sql, |found, row| {
            found.audit_record(&audit::kept(row)?);
            Ok(())
        })?;
        self.each("SELECT name, until, revoked FROM revocations", |found, row| {
            let name = text(row, 0)?;
            let kept = of_row(&name, row.get(1).ok(), &text(row, 2)?);
            found.revocation(name, &kept);
            Ok(())
        })?;
        self.each("SELECT kid, document FROM signing_keys", |found, row| {
            let document = from_text(&text(row, 1)?).ok();
            found.signing_key(&text(row, 0)?, document.as_ref());
            Ok(())
        })?;
        let sql = "SELECT value FROM meta WHERE name = ?1";
        let pepper: Option<Vec<u8>> =
            self.connection.query_row(sql, [pepper::FACT], |row| row.get(0)).optional()?;
        self.found.pepper(pepper.as_deref());
        Ok(())
    }

    fn each(
        &mut self,
        sql: &str,
        look: fn(&mut Inspection, &Row<'_>) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        let mut rows = self.connection.prepare(sql)?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            look(&mut self.found, row)?;
            if self.found.looked_at().is_multiple_of(AT_ONCE) {
                (self.progress)(&self.found);
            }
        }
        Ok(())
    }
}
