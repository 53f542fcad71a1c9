//! Threads that look up clients, several in one transaction: switching threads and starting a
//! transaction takes longer than reading one client.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::domain::client::Client;
use crate::domain::id::ClientId;
use crate::domain::store_error::StoreError;
use crate::store::Document;
use crate::store::unreadable::Unreadable;

use super::failure;
use super::past_damage::find;
use super::readers::reader;

/// How long a caller waits.
const PATIENCE: Duration = Duration::from_secs(10);
/// At most so many lookups share a transaction.
const GROUP: usize = 64;
/// At most so many threads: each looks up more than 10,000 clients a second.
const MOST_THREADS: usize = 4;

const PANICKED: &str = "the lookup panicked";
/// The error for all callers but the first, which gets the cause.
const CLOSED: &str = "the database cannot be opened";

type Found = Result<Option<Client>, StoreError>;
/// How a document is read.
type Read = fn(&Connection, &str) -> rusqlite::Result<Option<Document>>;

struct Lookup {
    id: ClientId,
    reply: oneshot::Sender<Found>,
}

/// A handle to the threads.
pub(super) struct Lookups {
    /// Unbounded: each waiting lookup belongs to an open connection, and these are bounded.
    queues: Vec<Sender<Lookup>>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Lookups {
    /// Starts the threads, which read the database in this file.
    pub(super) fn start(file: &Path, unreadable: &Unreadable) -> Result<Self, StoreError> {
        Self::start_with(find, file, unreadable)
    }

    fn start_with(read: Read, file: &Path, unreadable: &Unreadable) -> Result<Self, StoreError> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let (mut queues, mut threads) = (Vec::new(), Vec::new());
        for _ in 0..(cores / 2).clamp(1, MOST_THREADS) {
            let (lookups, queue) = mpsc::channel();
            let (file, unreadable) = (file.to_owned(), unreadable.clone());
            let mut desk = Desk { read, file, unreadable, connection: None };
            let thread = thread::Builder::new()
                .name("store-reader".into())
                .spawn(move || desk.work(&queue))
                .map_err(StoreError::new)?;
            queues.push(lookups);
            threads.push(thread);
        }
        Ok(Self { queues, threads })
    }

    /// The client of this id as it stands now.
    pub(super) async fn find(&self, id: &ClientId) -> Found {
        let (reply, answer) = oneshot::channel();
        // The same thread for the same id.
        let place = id.as_str().bytes().map(usize::from).sum::<usize>() % self.queues.len().max(1);
        let lookups = self.queues.get(place);
        let lookups = lookups.ok_or_else(|| StoreError::new("the store is closed"))?;
        let ended = |_| StoreError::new("a reading thread has ended");
        lookups.send(Lookup { id: id.clone(), reply }).map_err(ended)?;
        let answer = tokio::time::timeout(PATIENCE, answer).await;
        let answer = answer.map_err(|_| StoreError::new("the disk does not answer in time"))?;
        answer.map_err(StoreError::new)?
    }
}

impl Drop for Lookups {
    /// Waits for the threads.
    fn drop(&mut self) {
        self.queues.clear();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// The state of one thread.
struct Desk {
    read: Read,
    file: PathBuf,
    unreadable: Unreadable,
    /// Opened at the first lookup.
    connection: Option<Connection>,
}

impl Desk {
    fn work(&mut self, queue: &Receiver<Lookup>) {
        while let Ok(first) = queue.recv() {
            // Collected before the transaction begins, so that it sees every write that preceded them.
            let group: Vec<Lookup> =
                std::iter::once(first).chain(queue.try_iter().take(GROUP - 1)).collect();
            if let Err(error) = self.read(group) {
                tracing::debug!(%error, "a transaction that only read did not end");
                self.connection = None;
            }
        }
    }

    fn read(&mut self, group: Vec<Lookup>) -> rusqlite::Result<()> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => match reader(&self.file) {
                Ok(connection) => connection,
                Err(error) => {
                    let mut why = Some(failure::reading(&self.file, Some("clients"), error));
                    for lookup in group {
                        let why = why.take().unwrap_or_else(|| StoreError::new(CLOSED));
                        let _ = lookup.reply.send(Err(why));
                    }
                    return Ok(());
                }
            },
        };
        let connection = self.connection.insert(connection);
        let transaction = connection.transaction()?;
        for Lookup { id, reply } in group {
            // The caller has gone away.
            if reply.is_closed() {
                continue;
            }
            let look_up = || {
                let found = (self.read)(&transaction, id.as_str());
                let found =
                    found.map_err(|error| failure::reading(&self.file, Some("clients"), error))?;
                Ok(found.and_then(|document| self.unreadable.client(&document)))
            };
            // Else no client of this thread would be found any more.
            let client = catch_unwind(AssertUnwindSafe(look_up));
            let _ = reply.send(client.unwrap_or_else(|_| Err(StoreError::new(PANICKED))));
        }
        transaction.commit()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;
    use crate::audit::{Action, Author, Recorder};
    use crate::clients::{ClientRepository, Inserted};
    use crate::domain::auth_method::AuthMethod;
    use crate::domain::clock::Timestamp;
    use crate::store::EmbeddedStore;

    fn client(number: usize) -> Client {
        let id = format!("client{number}").parse().unwrap();
        Client::new(id, format!("number {number}"), AuthMethod::default(), Timestamp(1))
    }

    #[tokio::test]
    async fn of_many_at_once_each_finds_what_was_written_before_it_asked() {
        let folder = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(folder.path()).unwrap();
        let recorder = Recorder::default();
        let each = (0..300).map(|number| {
            let (repository, recorder): (&dyn ClientRepository, _) = (&store, &recorder);
            async move {
                let (client, author) = (client(number), Author::server());
                assert!(repository.read(&client.id).await.unwrap().is_none());
                let pair = (None, Some(&client));
                let record =
                    recorder.change(&author, Action::ClientCreated, pair, Timestamp(1)).unwrap();
                assert_eq!(repository.insert(&client, &record).await.unwrap(), Inserted::Yes);
                let found = repository.read(&client.id).await.unwrap();
                assert_eq!(found.map(|found| found.name), Some(client.name));
            }
        });
        join_all(each).await;
    }

    #[tokio::test]
    async fn whoever_goes_away_holds_nobody_up() {
        let folder = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(folder.path()).unwrap();
        let repository: &dyn ClientRepository = &store;
        for number in 0..300 {
            let id = client(number).id;
            let _ = futures_util::poll!(std::pin::pin!(repository.read(&id)));
        }
        assert!(repository.read(&client(0).id).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_panic_fails_one_lookup_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("latchkey.db");
        drop(EmbeddedStore::open(folder.path()).unwrap());
        let read = |connection: &Connection, id: &str| {
            assert_ne!(id, "bad", "a panic");
            find(connection, id)
        };
        let lookups = Lookups::start_with(read, &file, &Unreadable::default()).unwrap();
        let [bad, good] = ["bad", "bda"].map(|id| id.parse().unwrap());
        for _ in 0..2 {
            // Letters of the same sum: on the same thread, perhaps in the same group.
            let (failed, found) = tokio::join!(lookups.find(&bad), lookups.find(&good));
            assert!(failed.is_err());
            assert!(found.unwrap().is_none());
        }
    }
}
