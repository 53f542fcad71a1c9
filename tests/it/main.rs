//! What the server promises, from the outside: one file per RFC or contract.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "tests, and one binary"
)]

mod architecture;
mod command_line;
mod databases;
mod embedded_store;
mod foreign_documents;
mod harness;
mod main_job;
mod mongo_store;
mod outage;
mod replicas;
mod store_contract;
mod stores;
