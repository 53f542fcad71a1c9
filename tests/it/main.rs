//! The tests of the whole: one file per RFC or contract.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

mod architecture;
mod harness;
mod main_job;
