//! Clients are looked up by threads of their own, as many at once as have gathered: to change threads
//! and to begin a transaction for each would take longer than to read it.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::domain::client::Client;
use crate::domain::id::ClientId;
use crate::domain::store_error::StoreError;
use crate::store::unreadable::Unreadable;

use super::failure;
use super::readers::reader;
use super::rows::find;

/// How long a caller waits.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many are read in one transaction.
const GROUP: usize = 64;
/// How many threads there are at most. Each looks up 10,000 clients a second or more.
const MOST_THREADS: usize = 4;

/// What is said to all but the first of those who cannot be served.
const CLOSED: &str = "the database cannot be opened";

type Found = Result<Option<Client>, StoreError>;

struct Lookup {
    id: ClientId,
    reply: oneshot::Sender<Found>,
}

/// The way to the threads that look up clients.
pub(super) struct Lookups {
    /// In each wait as many as there are requests, each on a connection of its own.
    queues: Vec<Sender<Lookup>>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Lookups {
    /// Starts the threads, which read the database in this file.
    pub(super) fn start(file: &Path, unreadable: &Unreadable) -> Result<Self, StoreError> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let (mut queues, mut threads) = (Vec::new(), Vec::new());
        for _ in 0..(cores / 2).clamp(1, MOST_THREADS) {
            let (lookups, queue) = mpsc::channel();
            let mut desk =
                Desk { file: file.to_owned(), unreadable: unreadable.clone(), connection: None };
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
        // Any thread will do; the same one for an id that many ask for.
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
    /// Waits until nobody reads any more.
    fn drop(&mut self) {
        self.queues.clear();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Where one thread works.
struct Desk {
    file: PathBuf,
    unreadable: Unreadable,
    /// Opened when it is needed.
    connection: Option<Connection>,
}

impl Desk {
    fn work(&mut self, queue: &Receiver<Lookup>) {
        while let Ok(first) = queue.recv() {
            // All of them before the transaction begins: it sees what was written before they came.
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
                    let mut why = Some(failure::reading(&self.file, error));
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
            // Nobody waits for it any more if the caller has gone away.
            if reply.is_closed() {
                continue;
            }
            let found = find(&transaction, id.as_str());
            let found = found.map_err(|error| failure::reading(&self.file, error));
            let client = found.map(|it| it.and_then(|document| self.unreadable.client(&document)));
            let _ = reply.send(client);
        }
        transaction.commit()
    }
}
