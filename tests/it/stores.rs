//! One store of every sort, empty, for the contracts that all of them keep.

use latchkey::store::{EmbeddedStore, MemoryStore, MongoStore, Store};
use tempfile::TempDir;

use crate::databases::Kind;

/// An empty store.
pub struct Place {
    pub store: Box<dyn Store>,
    /// The URL of its database, for what other tools do there; none has one but MongoDB's.
    pub url: Option<String>,
    /// Whether of several updates at once exactly one is carried out.
    pub is_atomic: bool,
    /// By how much two dates must differ to be told apart in a filter.
    pub date_step_ms: i64,
    _folder: Option<TempDir>,
}

impl Place {
    pub fn memory() -> Self {
        Self::of_our_own(Box::<MemoryStore>::default(), None)
    }

    pub fn embedded() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Box::new(EmbeddedStore::open(folder.path()).unwrap());
        Self::of_our_own(store, Some(folder))
    }

    fn of_our_own(store: Box<dyn Store>, folder: Option<TempDir>) -> Self {
        Self { store, url: None, is_atomic: true, date_step_ms: 1, _folder: folder }
    }

    /// `None` if there is no such server here.
    pub async fn on(kind: Kind) -> Option<Self> {
        let url = kind.shared().await?.fresh_database();
        let store = MongoStore::open(&url).unwrap();
        store.prepare().await.unwrap();
        Some(Self {
            store: Box::new(store),
            url: Some(url),
            is_atomic: kind.is_atomic(),
            date_step_ms: kind.date_step_ms(),
            _folder: None,
        })
    }

    /// The database as another tool sees it.
    pub async fn database(&self) -> mongodb::Database {
        let client = mongodb::Client::with_uri_str(self.url.as_ref().unwrap()).await.unwrap();
        client.default_database().unwrap()
    }

    /// Leaves nothing behind on a server that was there before us.
    pub async fn clear_away(self) {
        if self.url.is_some() {
            self.database().await.drop().await.unwrap();
        }
    }
}

/// One test per contract and database server.
macro_rules! on_every_server {
    ($($contract:ident)*) => { $(
        mod $contract {
            crate::stores::on_servers!($contract);
        }
    )* };
}

/// One test per contract and store.
macro_rules! on_every_store {
    ($($contract:ident)*) => { $(
        mod $contract {
            use crate::stores::Place;

            #[tokio::test]
            async fn memory() {
                super::$contract(&Place::memory()).await;
            }

            #[tokio::test]
            async fn embedded() {
                super::$contract(&Place::embedded()).await;
            }

            crate::stores::on_servers!($contract);
        }
    )* };
}

macro_rules! on_servers {
    ($contract:ident) => {
        crate::stores::on_servers!($contract: mongodb MongoDb, nx_27017 Nx27017, ferretdb FerretDb);
    };
    ($contract:ident: $($name:ident $kind:ident),*) => { $(
        #[tokio::test]
        async fn $name() {
            let place = crate::stores::Place::on(crate::databases::Kind::$kind).await;
            let Some(place) = place else { return };
            super::$contract(&place).await;
            place.clear_away().await;
        }
    )* };
}

pub(crate) use {on_every_server, on_every_store, on_servers};
