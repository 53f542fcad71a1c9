//! `latchkey serve`: runs the server.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use clap::ArgMatches;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::assembly::{App, StartError, open_store};
use crate::config::{Config, Loaded};
use crate::domain::clock::SystemClock;
use crate::server::{Server, bind, serve};
use crate::telemetry;

use super::{Outcome, settings};

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    let loaded = settings(matches)?;
    telemetry::log(&loaded.settings.log.level, loaded.settings.log.format)?;
    // The heap is used here and there, which huge pages would make three times as large.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "transparent huge pages stay on");
    }
    // Requests have threads of their own; these are for what runs in the background.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("background")
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(until_stopped(loaded));
    runtime.shutdown_background(); // what must not be lost was waited for
    outcome
}

/// What an operator tells the process.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits until it shall stop.
    async fn stop(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Waits until it shall stop (`true`), or read its files again.
    async fn next(&mut self) -> bool {
        tokio::select! {
            _ = self.interrupt.recv() => true,
            _ = self.terminate.recv() => true,
            _ = self.hangup.recv() => false,
        }
    }
}

async fn until_stopped(loaded: Loaded) -> Outcome {
    // Before anything else, so that a signal that comes early is not missed.
    let mut signals = Signals::new()?;
    let bound = bind(&loaded.settings)?;
    let config = Config::of(loaded.settings, bound.address()?.port())?;
    for (alias, id) in &loaded.aliases {
        tracing::info!("{alias} is taken as the setting {id}");
    }
    for note in config.notes() {
        tracing::info!("{note}");
    }
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    let store = open_store(&config.storage.store).map_err(StartError::from)?;

    let mut server = serve(bound, &config)?;
    let app = tokio::select! {
        started = server.start(config, &store, Arc::new(SystemClock)) => started?,
        () = signals.stop() => return stopped(server, signals).await,
    };
    let welcome = welcome(&app, server.ready());
    tokio::pin!(welcome);
    let ended = loop {
        tokio::select! {
            ended = server.run() => break ended,
            never = &mut welcome => match never {},
            stop = signals.next() => match stop {
                true => break Ok(()),
                // Beside this, which waits for the next signal: a store may be slow to answer.
                false => drop(tokio::spawn(server.reread())),
            },
        }
    };
    stopped(server, signals).await?;
    Ok(ended?)
}

/// Stops in good order, unless it is told to stop once more.
async fn stopped(server: Server, mut signals: Signals) -> Outcome {
    tracing::info!("stopping; a second signal ends the server at once");
    tokio::select! {
        () = server.stop() => Ok(()),
        () = signals.stop() => Err("ended at once: requests under way were cut off".into()),
    }
}

/// Says when the server is ready, and until when it is not.
async fn welcome(app: &App, ready: impl Future<Output = ()>) -> Infallible {
    let config = &app.config;
    let listen = config.listen.address;
    if !app.signing.ring.can_sign() {
        let next = app.signing.ring.next_kid();
        let (kid, from) = next.map(|(kid, from)| (kid, from.for_people())).unzip();
        tracing::warn!(%listen, kid, signs_from = from, "not ready: no signing key may sign yet");
    }
    ready.await;

    let kid = app.signing.ring.active_kid();
    tracing::info!(%listen, issuer = config.issuer, store = %config.storage.store, kid, "ready");
    tracing::info!("documentation: {}/documentation", config.root());
    std::future::pending().await
}
