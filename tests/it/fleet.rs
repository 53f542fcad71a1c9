//! Three servers on one database.

use std::sync::Arc;
use std::time::{Duration, Instant};

use latchkey::assembly::OpenStore;
use latchkey::domain::jwk::Algorithm;
use latchkey::store::MongoStore;

use crate::harness::{Reply, Server, TestClock};

/// How long anything may take that will happen, with room for a slow machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Three servers on one database, with one clock and one signing key.
pub(crate) struct Fleet {
    pub(crate) servers: Vec<Server>,
    pub(crate) clock: Arc<TestClock>,
}

impl Fleet {
    /// Returns when all three are ready.
    pub(crate) async fn start(url: &str) -> Self {
        Self::by([url, url, url]).await
    }

    /// With a way of its own to the database for each.
    pub(crate) async fn by(urls: [&str; 3]) -> Self {
        let clock = Arc::new(TestClock::default());
        let mut servers = Vec::new();
        for url in urls {
            servers.push(replica(url, clock.clone(), Algorithm::RS256).await);
        }
        for server in &servers {
            until(async || server.get("/-/ready").await, |reply| reply.status == 200).await;
        }
        Self { servers, clock }
    }

    pub(crate) fn urls(&self) -> Vec<String> {
        self.servers.iter().map(|server| server.url.clone()).collect()
    }
}

/// A server on the database, with the time of the others.
pub(crate) async fn replica(url: &str, clock: Arc<TestClock>, algorithm: Algorithm) -> Server {
    let store = OpenStore::Mongo(Arc::new(MongoStore::open(url).unwrap()));
    Server::at(clock, store, |settings| settings.signing_keys.algorithm = algorithm).await
}

/// Asks again until the answer is right, for as long as patience lasts.
pub(crate) async fn until(
    mut ask: impl AsyncFnMut() -> Reply,
    right: impl Fn(&Reply) -> bool,
) -> Reply {
    let began = Instant::now();
    loop {
        let reply = ask().await;
        if right(&reply) {
            return reply;
        }
        assert!(began.elapsed() < PATIENCE, "still: {reply:?}");
    }
}

/// The database as another tool sees it.
pub(crate) async fn tool(url: &str) -> mongodb::Database {
    mongodb::Client::with_uri_str(url).await.unwrap().default_database().unwrap()
}

/// One test per function and database server: all of them, if none is named.
macro_rules! on_databases {
    ($($test:ident)*) => { $(
        crate::fleet::on_databases!($test: mongodb MongoDb, nx_27017 Nx27017, ferretdb FerretDb);
    )* };
    ($test:ident: $($name:ident $kind:ident),*) => {
        mod $test {
            $(
                #[actix_web::test]
                async fn $name() {
                    super::$test(crate::databases::Kind::$kind).await;
                }
            )*
        }
    };
}

pub(crate) use on_databases;
