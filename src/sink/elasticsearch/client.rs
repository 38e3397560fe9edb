//! One request, one answer: transport, deadline, TLS, credentials.
//!
//! Never retries. The client crate has no time-outs of its own and takes proxies from the
//! environment; both are settled here. Credentials are read before the first request, and again
//! before the next one after Elasticsearch has refused them (D12).

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use elasticsearch::auth::Credentials;
use elasticsearch::cert::{Certificate, CertificateValidation};
use elasticsearch::http::headers::{ACCEPT_ENCODING, HeaderMap, HeaderValue};
use elasticsearch::http::response::Response;
use elasticsearch::http::transport::{SingleNodeConnectionPool, Transport, TransportBuilder};
use elasticsearch::http::{Method, Url};
use secrecy::ExposeSecret;

use super::response::failure;
use crate::config;
use crate::sink::{Outage, OutageKind, SinkError};

/// Below Kafka's default session time-out of 45 s: a request never outlives its owner for long.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What a request asks of the transport.
pub(super) struct Request<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    pub(super) query: &'a [(&'a str, &'a str)],
    pub(super) body: Option<Bytes>,
}

impl<'a> Request<'a> {
    /// A request without query and body.
    pub(super) fn new(method: Method, path: &'a str) -> Self {
        Self {
            method,
            path,
            query: &[],
            body: None,
        }
    }
}

/// An answer, whatever its status.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Bytes,
}

impl Reply {
    /// The body of an answer of success.
    ///
    /// # Errors
    /// What any other status means for the request as a whole.
    pub(super) fn success(self) -> Result<Bytes, SinkError> {
        match self.status {
            200..=299 => Ok(self.body),
            status => Err(failure(status, &self.body)),
        }
    }
}

/// Talks to one cluster through one URL.
pub(super) struct Client {
    transport: Transport,
    credentials: Option<config::Credentials>,
    refused: AtomicBool,
}

impl Client {
    /// A client; connects with the first request.
    ///
    /// # Errors
    /// A URL or certificate authority that cannot be used, as a text for people.
    pub(super) fn new(config: &config::Elasticsearch) -> Result<Self, String> {
        let url = Url::parse(&config.url)
            .map_err(|error| format!("the URL of Elasticsearch is not valid: {error}"))?;
        let loopback = is_loopback(&url);
        let mut builder = TransportBuilder::new(SingleNodeConnectionPool::new(url))
            .disable_proxy()
            .timeout(TIMEOUT);
        if loopback {
            // To compress what never leaves the machine costs the server time and saves nothing.
            builder = builder.header(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        if let Some(path) = &config.ca {
            let pem = std::fs::read(path)
                .map_err(|error| format!("cannot read the CA file {}: {error}", path.display()))?;
            let ca = Certificate::from_pem(&pem)
                .map_err(|error| format!("{} is no PEM certificate: {error}", path.display()))?;
            builder = builder.cert_validation(CertificateValidation::Full(ca));
        }
        Ok(Self {
            transport: builder
                .build()
                .map_err(|error| format!("cannot set up the client of Elasticsearch: {error}"))?,
            credentials: config.credentials.clone(),
            refused: AtomicBool::new(config.credentials.is_some()),
        })
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// [`Outage`] when there is no whole answer in time, or the credentials cannot be read.
    pub(super) async fn send(&self, request: Request<'_>) -> Result<Reply, Outage> {
        let response = self.begin(request, HeaderMap::new()).await?;
        self.finish(response).await
    }

    /// As [`Self::send`] and `success`, except that an answer of more than `limit` bytes is not
    /// read: `None`.
    pub(super) async fn send_within(
        &self,
        request: Request<'_>,
        limit: usize,
    ) -> Result<Option<Bytes>, SinkError> {
        // The length is known in advance only where the answer is not compressed.
        let identity = (ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let response = self.begin(request, HeaderMap::from_iter([identity])).await;
        let response = response.map_err(SinkError::Outage)?;
        if response
            .content_length()
            .is_some_and(|it| it > limit as u64)
        {
            return Ok(None);
        }
        let reply = self.finish(response).await.map_err(SinkError::Outage)?;
        reply.success().map(Some)
    }

    /// Has the credentials read again before the next request.
    pub(super) fn credentials_refused(&self) {
        self.refused.store(true, Ordering::Relaxed);
    }

    async fn begin(&self, request: Request<'_>, headers: HeaderMap) -> Result<Response, Outage> {
        self.authenticate()?;
        let sent = self.transport.send(
            request.method,
            request.path,
            headers,
            Some(request.query),
            request.body,
            Some(TIMEOUT),
        );
        sent.await.map_err(|error| no_answer(&error))
    }

    async fn finish(&self, response: Response) -> Result<Reply, Outage> {
        let status = response.status_code().as_u16();
        if matches!(status, 401 | 403) {
            self.credentials_refused();
        }
        let body = response.bytes().await.map_err(|error| no_answer(&error))?;
        Ok(Reply { status, body })
    }

    fn authenticate(&self) -> Result<(), Outage> {
        let Some(credentials) = &self.credentials else {
            return Ok(());
        };
        if self.refused.load(Ordering::Relaxed) {
            let credentials =
                read(credentials).map_err(|it| Outage::new(OutageKind::Refused, it))?;
            self.transport.set_auth(credentials);
            self.refused.store(false, Ordering::Relaxed);
        }
        Ok(())
    }
}

fn read(credentials: &config::Credentials) -> Result<Credentials, String> {
    match credentials {
        config::Credentials::ApiKey(secret) => {
            let key = secret.read().map_err(|error| error.to_string())?;
            let key = key.expose_secret();
            // The crate panics on a key that is no header value.
            HeaderValue::from_str(key).map_err(|_| "the API key is no base64 text".to_owned())?;
            Ok(Credentials::EncodedApiKey(key.to_owned()))
        }
        config::Credentials::Basic { username, password } => {
            let password = password.read().map_err(|error| error.to_string())?;
            let password = password.expose_secret().to_owned();
            Ok(Credentials::Basic(username.clone(), password))
        }
    }
}

/// Names the innermost cause: the outer texts repeat the URL, which may hold a password.
fn no_answer(error: &elasticsearch::Error) -> Outage {
    if error.is_timeout() {
        let reason = format!("no answer within {} s", TIMEOUT.as_secs());
        return Outage::new(OutageKind::Unreachable, reason);
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    Outage::new(OutageKind::Unreachable, cause.to_string())
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse().is_ok_and(|it: IpAddr| it.is_loopback())
}
