//! Envoy: `ext_authz`, over HTTP and over gRPC.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::application::Application;
use super::latchkey::Latchkey;
use super::process::{self, Gateway};
use super::{Manners, Setup, shown_in_the_manual};
use crate::program::{free_address, installed};

const PAGE: &str = "docs/gateways/envoy.md";
const HTTP: &str = include_str!("../../../deploy/gateways/envoy/http.yaml");
const GRPC: &str = include_str!("../../../deploy/gateways/envoy/grpc.yaml");

/// Dots and what need not be encoded are put right before anybody sees the path; slashes stay.
const PATHS: &[(&str, Option<&str>)] = &[
    ("/orders/a%2fb", Some("/orders/a%2fb")),
    ("/orders/a|b", Some("/orders/a%7Cb")),
    ("//orders//7", Some("//orders//7")),
    ("/orders/../about", Some("/about")),
    ("/about/%2e%2e/orders", Some("/orders")),
    ("/%6frders", Some("/orders")),
    ("/about/%01", None),
    ("/about#/../admin", None),
    ("/about?/../admin", Some("/about?/../admin")),
    ("http://shop.test/orders", Some("/orders")),
    ("*", None),
];

const MANNERS: Manners = Manners { trouble: &[503], paths: PATHS, ..Manners::USUAL };

#[actix_web::test]
async fn keeps_every_promise_over_http() {
    let Some(program) = installed("envoy") else { return };
    let latchkey = Latchkey::start(&["--auth-source", "path"]).await;
    let told = &[("mia-userid", "client_id"), ("mia-groups", "groups")];
    let manners = Manners { told, always: &[("mia-allowed", "1")], ..MANNERS };
    start(&program, HTTP, "8080", latchkey, manners).await.keeps_every_promise().await;
}

#[actix_web::test]
async fn keeps_every_promise_over_grpc() {
    let Some(program) = installed("envoy") else { return };
    let latchkey = asked_over_grpc().await;
    start(&program, GRPC, "8081", latchkey, MANNERS).await.keeps_every_promise().await;
}

#[actix_web::test]
async fn decides_as_the_manual_shows_it() {
    let Some(program) = installed("envoy") else { return };
    // Without what drops names with `_`: the manual does not show it.
    let (before, rest) = GRPC.split_once("headers_with_underscores_action: DROP_HEADER").unwrap();
    let (between, rest) = rest.split_once("                http_filters:\n").unwrap();
    let (_, after) = rest.split_once("\n\n").unwrap();
    let shown = shown_in_the_manual(PAGE, "filters.http.ext_authz");
    let shown: Vec<_> = shown.lines().map(|line| format!("{:16}{line}\n", "")).collect();
    let shown = format!("{before}{between}{}\n{after}", shown.concat());
    let latchkey = asked_over_grpc().await;
    start(&program, &shown, "8081", latchkey, MANNERS).await.decides_and_fails_closed().await;
}

async fn asked_over_grpc() -> Latchkey {
    let asked = free_address();
    let mut latchkey = Latchkey::start(&["--grpc-listen", &asked.to_string()]).await;
    latchkey.asked = asked;
    latchkey
}

/// With one of the files, which asks at this port.
async fn start(
    program: &Path,
    shipped: &str,
    port: &str,
    latchkey: Latchkey,
    manners: Manners,
) -> Setup {
    let application = Application::start();
    let (address, folder) = (free_address(), process::folder());
    let at = |ip: &str, port: &str| format!("address: {ip}, port_value: {port} }}");
    let here = |it: SocketAddr| at(&it.ip().to_string(), &it.port().to_string());
    let changes = [
        (&*at("0.0.0.0", "8000"), &*here(address)),
        (&at("127.0.0.1", port), &here(latchkey.asked)),
        (&at("127.0.0.1", "9000"), &here(application.address)),
    ];
    let file = process::write(folder.path(), "envoy.yaml", shipped, &changes);
    let mut command = Command::new(program);
    // Several at once, each with one thread.
    command.args(["--disable-hot-restart", "--concurrency", "1", "-c"]).arg(file);
    let gateway = Gateway::start(command, address, folder).await;
    Setup { latchkey, application, gateway, manners }
}
