//! What the server promises, from the outside: one file per RFC or contract.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "tests, and one binary"
)]

mod admin_api;
mod architecture;
mod command_line;
mod crash;
mod databases;
mod deploy;
mod embedded_store;
mod foreign_documents;
mod garbage;
mod harness;
mod jwks_uri;
mod key_proof;
mod main_job;
mod mia;
mod mongo_store;
mod openapi;
mod outage;
mod quota;
mod readme;
mod real_client;
mod replicas;
mod revocation;
mod rfc6749_client_authentication;
mod rfc6749_token_endpoint;
mod rfc6750_tokeninfo;
mod rfc7523_private_key_jwt;
mod rfc7591_registration;
mod rfc8414_metadata;
mod security;
mod store_contract;
mod stores;
mod throttle;
mod unused_clients;
