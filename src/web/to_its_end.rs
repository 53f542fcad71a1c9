//! Requests that go on when their connection closes.

use std::future::{Future, Ready, ready};
use std::pin::Pin;

use actix_web::Error;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};

use crate::domain::error_code::{CANNOT_ANSWER, ErrorCode};

use super::refusal::Refusal;

/// Completes every request of a route, even if its connection closes: what it has stored must be
/// in force in this process too.
pub(crate) struct ToItsEnd;

impl<S, B> Transform<S, ServiceRequest> for ToItsEnd
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    S::Future: 'static,
    B: 'static,
{
    type Response = ServiceResponse<B>;
    type Error = Error;
    type InitError = ();
    type Transform = Detached<S>;
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(Detached { service }))
    }
}

/// A route that runs each request in its own task.
pub(crate) struct Detached<S> {
    service: S,
}

impl<S, B> Service<ServiceRequest> for Detached<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    S::Future: 'static,
    B: 'static,
{
    type Response = ServiceResponse<B>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<ServiceResponse<B>, Error>>>>;

    actix_web::dev::forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let answer = actix_web::rt::spawn(self.service.call(request));
        Box::pin(async move {
            match answer.await {
                Ok(answer) => answer,
                Err(_) => Err(Refusal::new(ErrorCode::ServerError, CANNOT_ANSWER).into()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

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
        let route = if is_wrapped { route.wrap(ToItsEnd) } else { route };
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
