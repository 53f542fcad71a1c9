//! What the server promises, from the outside: one file per RFC or contract.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "tests, and one binary"
)]

mod absent_clients;
mod admin_api;
mod agreement;
mod architecture;
mod assertion_lease;
mod audit_api;
mod authzen;
mod balancer;
mod cli_clients;
mod cli_import;
mod cli_terminal;
mod clients_api;
mod command_line;
mod connections;
mod crash;
mod damage_in_the_log;
mod damaged_pages;
mod databases;
mod deploy;
mod documents;
mod embedded_store;
mod envoy_grpc;
mod fleet;
mod foreign_documents;
mod full_disk;
mod garbage;
mod gatehouse;
mod gateway_auth;
mod gateway_decisions;
mod gateway_forward_auth;
mod gateway_policy;
mod gateway_properties;
mod gateways;
mod harness;
mod import;
mod jwks_uri;
mod key_proof;
mod last_used;
mod ledger;
mod list_limits;
mod load;
mod log_lines;
mod long_silence;
mod main_job;
mod mia;
mod mongo_store;
mod old_store;
mod openapi;
mod outage;
mod policy_reload;
mod program;
mod proxy;
mod quota;
mod readme;
mod real_client;
mod replicas;
mod revocation;
mod revocation_model;
mod revocations_api;
mod revoking_replicas;
mod rfc6749_client_authentication;
mod rfc6749_token_endpoint;
mod rfc6750_tokeninfo;
mod rfc7009_revocation;
mod rfc7523_private_key_jwt;
mod rfc7591_registration;
mod rfc7592_management;
mod rfc7662_introspection;
mod rfc8414_metadata;
mod rfc8707_resource_indicators;
mod rfc9701_signed_introspection;
mod rfc9728_protected_resources;
mod rolling_restart;
mod security;
mod signals;
mod signing_keys;
mod store_backup;
mod store_check;
mod store_contract;
mod stores;
mod throttle;
mod token_size;
mod trouble;
mod unreadable;
mod unused_clients;
mod webhooks;
