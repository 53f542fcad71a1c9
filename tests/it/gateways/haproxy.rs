//! HAProxy: a Lua script of ours.

use std::process::Command;

use super::application::Application;
use super::latchkey::Latchkey;
use super::process::{self, Gateway};
use super::{Manners, Setup};
use crate::program::{free_address, installed};

const CONFIGURATION: &str = include_str!("../../../deploy/gateways/haproxy/haproxy.cfg");
const SCRIPT: &str = include_str!("../../../deploy/gateways/haproxy/latchkey.lua");

/// The path goes on as it came.
const PATHS: &[(&str, Option<&str>)] = &[
    ("/orders/a%2Fb", Some("/orders/a%2Fb")),
    ("//orders//7", Some("//orders//7")),
    ("/orders/../about", Some("/orders/../about")),
    ("/about#/../admin", None),
    ("/about/;/../admin", None),
    ("/about?/../admin", Some("/about?/../admin")),
    ("http://shop.test/orders", Some("/orders")),
    ("*", None),
];

#[actix_web::test]
async fn keeps_every_promise() {
    let Some(program) = installed("haproxy") else { return };
    let latchkey = Latchkey::start(&[]).await;
    let application = Application::start();
    let (address, folder) = (free_address(), process::folder());
    let script = process::write(folder.path(), "latchkey.lua", SCRIPT, &[]);
    let changes = [
        ("/etc/haproxy/latchkey.lua", script.to_str().unwrap()),
        ("bind :8000", &format!("bind {address}")),
        ("127.0.0.1:8080", &latchkey.asked.to_string()),
        ("127.0.0.1:9000", &application.address.to_string()),
    ];
    let file = process::write(folder.path(), "haproxy.cfg", CONFIGURATION, &changes);
    let mut command = Command::new(program);
    command.arg("-db").arg("-f").arg(file); // in the foreground
    let gateway = Gateway::start(command, address, folder).await;

    let manners = Manners { trouble: &[503], paths: PATHS, ..Manners::USUAL };
    Setup { latchkey, application, gateway, manners }.keeps_every_promise().await;
}
