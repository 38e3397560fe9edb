//! A proxy before each store, and the addresses under which the program finds them.

use std::collections::HashMap;

use anyhow::{Context, Result};

use crate::fault::Store;
use crate::proxy::{Mode, Proxy};
use crate::stack::Stack;

/// The proxies; dropped, they end and their connections with them.
pub struct Lines(HashMap<Store, Proxy>);

impl Lines {
    /// Puts a proxy before each of these stores.
    ///
    /// # Errors
    /// Where the stack does not name a store, or no ports can be had.
    pub async fn start(stack: &Stack, stores: &[Store]) -> Result<Self> {
        let mut proxies = HashMap::new();
        for &store in stores {
            let url = stack.get(variable(store).0)?;
            let upstream = url.split_once("://").context("an address with a scheme")?.1;
            proxies.insert(store, Proxy::start(upstream.to_owned()).await?);
        }
        Ok(Self(proxies))
    }

    /// The stack's environment, with the stores behind their proxies.
    #[must_use]
    pub fn environment(&self, stack: &Stack) -> HashMap<String, String> {
        let mut environment = stack.environment().clone();
        for (&store, proxy) in &self.0 {
            let (name, scheme) = variable(store);
            let url = format!("{scheme}://{}", proxy.address());
            environment.insert(name.to_owned(), url);
        }
        environment
    }

    /// The proxy before a store.
    ///
    /// # Panics
    /// Where there is none.
    #[must_use]
    pub fn before(&self, store: Store) -> &Proxy {
        &self.0[&store]
    }

    /// Every proxy behaves so from now on.
    pub fn set(&self, mode: Mode) {
        self.0.values().for_each(|proxy| proxy.set(mode));
    }
}

/// The variable with a store's address, and the address's scheme.
const fn variable(store: Store) -> (&'static str, &'static str) {
    match store {
        Store::Search => ("ES_URL", "http"),
        Store::Cache => ("REDIS_URL", "redis"),
        Store::Graph => ("NEO4J_URI", "bolt"),
    }
}
