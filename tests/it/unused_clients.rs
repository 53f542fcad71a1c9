//! Clients that registered themselves and were never used go after the configured age.

use std::time::Duration;

use serde_json::json;

use crate::harness::{GRANT, Server};

const DAY: u64 = 86_400;

#[actix_web::test]
async fn they_go_after_the_configured_age() {
    for (days, age, gone) in
        [(Some(30), 30 * DAY + 1, true), (Some(30), 30 * DAY, false), (None, 9_999 * DAY, false)]
    {
        let server = Server::with(|settings| {
            settings.clients.unused_for = days.map(|days| Duration::from_secs(days * DAY));
        })
        .await;
        let unused = server.client_with_secret().await;
        let used = server.client_with_secret().await;
        let made = server.granted(json!({})).await;
        assert_eq!(server.token(Some((&used.0, &used.1)), GRANT).await.status, 200);
        server.clock.advance(Duration::from_secs(age));
        server.app.feed.look().await.unwrap(); // renews what its key promises
        let late = server.client_with_secret().await;

        let removed = server.chores.unused.sweep(server.app.clock.now()).await.unwrap();
        let why = format!("{days:?} days, after {age} s");
        assert_eq!(removed, usize::from(gone), "{why}");
        for (client, status) in
            [(&unused, if gone { 401 } else { 200 }), (&used, 200), (&made, 200), (&late, 200)]
        {
            let reply = server.token(Some((&client.0, &client.1)), GRANT).await;
            assert_eq!(reply.status, status, "{why}");
        }
    }
}

/// Its login is not written yet when the sweep begins.
#[actix_web::test]
async fn who_has_just_got_a_first_token_stays() {
    let server =
        Server::with(|settings| settings.clients.unused_for = Some(Duration::from_secs(DAY))).await;
    let (id, secret) = server.client_with_secret().await;
    server.clock.advance(Duration::from_secs(2 * DAY));
    server.app.feed.look().await.unwrap();
    assert_eq!(server.token(Some((&id, &secret)), GRANT).await.status, 200);
    assert_eq!(server.chores.unused.sweep(server.app.clock.now()).await.unwrap(), 0);
    assert_eq!(server.token(Some((&id, &secret)), GRANT).await.status, 200);
}
