//! The database dies under load, or the network before it spoils its connections. Meanwhile tokens
//! are judged as ever, tokens are issued or it is said that they cannot be now, soon; and afterwards
//! everything that was promised is kept.

use std::time::Duration;

use futures_util::future::join_all;

use crate::databases::Kind;
use crate::fleet::{Fleet, on_databases};
use crate::load::{ALL_SORTS, Call, Load};
use crate::proxy::{Proxy, Weather};

/// How long judging a token may take. It asks nobody; this is for slow machines.
const JUDGING: Duration = Duration::from_secs(5);
/// How long anything else may take: two operations of the store, each of which is given up after
/// five seconds, and room for slow machines.
const ASKING: Duration = Duration::from_secs(15);

/// Between two calls of one caller.
const PAUSE: Duration = Duration::from_millis(10);

/// What is answered while all is well; some of each sort.
const WELL: &[(Call, u16, usize)] = &[
    (Call::ByAssertion, 200, 6),
    (Call::BySecret, 200, 6),
    (Call::Register, 201, 3),
    (Call::Revoke, 200, 3),
    (Call::TokenInfo, 200, 30),
];
/// And while the database cannot be reached.
const UNREACHABLE: &[(Call, u16, usize)] =
    &[(Call::ByAssertion, 503, 2), (Call::Register, 503, 1), (Call::TokenInfo, 200, 30)];

async fn keeps_its_promises(load: &Load, fleet: &Fleet) {
    load.assert_all(Call::TokenInfo, &[200], JUDGING);
    load.assert_all(Call::ByAssertion, &[200, 503], ASKING);
    load.assert_all(Call::BySecret, &[200, 503], ASKING);
    load.assert_all(Call::Register, &[201, 503], ASKING);
    load.assert_all(Call::Revoke, &[200, 503], 2 * ASKING);
    load.ledger.assert_kept(&fleet.urls()).await;
}

async fn the_database_is_killed_and_comes_back(kind: Kind) {
    let Some(database) = kind.alone().await else { return };
    let fleet = Fleet::start(&database.fresh_database()).await;
    let load = Load::prepare(ALL_SORTS, PAUSE, &fleet.servers[0].url, fleet.clock.clone()).await;
    let crashes = async {
        for _ in 0..2 {
            load.more(WELL).await;
            database.kill();
            load.more(UNREACHABLE).await;
            database.start_again().await;
        }
        load.more(WELL).await;
    };
    load.during(&fleet.urls(), crashes).await;
    keeps_its_promises(&load, &fleet).await;
}

/// With three servers that reach the database through a proxy only.
async fn withstands(kind: Kind, weather: Weather) {
    let (meanwhile, check_up) = match weather {
        Weather::Clear | Weather::Delayed(_) => (WELL, 200),
        Weather::Cut | Weather::HalfClosed | Weather::Silent => (UNREACHABLE, 503),
    };
    let Some(database) = kind.shared().await else { return };
    let proxy = Proxy::before(database).await;
    let fleet = Fleet::start(&proxy.leading_to(&database.fresh_database())).await;
    let load = Load::prepare(ALL_SORTS, PAUSE, &fleet.servers[0].url, fleet.clock.clone()).await;
    let spell = async {
        load.more(WELL).await;
        proxy.set(weather);
        load.more(meanwhile).await;
        join_all(fleet.servers.iter().map(async |server| {
            assert_eq!(server.get("/-/ready").await.status, 200, "it judges tokens all the same");
            assert_eq!(server.get("/-/check-up").await.status, check_up);
        }))
        .await;
        proxy.set(Weather::Clear);
        load.more(WELL).await;
    };
    load.during(&fleet.urls(), spell).await;
    keeps_its_promises(&load, &fleet).await;
}

async fn its_connections_are_reset(kind: Kind) {
    withstands(kind, Weather::Cut).await;
}

async fn its_connections_are_slow(kind: Kind) {
    withstands(kind, Weather::Delayed(Duration::from_millis(100))).await;
}

async fn its_connections_are_half_closed(kind: Kind) {
    withstands(kind, Weather::HalfClosed).await;
}

async fn its_connections_fall_silent(kind: Kind) {
    withstands(kind, Weather::Silent).await;
}

on_databases! { the_database_is_killed_and_comes_back }
on_databases!(its_connections_are_reset: mongodb MongoDb, ferretdb FerretDb);
on_databases!(its_connections_are_slow: mongodb MongoDb, ferretdb FerretDb);
on_databases!(its_connections_are_half_closed: mongodb MongoDb, ferretdb FerretDb);
on_databases!(its_connections_fall_silent: mongodb MongoDb, ferretdb FerretDb);
