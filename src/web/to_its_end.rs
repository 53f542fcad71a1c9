//! Requests that go on when their connection closes.

use actix_web::Error;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;

use crate::domain::error_code::{CANNOT_ANSWER, ErrorCode};

use super::refusal::Refusal;

/// Middleware that completes every request of a route, even if its connection closes: what it has
/// stored must be in force in this process too.
pub(crate) async fn to_its_end<B: 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    match actix_web::rt::spawn(next.call(request)).await {
        Ok(answer) => answer,
        Err(_) => Err(Refusal::new(ErrorCode::ServerError, CANNOT_ANSWER).into()),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use actix_web::dev::Service;
    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, init_service};
    use actix_web::{App, web};
    use futures_util::poll;
    use tokio::sync::oneshot;

    use super::*;

    /// Whether a request is completed whose caller goes away in the middle of it.
    async fn is_carried_out(is_wrapped: bool) -> bool {
        let (go_on, waits) = oneshot::channel::<()>();
        let (finished, end) = oneshot::channel::<()>();
        let once = Rc::new(Cell::new(Some((waits, finished))));
        let handler = move || {
            let once = once.take();
            async move {
                if let Some((waits, finished)) = once {
                    let _ = waits.await;
                    let _ = finished.send(());
                }
                "done"
            }
        };
        let route = web::post().to(handler);
        let route = if is_wrapped { route.wrap(from_fn(to_its_end)) } else { route };
        let service = init_service(App::new().route("/", route)).await;
        {
            let mut answer = std::pin::pin!(service.call(TestRequest::post().to_request()));
            assert!(poll!(&mut answer).is_pending());
        }
        let _ = go_on.send(());
        end.await.is_ok()
    }

    #[actix_web::test]
    async fn what_was_begun_is_carried_out_when_its_caller_goes_away() {
        assert!(is_carried_out(true).await);
        assert!(!is_carried_out(false).await, "else this test shows nothing");
    }
}
