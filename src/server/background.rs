//! What runs without being asked, from the start of the server to its end.

use std::future::Future;
use std::pin::Pin;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::assembly::Chores;
use crate::audit::outbox;
use crate::clients::{logins, unused};
use crate::oauth::quota;

use super::{disk_space, sweep};

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Tasks that run until they are stopped. Each can be cut off anywhere: what must not be lost is
/// written in a task of its own, or when the server stops.
#[derive(Default)]
pub(super) struct Background {
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Background {
    /// Starts everything that the parts of the server need.
    pub(super) fn start(&self, chores: &Chores) {
        let Chores { clock, store, retention, .. } = chores;
        let mut tasks: Vec<Task> = vec![
            Box::pin(chores.feed.clone().run()),
            Box::pin(sweep::run(
                store.clone(),
                chores.revocations.clone(),
                clock.clone(),
                *retention,
            )),
            Box::pin(disk_space::run(store.clone())),
            Box::pin(outbox::run(chores.outbox.clone())),
            Box::pin(logins::run(chores.logins.clone(), store.clone())),
            Box::pin(quota::run(chores.quotas.clone(), clock.clone())),
            Box::pin(unused::run(chores.unused.clone(), clock.clone())),
            Box::pin(chores.credentials.clone().run()),
        ];
        if let Some(policy) = &chores.policy {
            tasks.push(Box::pin(policy.clone().watch()));
        }
        if let Some(delivery) = &chores.delivery {
            tasks.push(Box::pin(delivery.clone().run()));
        }
        for task in tasks {
            self.spawn(task);
        }
    }

    /// Starts one more.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move { stop.run_until_cancelled(task).await });
    }

    /// Stops all of them, and waits until they have.
    pub(super) async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
