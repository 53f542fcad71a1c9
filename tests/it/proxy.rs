//! A proxy before the database, which spoils the connections through it as a network does.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::databases::Server;

/// What befalls every connection, those that are there and those to come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Weather {
    /// Nothing.
    Clear,
    /// It is reset.
    Cut,
    /// What is sent arrives later, each way.
    Delayed(Duration),
    /// The database ends its half, though it goes on reading, and doing what it reads.
    HalfClosed,
    /// It stays, and nothing comes through any more, whatever the weather is later: as where a
    /// firewall has forgotten it.
    Silent,
}

/// A proxy that listens; it ends with its connections when dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    database: String,
    weather: watch::Sender<Weather>,
    listening: JoinHandle<()>,
}

impl Proxy {
    /// Before a database server.
    pub(crate) async fn before(database: &Server) -> Self {
        let database = database.address().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (weather, forecast) = watch::channel(Weather::Clear);
        let behind = database.clone();
        let listening = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                connections.spawn(connect(near, behind.clone(), forecast.clone()));
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, database, weather, listening }
    }

    /// The URL of a database by way of the proxy, and by no other.
    pub(crate) fn leading_to(&self, url: &str) -> String {
        let url = url.replacen(&self.database, &self.address.to_string(), 1);
        let separator = if url.ends_with(['?', '&']) { "" } else { "&" }; // it has a `?`
        format!("{url}{separator}directConnection=true")
    }

    pub(crate) fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn connect(near: TcpStream, database: String, weather: watch::Receiver<Weather>) {
    let Ok(far) = TcpStream::connect(database).await else { return };
    for half in [&near, &far] {
        half.set_nodelay(true).unwrap();
        half.set_zero_linger().unwrap(); // so that it is reset when dropped
    }
    let (from_server, to_server) = near.into_split();
    let (from_database, to_database) = far.into_split();
    tokio::select! {
        () = pump(from_server, to_database, weather.clone(), To::Database) => {}
        () = pump(from_database, to_server, weather, To::Server) => {}
    }
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum To {
    Database,
    Server,
}

/// Brings what is read here there, until the connection shall end.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut weather: watch::Receiver<Weather>,
    direction: To,
) {
    let mut chunk = vec![0; 16 * 1024];
    loop {
        let now = *weather.borrow_and_update();
        match now {
            Weather::Clear | Weather::Delayed(_) => {}
            Weather::HalfClosed if direction == To::Database => {}
            Weather::HalfClosed => {
                let _ = to.shutdown().await;
                return std::future::pending().await;
            }
            Weather::Cut => return,
            Weather::Silent => return std::future::pending().await,
        }
        let read = tokio::select! {
            biased;
            _ = weather.changed() => continue,
            read = from.read(&mut chunk) => read,
        };
        if let Weather::Delayed(by) = now {
            tokio::time::sleep(by).await;
        }
        match read {
            Ok(length @ 1..) if to.write_all(&chunk[..length]).await.is_ok() => {}
            _ => return,
        }
    }
}
