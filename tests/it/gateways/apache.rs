//! Apache: `mod_auth_openidc`, by introspection and by Latchkey's keys.

use std::fs;
use std::iter::once;
use std::path::Path;
use std::process::Command;

use super::application::Application;
use super::caller::call;
use super::latchkey::Latchkey;
use super::process::{self, Gateway};
use super::{Manners, Setup};
use crate::program::{ISSUER, free_address, installed, installed_in};

const SITE: &str = include_str!("../../../deploy/gateways/apache/site.conf");
const INTROSPECTION: &str = include_str!("../../../deploy/gateways/apache/introspection.conf");
const JWKS: &str = include_str!("../../../deploy/gateways/apache/jwks.conf");

/// Where Debian has the modules.
const MODULES: &str = "/usr/lib/apache2/modules";

/// The path is decoded, put right and encoded again before anybody sees it.
const PATHS: &[(&str, Option<&str>)] = &[
    ("/orders/a%2Fb", None),
    ("/orders/a%41", Some("/orders/aA")),
    ("//orders//7", Some("/orders/7")),
    ("/orders/../about", Some("/about")),
    ("/about/%2e%2e/orders", Some("/orders")),
    ("/%6frders", Some("/orders")),
    ("/about/%01", None),
    ("/about?/../admin", Some("/about?/../admin")),
    ("http://shop.test/orders", Some("/orders")),
];

/// Without an answer from Latchkey no token is good.
const MANNERS: Manners = Manners { no_rule: 403, trouble: &[401], paths: PATHS, ..Manners::USUAL };

#[actix_web::test]
async fn keeps_every_promise_by_introspection() {
    if let Some(mut setup) = start("introspection.conf", INTROSPECTION, MANNERS).await {
        setup.keeps_every_promise().await;
    }
}

/// It knows of no revocation, and needs Latchkey for its keys alone.
#[actix_web::test]
async fn lets_pass_what_may_by_keys() {
    let manners = Manners { revoked: 200, ..MANNERS };
    let Some(mut setup) = start("jwks.conf", JWKS, manners).await else { return };
    setup.lets_pass_what_may().await;

    setup.latchkey.stop();
    let good = setup.latchkey.authorization();
    let headers = [("Authorization", &*good)];
    let answer = call(setup.gateway.address, "GET /orders", &headers, b"").await;
    assert_eq!((answer.status, setup.application.received().len()), (200, 1));
}

/// `None` if Apache or the module is not there.
async fn start(name: &str, judging: &str, manners: Manners) -> Option<Setup> {
    let program = installed("apache2")?;
    installed_in(once(MODULES.into()), "mod_auth_openidc.so")?;
    let folder = process::folder();
    let (certificate, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
    let latchkey = Latchkey::start(&["--tls-certificate", certificate, "--tls-key", key]).await;
    let application = Application::start();
    let address = free_address();

    let (id, secret) = &latchkey.tokens.introspector;
    let asked = latchkey.asked.to_string();
    let mut changes = vec![
        ("latchkey.example:8443", &*asked),
        ("/etc/ssl/certs/ca-certificates.crt", certificate),
    ];
    if judging.contains("OIDCOAuthClientID") {
        changes.extend([("the client's id", &**id), ("the client's secret", secret)]);
    }
    process::write(folder.path(), name, judging, &changes);
    let changes = [
        ("Listen 8000", &*format!("Listen {address}")),
        ("<VirtualHost *:8000>", &format!("<VirtualHost {address}>")),
        ("https://auth.example.com", ISSUER),
        ("127.0.0.1:9000", &application.address.to_string()),
    ];
    process::write(folder.path(), "site.conf", SITE, &changes);
    let server = process::write(folder.path(), "apache.conf", &server(folder.path(), name), &[]);
    let mut command = Command::new(program);
    // One process, so that none is left when it is killed.
    command.arg("-X").arg("-f").arg(server);
    let gateway = Gateway::start(command, address, folder).await;
    Some(Setup { latchkey, application, gateway, manners })
}

/// What a distribution has around a site.
fn server(folder: &Path, judging: &str) -> String {
    let modules =
        ["mpm_event", "authn_core", "authz_core", "headers", "proxy", "proxy_http", "auth_openidc"];
    let modules =
        modules.map(|it| format!("LoadModule {it}_module {MODULES}/mod_{it}.so\n")).concat();
    format!(
        "{modules}ServerRoot {folder}\nServerName shop.test\nPidFile pid\nDefaultRuntimeDir {folder}\n\
         ErrorLog /dev/stderr\nUser nobody\nGroup nogroup\nInclude {judging}\nInclude site.conf\n",
        folder = folder.display(),
    )
}
