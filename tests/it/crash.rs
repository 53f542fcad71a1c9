//! `kill -9` at any moment: what was answered is there after the restart.

use std::env;
use std::sync::Arc;
use std::time::Duration;

use latchkey::domain::clock::SystemClock;

use crate::load::{Call, Load};
use crate::program::{Program, free_address};

/// How often it is killed, if `LATCHKEY_TEST_CRASHES` does not say.
const CRASHES: usize = 4;

/// They write, all of them, and as fast as they can.
const WRITERS: &[Call] = &[
    Call::ByAssertion,
    Call::ByAssertion,
    Call::ByAssertion,
    Call::ByAssertion,
    Call::Register,
    Call::Register,
    Call::Register,
    Call::Revoke,
    Call::Revoke,
];

/// They use assertions and write nothing else, so that nothing else waits for the disk.
const ASSERTERS: &[Call] = &[Call::ByAssertion; 16];

/// How often it is killed.
fn crashes() -> usize {
    let given = env::var("LATCHKEY_TEST_CRASHES").ok();
    given.map_or(CRASHES, |crashes| crashes.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_store_forgets_nothing_that_was_answered() {
    let crashes = crashes();
    let folder = tempfile::tempdir().unwrap();
    let start = || Program::start(folder.path(), free_address(), &[]);

    let program = start();
    let load = Load::prepare(WRITERS, Duration::ZERO, &program.url, Arc::new(SystemClock)).await;
    drop(program);

    for crash in 1..=crashes {
        let program = start();
        let before = load.unanswered();
        // In the middle of the writes: some were answered, more are under way. Sooner or later.
        let enough = [
            (Call::Register, 201, 1 + crash * 7 % 23),
            (Call::ByAssertion, 200, 1),
            (Call::Revoke, 200, 1),
        ];
        let crash = async {
            load.more(&enough).await;
            assert_eq!(load.unanswered(), before, "it went away by itself");
            program.kill();
        };
        load.during(std::slice::from_ref(&program.url), crash).await;
    }

    let program = start();
    eprintln!("{crashes} crashes: {}", load.ledger.summary());
    load.ledger.assert_kept(std::slice::from_ref(&program.url)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_assertion_is_accepted_before_and_after_a_kill() {
    let crashes = crashes();
    let folder = tempfile::tempdir().unwrap();
    let start = || Program::start(folder.path(), free_address(), &[]);

    let mut program = start();
    let load = Load::prepare(ASSERTERS, Duration::ZERO, &program.url, Arc::new(SystemClock)).await;
    let mut accepted = 0;
    for crash in 1..=crashes {
        let crash = async {
            load.more(&[(Call::ByAssertion, 200, 1 + crash * 37 % 41)]).await;
            program.kill();
        };
        load.during(std::slice::from_ref(&program.url), crash).await;
        drop(program); // waits for its end
        program = start();
        load.ledger.assert_used(std::slice::from_ref(&program.url), accepted).await;
        accepted = load.ledger.assertions.lock().unwrap().len();
    }
    eprintln!("{crashes} crashes: {}", load.ledger.summary());
    load.ledger.assert_used(std::slice::from_ref(&program.url), 0).await;
    // The machine went on, so nothing is in doubt: what is signed anew is accepted at once.
    assert_eq!(load.count(Call::ByAssertion, 401), 0);
}
