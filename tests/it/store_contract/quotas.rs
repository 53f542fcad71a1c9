//! What replicas tell each other of the tokens that they issued.

use std::collections::BTreeMap;

use latchkey::domain::clock::Timestamp;
use latchkey::domain::window::{Length, Window};
use latchkey::oauth::quota::Counted;
use latchkey::store::Store;

use super::id;
use crate::stores::{Place, on_every_store};

on_every_store! {
    each_replica_has_a_count_of_its_own
    counts_of_windows_that_are_over_are_swept
}

const NOW: Timestamp = Timestamp(1_800_000_000);

fn hour(client: &str) -> Counted {
    (id(client), Window::at(Length::Hour, NOW))
}

fn day(client: &str) -> Counted {
    (id(client), Window::at(Length::Day, NOW))
}

/// What a replica is told of the others: each sum.
async fn others(
    store: &dyn Store,
    replica: &str,
    clients: Option<&[&str]>,
    now: Timestamp,
) -> BTreeMap<Counted, u64> {
    let ids: Option<Vec<_>> = clients.map(|names| names.iter().map(|name| id(name)).collect());
    let mut sums = BTreeMap::new();
    for (counted, count) in store.counts_of_others(replica, ids.as_deref(), now).await.unwrap() {
        *sums.entry(counted).or_default() += count;
    }
    sums
}

async fn each_replica_has_a_count_of_its_own(place: &Place) {
    let store = &*place.store;
    let odd = "a b $c.d \"e\" %"; // a client id may be any printable text
    for (replica, counts) in [
        ("one", vec![(hour("svc"), 1), (day("svc"), 5), (hour(odd), 7)]),
        ("two", vec![(hour("svc"), 2), (hour("other"), 5_000_000_000)]),
        ("three", vec![(hour("svc"), 40)]),
        ("one", vec![(hour("svc"), 3)]), // in place of the 1
        ("one", vec![]),
    ] {
        store.write_counts(replica, &counts).await.unwrap();
    }
    #[rustfmt::skip]
    let cases = [
        // why               replica  of whom                    what
        ("of one",           "one",   Some(&["svc"][..]),        vec![(hour("svc"), 42)]),
        ("of another",       "two",   Some(&["svc"]),            vec![(hour("svc"), 43), (day("svc"), 5)]),
        ("of several",       "new",   Some(&["other", odd]),     vec![(hour("other"), 5_000_000_000), (hour(odd), 7)]),
        ("of nobody",        "new",   Some(&[]),                 vec![]),
        ("of a stranger",    "new",   Some(&["who"]),            vec![]),
        ("of all",           "two",   None,                      vec![(hour("svc"), 43), (day("svc"), 5), (hour(odd), 7)]),
    ];
    for (why, replica, clients, expected) in cases {
        let found = others(store, replica, clients, NOW).await;
        assert_eq!(found, expected.into_iter().collect(), "{why}");
    }
    let hour_is_over = Timestamp(NOW.0 + 3_600);
    let found = others(store, "new", None, hour_is_over).await;
    assert_eq!(found, BTreeMap::from([(day("svc"), 5)]), "a window is half open");
}

async fn counts_of_windows_that_are_over_are_swept(place: &Place) {
    let store = &*place.store;
    let counts: Vec<(Counted, u64)> = (0..5).map(|n| (hour(&format!("svc{n}")), 1)).collect();
    store.write_counts("one", &counts).await.unwrap();
    store.write_counts("one", &[(day("svc"), 1)]).await.unwrap();
    let end = Timestamp(NOW.0 + 3_600);
    assert_eq!(store.sweep_counts(end, 10).await.unwrap(), 0, "its end is not before itself");
    let later = Timestamp(end.0 + 1);
    for swept in [3, 2, 0] {
        assert_eq!(store.sweep_counts(later, 3).await.unwrap(), swept);
    }
    assert_eq!(others(store, "new", None, NOW).await, BTreeMap::from([(day("svc"), 1)]));
}
