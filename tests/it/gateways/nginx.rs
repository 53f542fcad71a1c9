//! nginx: `auth_request`.

use std::process::Command;

use super::application::Application;
use super::latchkey::Latchkey;
use super::process::{self, Gateway};
use super::{Manners, Setup, shown_in_the_manual};
use crate::program::{free_address, installed};

const PAGE: &str = "docs/gateways/nginx-caddy-traefik-haproxy-apache.md";
const CONFIGURATION: &str = include_str!("../../../deploy/gateways/nginx/nginx.conf");

/// The path goes on as it came.
const PATHS: &[(&str, Option<&str>)] = &[
    ("/orders/a%2Fb", Some("/orders/a%2Fb")),
    ("//orders//7", Some("//orders//7")),
    ("/orders/../about", Some("/orders/../about")),
    ("/about#/../admin", None),
    ("/about/;/../admin", None),
    ("/about?/../admin", Some("/about?/../admin")),
];

/// It refuses two tokens itself, and knows one word for trouble.
const MANNERS: Manners = Manners { two_tokens: 400, trouble: &[500], ..Manners::USUAL };

#[actix_web::test]
async fn keeps_every_promise() {
    let manners = Manners { paths: PATHS, ..MANNERS };
    let Some(mut setup) = start(CONFIGURATION, manners).await else { return };
    setup.keeps_every_promise().await;
}

#[actix_web::test]
async fn decides_as_the_manual_shows_it() {
    let (before, _) = CONFIGURATION.split_once("    # RFC 6750").unwrap();
    let shown = shown_in_the_manual(PAGE, "auth_request /latchkey");
    let shown = format!("{before} server {{ listen 8000;\n{shown}\n}} }}\n");
    let manners = Manners { told: &[("x-client-id", "client_id")], ..MANNERS };
    let Some(mut setup) = start(&shown, manners).await else { return };
    setup.decides_and_fails_closed().await;
}

/// `None` if it is not there.
async fn start(configuration: &str, manners: Manners) -> Option<Setup> {
    let program = installed("nginx")?;
    let latchkey = Latchkey::start(&[]).await;
    let application = Application::start();
    let (address, folder) = (free_address(), process::folder());
    let local = "http {\n access_log off; client_body_temp_path body; proxy_temp_path proxy;\n";
    let local =
        format!("{local} fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;");
    let changes = [
        ("http {", &*local),
        ("listen 8000;", &format!("listen {address};")),
        ("127.0.0.1:8080", &latchkey.asked.to_string()),
        ("127.0.0.1:9000", &application.address.to_string()),
    ];
    let file = process::write(folder.path(), "nginx.conf", configuration, &changes);
    let mut command = Command::new(program);
    // One process, so that none is left when it is killed.
    command.args(["-e", "stderr", "-g", "daemon off; master_process off; pid pid;", "-p"]);
    command.arg(folder.path()).arg("-c").arg(file);
    let gateway = Gateway::start(command, address, folder).await;
    Some(Setup { latchkey, application, gateway, manners })
}
