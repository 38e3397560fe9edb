//! A Debezium connector of one test's own.

use anyhow::Result;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::Value;

use super::{stack, until};

/// See the module.
pub(crate) struct Connector {
    http: Client,
    url: String,
}

impl Connector {
    /// The connector of this name, registered or not.
    pub(crate) fn new(name: &str) -> Self {
        Self {
            http: Client::new(),
            url: format!("{}/connectors/{name}", stack("CONNECT_URL")),
        }
    }

    /// Registers it and waits until it runs.
    pub(crate) async fn register(&self, config: &Value) {
        let put = self.http.put(format!("{}/config", self.url)).json(config);
        let answer = self.send(put).await.unwrap();
        let taken = answer.status().is_success();
        assert!(taken, "{}", answer.text().await.unwrap());
        until("the connector runs", async || {
            self.is_running().await.then_some(())
        })
        .await;
    }

    /// Whether its task runs.
    ///
    /// # Panics
    /// With its trace when it has failed.
    pub(crate) async fn is_running(&self) -> bool {
        let answer = self.http.get(format!("{}/status", self.url)).send().await;
        let status: Value = answer.unwrap().json().await.unwrap_or_default();
        let task = &status["tasks"][0];
        assert_ne!(task["state"], "FAILED", "{}: {}", self.url, task["trace"]);
        task["state"] == "RUNNING"
    }

    /// Removes it, if it was ever registered; what it has written stays, and so does its slot.
    pub(crate) async fn remove(&self) -> Result<()> {
        self.send(self.http.delete(&self.url)).await?;
        Ok(())
    }

    /// Asks again while the worker rebalances: it takes no changes then.
    async fn send(&self, change: RequestBuilder) -> reqwest::Result<Response> {
        until("the worker takes a change", async || {
            match change.try_clone().unwrap().send().await {
                Ok(answer) if answer.status() == StatusCode::CONFLICT => None,
                other => Some(other),
            }
        })
        .await
    }
}
