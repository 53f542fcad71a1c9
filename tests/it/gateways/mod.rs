//! Gateways as `deploy/gateways/` sets them up, each before an application: one table of requests
//! for all. Nothing of what is refused may reach the application.

mod apache;
mod application;
mod caddy;
mod caller;
mod envoy;
mod haproxy;
mod impostor;
mod latchkey;
mod nginx;
mod process;
mod promises;
mod traefik;

use std::time::Duration;

use application::Application;
use latchkey::Latchkey;
use process::Gateway;

use crate::documents::{blocks, read};

/// How long anything may take, with room for slow machines: Traefik alone waits for half a minute.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is asked of Latchkey. Apache, which asks about tokens alone, has the same in its own words.
const POLICY: &str = r#"{
  "/about/**": { "GET": { "authorization": { "expression": "true", "public": true } } },
  "/orders":   { "GET": { "authorization": { "expression": "permissions[\"read:orders\"]", "public": false } },
                 "POST": { "authorization": { "expression": "permissions[\"write:orders\"]", "public": false } } },
  "/admin":    { "ALL": { "authorization": { "expression": "permissions.admin", "public": false } } }
}"#;

/// The block of code of a page of the manual that names this. It has ten lines at most, as the page
/// says.
fn shown_in_the_manual(page: &str, name: &str) -> String {
    let blocks = blocks(&read(page));
    let shown = blocks.into_iter().find(|block| block.text.contains(name)).unwrap().text;
    assert!(shown.lines().count() <= 10, "{shown}");
    shown
}

/// A gateway with what is before and behind it.
struct Setup {
    latchkey: Latchkey,
    application: Application,
    gateway: Gateway,
    manners: Manners,
}

/// In what a gateway differs from others.
struct Manners {
    /// By which headers the application is told of which claims. They are empty where there is no
    /// token.
    told: &'static [(&'static str, &'static str)],
    /// What else the application is told, with each request.
    always: &'static [(&'static str, &'static str)],
    /// What a caller with two tokens gets.
    two_tokens: u16,
    /// What a caller with a good token gets where no rule is.
    no_rule: u16,
    /// What a caller with a revoked token gets.
    revoked: u16,
    /// What callers get while Latchkey does not answer as it should.
    trouble: &'static [u16],
    /// What the application gets of a path that was sent; `None` if it is refused, as those are that
    /// every gateway refuses.
    paths: &'static [(&'static str, Option<&'static str>)],
}

impl Manners {
    const USUAL: Self = Self {
        told: &[
            ("x-client-id", "client_id"),
            ("x-permissions", "permissions"),
            ("x-scope", "scope"),
            ("x-audience", "aud"),
            ("x-token-id", "jti"),
        ],
        always: &[],
        two_tokens: 401,
        no_rule: 401,
        revoked: 401,
        trouble: &[500, 502, 503, 504],
        paths: &[],
    };
}
