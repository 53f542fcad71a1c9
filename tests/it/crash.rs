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

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_store_forgets_nothing_that_was_answered() {
    let given = env::var("LATCHKEY_TEST_CRASHES").ok();
    let crashes = given.map_or(CRASHES, |crashes| crashes.parse().unwrap());
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
