//! A caller who sends what no client library would: paths as they are, and headers twice.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::PATIENCE;

/// An answer without its body.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, it)| &**it)
    }
}

/// Sends a request, of which `request` is the method and the target, on a connection of its own.
pub(super) async fn call(
    gateway: SocketAddr,
    request: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let usual = [("Host", "shop.test"), ("Connection", "close")];
    let length = body.len().to_string();
    let framed = body.is_empty() || headers.iter().any(|(name, _)| *name == "Transfer-Encoding");
    let length = (!framed).then_some(("Content-Length", &*length));
    let headers = usual.iter().chain(headers).chain(&length);
    let headers: Vec<_> = headers.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!("{request} HTTP/1.1\r\n{}\r\n", headers.concat());
    let exchange = async {
        let mut stream = TcpStream::connect(gateway).await?;
        stream.write_all(&[head.as_bytes(), body].concat()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    let answer = timeout(PATIENCE, exchange).await.unwrap().unwrap();
    read(&String::from_utf8_lossy(&answer))
}

fn read(answer: &str) -> Answer {
    let (head, _) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
    let status = status.parse().unwrap_or_else(|_| panic!("no answer of HTTP: {answer}"));
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
    Answer { status, headers: headers.collect() }
}
