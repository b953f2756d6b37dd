//! What is answered over HTTP: the page, `/status.json`, `/healthz`, `/readyz`, `/metrics`. GET and HEAD, nothing else.
//!
//! Few connections at once, short requests, little time: whoever is slow is cut off. Nothing that is asked changes anything,
//! and there is no script in the page and none that it would run.

use super::board::Intake;
use super::daemon::Shared;
use super::{page, snapshot};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// Connections at once; more wait to be accepted.
const CONNECTIONS_MAX: usize = 32;
/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// In which it must have come.
const HEAD_WAIT: Duration = Duration::from_secs(5);
/// In which a connection must be done.
const CONNECTION_WAIT: Duration = Duration::from_secs(15);
/// After an accept that failed (too many open files), so that it is not tried without end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

const TEXT: &str = "text/plain; charset=utf-8";
/// The page loads nothing; its style stands in it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// Accepts connections until the process ends.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let _ = tokio::time::timeout(CONNECTION_WAIT, converse(stream, shared)).await;
            drop(place);
        });
    }
}

async fn converse(stream: TcpStream, shared: Arc<Shared>) {
    let answer = service_fn(move |request: Request<Incoming>| {
        let answer = answer(&request, &shared);
        async { Ok::<_, Infallible>(answer) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WAIT)
        .max_buf_size(HEAD_BYTES_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), answer);
    // What goes wrong with a connection concerns its other end.
    let _ = connection.await;
}

fn answer(request: &Request<Incoming>, shared: &Shared) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refusal = respond(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD\n".to_owned());
        refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refusal;
    }
    let board = || shared.observer.board().clone();
    match request.uri().path() {
        "/" => respond(StatusCode::OK, "text/html; charset=utf-8", page::page(&board(), SystemTime::now())),
        "/status.json" => {
            let json = snapshot::json(&board(), SystemTime::now());
            respond(StatusCode::OK, "application/json", format!("{json}\n"))
        }
        "/metrics" => respond(
            StatusCode::OK,
            "text/plain; version=0.0.4; charset=utf-8",
            shared.observer.metrics_text(),
        ),
        // That we answer is the proof; the watchdog sees to the rest.
        "/healthz" => respond(StatusCode::OK, TEXT, "alive\n".to_owned()),
        "/readyz" => match board().intake {
            Intake::Open | Intake::HighWater { .. } => respond(StatusCode::OK, TEXT, "ready\n".to_owned()),
            intake => {
                let why = snapshot::why(&intake).unwrap_or_default();
                respond(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{why}\n"))
            }
        },
        _ => respond(
            StatusCode::NOT_FOUND,
            TEXT,
            "there are /, /status.json, /metrics, /healthz, /readyz\n".to_owned(),
        ),
    }
}

fn respond(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    for (name, value) in [
        (CONTENT_TYPE, content_type),
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
