//! The main job, end to end: register, token, tokeninfo.

use std::time::Duration;

use latchkey::domain::jwk::Algorithm;

use crate::harness::{GRANT, Server, client_key};

#[actix_web::test]
async fn a_client_with_a_secret_gets_a_token_that_lives_ten_hours() {
    let server = Server::start().await;
    let (id, secret) = server.client_with_secret().await;

    let issued = server.token(Some((&id, &secret)), GRANT).await;
    assert_eq!(issued.status, 200, "{issued:?}");
    assert_eq!(issued.body["token_type"], "Bearer");
    assert_eq!(issued.body["expires_in"], 36000);

    let token = issued.text_of("access_token");
    let info = server.tokeninfo(&token).await;
    assert_eq!(info.status, 200);
    assert_eq!(info.body["sub"], id);
    assert_eq!(info.body["client_id"], id);

    server.clock.advance(Duration::from_secs(35_999));
    assert_eq!(server.tokeninfo(&token).await.status, 200);
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(server.tokeninfo(&token).await.status, 401);
}

#[actix_web::test]
async fn a_client_with_a_key_gets_a_token_once_per_assertion() {
    let server = Server::start().await;
    for &algorithm in Algorithm::ALL {
        let key = client_key(algorithm);
        let id = server.client_with_key(key).await;
        let assertion = server.assertion(&id, key);

        let issued = server.token_by(&assertion, "").await;
        assert_eq!(issued.status, 200, "{algorithm}: {issued:?}");
        assert_eq!(server.tokeninfo(&issued.text_of("access_token")).await.status, 200);

        let replayed = server.token_by(&assertion, "").await;
        assert_eq!((replayed.status, replayed.error()), (401, Some("invalid_client")));
    }
}
