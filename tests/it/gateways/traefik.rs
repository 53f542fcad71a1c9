//! Traefik: `forwardAuth`.

use std::process::Command;

use super::application::Application;
use super::latchkey::Latchkey;
use super::process::{self, Gateway};
use super::{Manners, Setup};
use crate::program::{free_address, installed};

const CONFIGURATION: &str = include_str!("../../../deploy/gateways/traefik/traefik.yaml");
const ROUTES: &str = include_str!("../../../deploy/gateways/traefik/routes.yaml");

/// Dots, slashes and what need not be encoded are put right before anybody sees the path.
const PATHS: &[(&str, Option<&str>)] = &[
    ("/orders/a%2fb", Some("/orders/a%2Fb")),
    ("//orders//7", Some("/orders/7")),
    ("/orders/../about", Some("/about")),
    ("/about/%2e%2e/orders", Some("/orders")),
    ("/%6frders", Some("/orders")),
    ("/about?/../admin", Some("/about?/../admin")),
    ("http://shop.test/orders", Some("/orders")),
];

#[actix_web::test]
async fn keeps_every_promise() {
    let Some(program) = installed("traefik") else { return };
    let latchkey = Latchkey::start(&["--forward-auth-source", "forwarded"]).await;
    let application = Application::start();
    let (address, folder) = (free_address(), process::folder());
    let changes = [
        ("127.0.0.1:8080", &*latchkey.asked.to_string()),
        ("127.0.0.1:9000", &application.address.to_string()),
    ];
    let routes = process::write(folder.path(), "routes.yaml", ROUTES, &changes);
    let changes =
        [(":8000", &*address.to_string()), ("/etc/traefik/routes.yaml", routes.to_str().unwrap())];
    let file = process::write(folder.path(), "traefik.yaml", CONFIGURATION, &changes);
    let mut command = Command::new(program);
    command.arg("--configFile").arg(file);
    let gateway = Gateway::start(command, address, folder).await;

    let manners = Manners { trouble: &[500, 503], paths: PATHS, ..Manners::USUAL };
    Setup { latchkey, application, gateway, manners }.keeps_every_promise().await;
}
