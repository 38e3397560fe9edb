//! Where an instance is asked: its `/readyz` and `/metrics`.

use std::time::Duration;

use anyhow::{Context, Result};
use reqwest::{Client, Response};

use crate::Metrics;

/// One that is frozen answers nothing, and whoever asks has others to look after.
const PATIENCE: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug)]
pub struct Endpoint {
    http: Client,
    /// Scheme, host and port.
    url: String,
}

impl Endpoint {
    /// The endpoint at this address.
    ///
    /// # Errors
    /// Where the client cannot be set up.
    pub fn new(url: String) -> Result<Self> {
        let http = Client::builder().timeout(PATIENCE).build()?;
        Ok(Self { http, url })
    }

    /// The address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What is missing before the instance is in its group and reaches its stores; nothing where it
    /// is ready.
    pub async fn missing(&self) -> Option<String> {
        match self.get("readyz").await {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(answer.text().await.unwrap_or_default()),
            Err(error) => Some(error.to_string()),
        }
    }

    /// What the instance measures now.
    ///
    /// # Errors
    /// Where it does not answer.
    pub async fn metrics(&self) -> Result<Metrics> {
        let answer = self.get("metrics").await;
        let answer = answer.and_then(Response::error_for_status);
        let text = answer.context("the program's metrics")?.text().await?;
        Ok(Metrics::parse(&text))
    }

    async fn get(&self, path: &str) -> reqwest::Result<Response> {
        self.http.get(format!("{}/{path}", self.url)).send().await
    }
}
