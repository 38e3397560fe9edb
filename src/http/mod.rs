//! The process's own endpoint: `/metrics`, `/livez`, `/readyz`.
//!
//! Owns the listener and the answers, nothing that they are about. It starts before anything that
//! can wait, so that a process whose stores are down can be asked why it is not ready.

mod health;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use tokio::net::TcpListener;

use crate::metrics::Metrics;
pub use health::{GroupHealth, Health, SinkHealth};

/// Why the endpoint cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("cannot serve http on {listen}: {source}{}", hint(.source))]
pub struct ListenError {
    /// The configured address, `http.listen`.
    pub listen: SocketAddr,
    /// What the operating system said.
    pub source: io::Error,
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "; another process, perhaps another distributary, has the port: stop it or set \
             http.listen to a free one"
        }
        io::ErrorKind::AddrNotAvailable => "; this machine has no such address: see http.listen",
        io::ErrorKind::PermissionDenied => "; ports below 1024 need privileges: see http.listen",
        _ => "",
    }
}

/// Takes the port, so that a wrong one is known before anything else starts.
///
/// # Errors
/// [`ListenError`] with the remedy.
pub async fn listen(listen: SocketAddr) -> Result<TcpListener, ListenError> {
    TcpListener::bind(listen)
        .await
        .map_err(|source| ListenError { listen, source })
}

#[derive(Clone)]
struct Shared {
    metrics: Arc<Metrics>,
    health: Arc<Health>,
}

/// Answers until `stop` is ready, then finishes what is being answered.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(
    listener: TcpListener,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let router = Router::new()
        .route("/metrics", get(metrics_text))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .with_state(Shared { metrics, health });
    axum::serve(listener, router)
        .with_graceful_shutdown(stop)
        .await
}

async fn metrics_text(State(shared): State<Shared>) -> Response {
    let readiness = shared.health.readiness();
    let waiting_for = readiness.waiting_for.keys().map(String::as_str);
    shared.metrics.waits_for(waiting_for);
    match shared.metrics.render() {
        Ok(text) => ([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn livez(State(shared): State<Shared>) -> Response {
    let liveness = shared.health.liveness(Instant::now());
    answer(liveness.live, &liveness)
}

async fn readyz(State(shared): State<Shared>) -> Response {
    let readiness = shared.health.readiness();
    answer(readiness.ready, &readiness)
}

fn answer(well: bool, body: &impl Serialize) -> Response {
    let status = if well {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let text = serde_json::to_string(body).expect("names and texts are JSON");
    (status, [(CONTENT_TYPE, "application/json")], text + "\n").into_response()
}

#[cfg(test)]
mod tests;
