//! What the measured speed is held against, on the same machine and in the same run:
//!
//! ```sh
//! baseline static PORT BYTES     # one actix-web worker with a static JSON reply of that size
//! baseline sign RS256 SECONDS    # signatures a second on one thread, by aws-lc alone
//! baseline assertions KEY CLIENT_ID ISSUER COUNT    # so many assertions, one a line
//! baseline post PORT PATH TYPE CONNECTIONS <BODIES >ANSWERS    # each line once, as a crowd would
//! ```
//!
//! `benches/load/run.sh` puts them to use.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its output is what it is for")]
#![expect(clippy::cast_precision_loss, reason = "what is counted is few")]
#![expect(clippy::disallowed_methods, reason = "it measures real time")]

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use actix_web::http::header::{CACHE_CONTROL, ContentType};
use actix_web::web::Bytes;
use actix_web::{App, HttpResponse, HttpServer, web};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use latchkey::domain::clock::Timestamp;
use latchkey::jose::{Assertion, PrivateKey, sign_assertion};

// As the server has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["static", port, bytes] => serve(port.parse()?, bytes.parse()?),
        ["sign", algorithm, seconds] => sign(algorithm, seconds.parse()?),
        ["assertions", key, client, issuer, count] => {
            assertions(key, client, issuer, count.parse()?)
        }
        ["post", port, path, media_type, connections] => {
            post(port.parse()?, path, media_type, connections.parse()?)
        }
        _ => Err(
            "usage: baseline static PORT BYTES | sign ALGORITHM SECONDS | assertions … | post …"
                .into(),
        ),
    }
}

#[actix_web::main]
async fn serve(port: u16, bytes: usize) -> Outcome {
    let body = Bytes::from("x".repeat(bytes));
    let server = HttpServer::new(move || {
        let body = body.clone();
        let reply = move || {
            let reply = HttpResponse::Ok()
                .insert_header((CACHE_CONTROL, "no-store"))
                .insert_header(ContentType::json())
                .body(body.clone());
            async move { reply }
        };
        App::new().route("/", web::get().to(reply))
    });
    Ok(server.workers(1).bind(("127.0.0.1", port))?.run().await?)
}

fn sign(algorithm: &str, seconds: u64) -> Outcome {
    let random = SystemRandom::new();
    let message = [7; 500];
    let one: Box<dyn Fn()> = match algorithm {
        "RS256" => {
            let pair = RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048)?;
            Box::new(move || {
                let mut signature = vec![0; pair.public_modulus_len()];
                let _ = pair.sign(&RSA_PKCS1_SHA256, &random, &message, &mut signature);
                std::hint::black_box(signature);
            })
        }
        "EdDSA" => {
            let pair = Ed25519KeyPair::generate()?;
            Box::new(move || {
                std::hint::black_box(pair.sign(&message));
            })
        }
        _ => return Err("RS256 or EdDSA".into()),
    };
    let started = Instant::now();
    let mut made = 0_u32;
    while started.elapsed() < Duration::from_secs(seconds) {
        one();
        made += 1;
    }
    println!("{:.0}", f64::from(made) / started.elapsed().as_secs_f64());
    Ok(())
}

fn assertions(key: &str, client: &str, issuer: &str, count: u32) -> Outcome {
    let key = PrivateKey::from_pem(&std::fs::read_to_string(key)?, None)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    for number in 0..count {
        let assertion = Assertion {
            iss: client.to_owned(),
            sub: client.to_owned(),
            aud: issuer.to_owned(),
            jti: format!("{now}-{number}-{}", std::process::id()),
            iat: Timestamp(now),
            exp: Timestamp(now + 3600),
        };
        println!("{}", sign_assertion(&assertion, &key, &key.public().kid)?);
    }
    Ok(())
}

/// Sends each line of the input once, from so many connections. The answers go to the output; what
/// became of them, and how long it took, to the terminal.
fn post(port: u16, path: &str, media_type: &str, connections: usize) -> Outcome {
    let bodies: Vec<String> = std::io::stdin().lines().collect::<Result<_, _>>()?;
    let (next, good) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let answers = Mutex::new(std::io::stdout());
    let one = || -> std::io::Result<()> {
        let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", port))?);
        while let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
            let length = body.len();
            let request = format!(
                "POST {path} HTTP/1.1\r\nhost: localhost:{port}\r\ncontent-type: {media_type}\r\n\
                 content-length: {length}\r\n\r\n{body}"
            );
            stream.get_mut().write_all(request.as_bytes())?;
            let (status, answer) = answer(&mut stream)?;
            good.fetch_add(usize::from((200..300).contains(&status)), Ordering::Relaxed);
            let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
            writeln!(answers, "{answer}")?;
        }
        Ok(())
    };
    let started = Instant::now();
    std::thread::scope(|threads| {
        let all: Vec<_> = (0..connections).map(|_| threads.spawn(one)).collect();
        let ended = all.into_iter().map(|it| it.join().unwrap_or(Err(ErrorKind::Other.into())));
        ended.fold(Ok(()), Result::and)
    })?;
    let seconds = started.elapsed().as_secs_f64();
    let (sent, good) = (bodies.len(), good.into_inner());
    eprintln!("{sent} in {seconds:.2} s, {:.0} a second; {good} good", sent as f64 / seconds);
    Ok(())
}

/// The status and the body of an answer that says how long it is.
fn answer(stream: &mut impl BufRead) -> std::io::Result<(u16, String)> {
    let (mut status, mut length, mut line) = (0, 0, String::new());
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let lower = line.trim_end().to_ascii_lowercase();
        if let Some(rest) = lower.strip_prefix("http/1.1 ") {
            status = rest.get(..3).and_then(|code| code.parse().ok()).unwrap_or(0);
        } else if let Some(rest) = lower.strip_prefix("content-length:") {
            length = rest.trim().parse().map_err(std::io::Error::other)?;
        } else if lower.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    String::from_utf8(body).map(|body| (status, body)).map_err(std::io::Error::other)
}
