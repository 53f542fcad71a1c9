//! Caddy: `forward_auth`.

use std::process::Command;

use super::application::Application;
use super::latchkey::Latchkey;
use super::process::{self, Gateway};
use super::{Manners, Setup};
use crate::program::{free_address, installed};

const CONFIGURATION: &str = include_str!("../../../deploy/gateways/caddy/Caddyfile");

/// The path goes on as it came, but for what must be encoded.
const PATHS: &[(&str, Option<&str>)] = &[
    ("/orders/a%2Fb", Some("/orders/a%2Fb")),
    ("/orders/a|b", Some("/orders/a%7Cb")),
    ("//orders//7", Some("//orders//7")),
    ("/orders/../about", Some("/orders/../about")),
    ("/about#/../admin", None),
    ("/about/;/../admin", None),
    ("/about?/../admin", Some("/about?/../admin")),
    ("http://shop.test/orders", Some("/orders")),
];

#[actix_web::test]
async fn keeps_every_promise() {
    let Some(program) = installed("caddy") else { return };
    let latchkey = Latchkey::start(&["--forward-auth-source", "forwarded"]).await;
    let application = Application::start();
    let (address, folder) = (free_address(), process::folder());
    let changes = [
        (
            ":8000 {",
            &*format!("{{\n\tadmin off\n}}\n:{} {{\n\tbind {}", address.port(), address.ip()),
        ),
        ("127.0.0.1:8080", &latchkey.asked.to_string()),
        ("127.0.0.1:9000", &application.address.to_string()),
    ];
    let file = process::write(folder.path(), "Caddyfile", CONFIGURATION, &changes);
    let mut command = Command::new(program);
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(file);
    let gateway = Gateway::start(command, address, folder).await;

    let manners = Manners { paths: PATHS, ..Manners::USUAL };
    Setup { latchkey, application, gateway, manners }.keeps_every_promise().await;
}
