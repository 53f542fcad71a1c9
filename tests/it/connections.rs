//! Connections: each header and each body has its time, on every listener; answers must be taken; and
//! there are bounds, refused cleanly before descriptors run out.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream as BlockingStream};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use latchkey::config::Settings;
use latchkey::web::Patience;
use rustls::pki_types::CertificateDer;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::harness::Server;
use crate::program::{ISSUER, share_key};

/// How long something may take that happens soon, with room for a slow machine.
const SOON: Duration = Duration::from_secs(60);
/// A whole request, after which the connection stays.
const WHOLE: &str = "GET /-/healthz HTTP/1.1\r\nHost: x\r\n\r\n";

/// Less than there is, and enough for a test on a busy machine to say what it wants to.
fn little() -> Patience {
    let little = Duration::from_secs(3);
    Patience { head: little, body: little, answer: little, ..Patience::default() }
}

fn address_of(url: &str) -> SocketAddr {
    url.split_once("://").unwrap().1.parse().unwrap()
}

/// What comes until the server ends the connection.
async fn until_the_end(mut stream: impl AsyncReadExt + Unpin) -> String {
    let mut read = Vec::new();
    let ended = timeout(SOON, stream.read_to_end(&mut read)).await;
    // What was sent and never read makes the end a reset.
    let _ = ended.unwrap();
    String::from_utf8_lossy(&read).into_owned()
}

fn four_listeners(settings: &mut Settings) {
    let free = Some("127.0.0.1:0".parse().unwrap());
    settings.listen.admin_address = free;
    settings.gateways.address = free;
    settings.gateways.grpc_address = free;
}

#[actix_web::test]
async fn each_header_and_each_body_has_its_time_on_every_listener() {
    let server = Server::waiting(little(), four_listeners).await;
    let listeners = [
        ("main", address_of(&server.url)),
        ("admin", address_of(server.admin_url.as_deref().unwrap())),
        ("gateways", address_of(server.gateway_url.as_deref().unwrap())),
    ];
    let chunked = "GET /-/healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let post = "POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\na=";
    #[rustfmt::skip]
    let cases = [
        // why                     what is sent                                      answers
        ("the first header",       "GET /-/healthz HT".to_owned(),                   0),
        ("the second header",      format!("{WHOLE}GET / HT"),                       1),
        ("the third header",       format!("{WHOLE}{WHOLE}GET / HTTP/1.1\r\nHost:"), 2),
        ("nothing but line ends",  format!("{WHOLE}\r\n\r\n"),                       1),
        ("a body that nobody reads", format!("{WHOLE}{chunked}5\r\nab"),             2),
        ("a body",                 format!("{WHOLE}{post}"),                         1),
    ];
    let all = listeners.iter().flat_map(|at| cases.iter().map(move |case| (at, case)));
    let told = all.map(async |((listener, address), (why, sent, answers))| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let read = until_the_end(stream).await;
        assert_eq!(read.matches("HTTP/1.1 200").count(), *answers, "{listener}, {why}: {read}");
    });
    join_all(told).await;
}

/// A certificate, and the settings to use it.
fn certificate() -> (TempDir, CertificateDer<'static>) {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(folder.path().join("tls.pem"), made.cert.pem()).unwrap();
    fs::write(folder.path().join("tls.key"), made.signing_key.serialize_pem()).unwrap();
    (folder, made.cert.der().clone())
}

async fn over_tls(
    address: SocketAddr,
    trusted: &CertificateDer<'static>,
    alpn: &[u8],
) -> TlsStream<TcpStream> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider);
    let config = config.with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    let stream = TcpStream::connect(address).await.unwrap();
    let name = "localhost".try_into().unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(alpn), "RFC 7301 §3.2");
    stream
}

#[actix_web::test]
async fn the_same_over_tls() {
    let (folder, trusted) = certificate();
    let server = Server::waiting(little(), |settings| {
        settings.gateways.grpc_address = Some("127.0.0.1:0".parse().unwrap());
        settings.listen.tls_certificate = Some(folder.path().join("tls.pem"));
        settings.listen.tls_key = Some(folder.path().join("tls.key"));
    })
    .await;
    let address = address_of(&server.url);
    for (why, sent, answers) in
        [("the second header", "GET / HT", 1), ("a second whole one", &format!("{WHOLE}G"), 2)]
    {
        let mut stream = over_tls(address, &trusted, b"http/1.1").await;
        stream.write_all(format!("{WHOLE}{sent}").as_bytes()).await.unwrap();
        let read = until_the_end(stream).await;
        assert_eq!(read.matches("HTTP/1.1 200").count(), answers, "{why}: {read}");
    }
    for address in [address, server.grpc_address.unwrap()] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"\x16\x03").await.unwrap(); // the beginning of a handshake
        until_the_end(stream).await;
    }
    let mut stream = over_tls(server.grpc_address.unwrap(), &trusted, b"h2").await;
    stream.write_all(&[PREFACE, SETTINGS, &SETTINGS[..4]].concat()).await.unwrap();
    until_the_end(stream).await;
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
const HEADERS: u8 = 1;
const END_HEADERS: u8 = 4;

/// The header of a call, as HPACK spells it without compression.
fn call(flags: u8) -> Vec<u8> {
    let fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "x"),
        (":path", "/envoy.service.auth.v3.Authorization/Check"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let block = fields.map(|(name, value)| [vec![0], text(name), text(value)].concat()).concat();
    let length = u8::try_from(block.len()).unwrap();
    [&[0, 0, length, HEADERS, flags, 0, 0, 0, 1], block.as_slice()].concat()
}

#[actix_web::test]
async fn the_same_over_grpc() {
    let server = Server::waiting(little(), four_listeners).await;
    let address = server.grpc_address.unwrap();
    let (whole, open) = (call(END_HEADERS), call(0));
    let cases = [
        vec![],
        vec![&PREFACE[..20]],
        vec![PREFACE, SETTINGS, &whole[..20]],
        vec![PREFACE, SETTINGS, &open], // a header that goes on
        vec![PREFACE, SETTINGS, &whole, &whole[..5]],
    ];
    let told = cases.map(async |sent| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&sent.concat()).await.unwrap();
        until_the_end(stream).await;
    });
    join_all(told).await;
    // A call whose message does not come is answered; the connection is for other calls.
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&[PREFACE, SETTINGS, &whole].concat()).await.unwrap();
    let mut header = [0; 9];
    loop {
        timeout(SOON, stream.read_exact(&mut header)).await.unwrap().unwrap();
        let mut payload = vec![0; usize::from(header[1]) << 8 | usize::from(header[2])];
        stream.read_exact(&mut payload).await.unwrap();
        if header[3] == HEADERS {
            break;
        }
    }
}

/// What the server says of its connections: open, refused by address, refused overall.
fn counts(server: &Server) -> (u64, u64, u64) {
    let text = server.metrics();
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.map_or(0, |value| value.trim().parse().unwrap())
    };
    (
        value("latchkey_connections_open "),
        value("latchkey_connections_refused_total{limit=\"address\"} "),
        value("latchkey_connections_refused_total{limit=\"overall\"} "),
    )
}

async fn becomes_open(server: &Server, open: u64) {
    let becomes = async {
        while counts(server).0 != open {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, becomes).await.unwrap();
}

#[actix_web::test]
async fn an_answer_that_nobody_takes_ends_the_connection() {
    let server = Server::waiting(little(), |_| ()).await;
    let request = "GET /documentation/json HTTP/1.1\r\nHost: x\r\n\r\n".repeat(200);
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(address_of(&server.url)).await.unwrap();
    assert!(is_served(&mut stream).await);
    assert_eq!(counts(&server).0, 1);
    // Answers of many megabytes: more than any buffer between us takes.
    let _ = timeout(SOON, stream.write_all(request.as_bytes())).await.unwrap();
    becomes_open(&server, 0).await;
    drop(stream);
}

async fn connect(from: &str, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
    socket.connect(to).await.unwrap()
}

/// Asks on a connection that stays: whether it is answered. Else it has ended, after a 503 at most.
async fn is_served(stream: &mut TcpStream) -> bool {
    let mut read = vec![0; 1024];
    if stream.write_all(WHOLE.as_bytes()).await.is_err() {
        return false;
    }
    let count = timeout(SOON, stream.read(&mut read)).await.unwrap().unwrap_or_default();
    let text = String::from_utf8_lossy(&read[..count]);
    assert!(
        text.is_empty() || text.starts_with("HTTP/1.1 200") || text.starts_with("HTTP/1.1 503")
    );
    text.starts_with("HTTP/1.1 200")
}

#[actix_web::test]
async fn there_are_bounds_for_each_address_and_for_all() {
    let server = Server::with(|settings| {
        four_listeners(settings);
        settings.listen.max_connections = Some(5);
        settings.listen.max_connections_per_address = Some(2);
        settings.listen.trusted_proxies = vec!["127.0.9.0/24".parse().unwrap()];
    })
    .await;
    let main = address_of(&server.url);
    let admin = address_of(server.admin_url.as_deref().unwrap());
    let gateways = address_of(server.gateway_url.as_deref().unwrap());
    let mut held = Vec::new();
    #[rustfmt::skip]
    let cases = [
        // why                                   from         to        served
        ("the first",                            "127.0.0.2", main,     true),
        ("at another listener",                  "127.0.0.2", admin,    true),
        ("one too many of this address",         "127.0.0.2", main,     false),
        ("at a third listener",                  "127.0.0.2", gateways, false),
        ("a proxy",                              "127.0.9.1", main,     true),
        ("has more",                             "127.0.9.1", gateways, true),
        ("than one address may",                 "127.0.9.1", main,     true),
        ("too many of all",                      "127.0.0.3", main,     false),
        ("and a proxy is not let in either",     "127.0.9.1", main,     false),
    ];
    for (why, from, to, served) in cases {
        let mut stream = connect(from, to).await;
        assert_eq!(is_served(&mut stream).await, served, "{why}");
        if served {
            held.push(stream);
        }
    }
    assert_eq!(counts(&server), (5, 2, 2));
    let envoy = connect("127.0.0.4", server.grpc_address.unwrap()).await;
    assert_eq!(until_the_end(envoy).await, "");
    assert_eq!(counts(&server), (5, 2, 3));

    let refused = until_the_end(connect("127.0.0.2", main).await).await;
    let (head, body) = refused.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    assert!(head.contains("retry-after: 1\r\n"), "{head}");
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["error"], "temporarily_unavailable");

    held.pop();
    becomes_open(&server, 4).await;
    assert!(is_served(&mut connect("127.0.0.3", main).await).await, "a place that came free");
}

/// The program with so few descriptors, and its log in a file.
fn with_descriptors(folder: &Path, descriptors: u32, more: &str) -> (Child, SocketAddr) {
    share_key(folder);
    let command = format!(
        "ulimit -n {descriptors}; exec {} serve --listen 127.0.0.1:0 --issuer {ISSUER} \
         --workers 1 --log-format json {more}",
        env!("CARGO_BIN_EXE_latchkey")
    );
    let log = fs::File::create(folder.join("log")).unwrap();
    let mut shell = Command::new("sh");
    let child = shell.args(["-c", &command]).current_dir(folder).stderr(log).spawn().unwrap();
    let ready = said(folder, "\"ready\"");
    let ready: serde_json::Value = serde_json::from_str(&ready).unwrap();
    (child, ready["listen"].as_str().unwrap().parse().unwrap())
}

/// The first line of the log that holds this, as soon as it is there.
fn said(folder: &Path, text: &str) -> String {
    for _ in 0..3000 {
        let log = fs::read_to_string(folder.join("log")).unwrap();
        if let Some(line) = log.lines().find(|line| line.contains(text)) {
            return line.to_owned();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("{text} is not in the log: {}", fs::read_to_string(folder.join("log")).unwrap());
}

fn ask(stream: &mut BlockingStream) -> Result<String, ErrorKind> {
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(WHOLE.as_bytes()).map_err(|error| error.kind())?;
    let mut read = vec![0; 1024];
    let count = stream.read(&mut read).map_err(|error| error.kind())?;
    Ok(String::from_utf8_lossy(&read[..count]).into_owned())
}

/// Connects often enough for every descriptor to be used, were it not for bounds.
fn crowd(address: SocketAddr) -> Vec<BlockingStream> {
    (0..200).filter_map(|_| BlockingStream::connect(address).ok()).collect()
}

#[test]
fn connections_are_refused_before_descriptors_run_out() {
    let folder = tempfile::tempdir().unwrap();
    let more = "--max-connections-per-address 0";
    let (mut child, address) = with_descriptors(folder.path(), 160, more);
    let mut held = BlockingStream::connect(address).unwrap();
    assert!(ask(&mut held).unwrap().starts_with("HTTP/1.1 200"));
    let crowd = crowd(address);
    said(folder.path(), "connections are refused");
    assert!(ask(&mut held).unwrap().starts_with("HTTP/1.1 200"), "those that are in are served");
    drop(crowd);
    let mut answer = String::new();
    while !answer.starts_with("HTTP/1.1 200") {
        answer = ask(&mut BlockingStream::connect(address).unwrap()).unwrap_or_default();
    }
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    assert_eq!(log.matches("connections are refused").count(), 1, "{log}");
    assert!(!log.contains("no connection can be accepted"), "{log}");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_server_without_descriptors_survives_and_says_so_once() {
    let folder = tempfile::tempdir().unwrap();
    let more = "--max-connections 100000 --max-connections-per-address 0";
    let (mut child, address) = with_descriptors(folder.path(), 120, more);
    said(folder.path(), "max_connections is more than");
    let mut held = BlockingStream::connect(address).unwrap();
    assert!(ask(&mut held).unwrap().starts_with("HTTP/1.1 200"));
    let crowd = crowd(address);
    said(folder.path(), "no connection can be accepted");
    // It tries again and again meanwhile, and those that are in are served.
    for _ in 0..50 {
        assert!(ask(&mut held).unwrap().starts_with("HTTP/1.1 200"));
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(crowd);
    assert!(
        ask(&mut BlockingStream::connect(address).unwrap()).unwrap().starts_with("HTTP/1.1 200")
    );
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    assert_eq!(log.matches("no connection can be accepted").count(), 1, "{log}");
    child.kill().unwrap();
    child.wait().unwrap();
}
