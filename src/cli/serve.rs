//! `latchkey serve`: runs the server.

use std::convert::Infallible;
use std::sync::Arc;

use clap::ArgMatches;
use tokio::signal::unix::{SignalKind, signal};

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
    runtime.block_on(until_stopped(loaded))
}

async fn until_stopped(loaded: Loaded) -> Outcome {
    // Before anything else, so that a signal that comes early is not missed.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
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
        _ = interrupt.recv() => return stopped(server).await,
        _ = terminate.recv() => return stopped(server).await,
    };
    let ready = server.ready();
    let ended = tokio::select! {
        ended = server.run() => ended,
        never = welcome(&app, ready) => match never {},
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    };
    stopped(server).await?;
    Ok(ended?)
}

async fn stopped(server: Server) -> Outcome {
    tracing::info!("stopping");
    server.stop().await;
    Ok(())
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
