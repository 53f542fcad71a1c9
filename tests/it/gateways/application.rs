//! The application behind a gateway: it answers 200 to everything, and remembers what it was asked.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use actix_web::web::{self, Bytes, PayloadConfig};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};

/// A request as it arrived.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) method: String,
    /// Path and query.
    pub(super) target: String,
    headers: Vec<(String, String)>,
    pub(super) body: Bytes,
}

impl Received {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| &**value)
    }
}

/// It ends when the test ends.
pub(super) struct Application {
    pub(super) address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Application {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let log = web::Data::from(Arc::clone(&received));
        let server = HttpServer::new(move || {
            let app = App::new().app_data(log.clone()).app_data(PayloadConfig::new(1024 * 1024));
            app.default_service(web::to(remember))
        });
        let server = server.workers(1).disable_signals().listen(listener).unwrap();
        actix_web::rt::spawn(server.run());
        Self { address, received }
    }

    /// What arrived since this was last asked.
    pub(super) fn received(&self) -> Vec<Received> {
        std::mem::take(&mut self.received.lock().unwrap())
    }

    /// The one request that did.
    pub(super) fn only(&self) -> Received {
        let mut received = self.received();
        assert_eq!(received.len(), 1, "{received:?}");
        received.remove(0)
    }
}

async fn remember(
    request: HttpRequest,
    body: Bytes,
    log: web::Data<Mutex<Vec<Received>>>,
) -> HttpResponse {
    let headers = request.headers().iter().map(|(name, value)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    let received = Received {
        method: request.method().to_string(),
        target: request.uri().path_and_query().map(ToString::to_string).unwrap_or_default(),
        headers: headers.collect(),
        body,
    };
    log.lock().unwrap().push(received);
    HttpResponse::Ok().body("reached")
}
