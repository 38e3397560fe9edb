//! One connection at a time, made when it is needed and replaced after any error.

use std::path::PathBuf;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _,
    TlsCertificates,
};
use secrecy::ExposeSecret as _;
use tokio::sync::Mutex;

use super::error;
use crate::config::{self, Credentials};
use crate::sink::{Outage, OutageKind, SinkError};

/// For the name, the handshakes and the greeting together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// For the answer to a pipeline; redis-rs' default of half a second is short for a busy server.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// A server that is gone without a word is noticed by the kernel this late.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// Where the server is and who we are to it.
pub(super) struct Server {
    address: ConnectionInfo,
    credentials: Option<Credentials>,
    ca: Option<PathBuf>,
    current: Mutex<Current>,
}

#[derive(Default)]
struct Current {
    /// Counts connections, so that a late failure of one gives up that one only.
    number: u64,
    connection: Option<MultiplexedConnection>,
}

/// A handle on the current connection.
pub(super) struct Lease {
    pub(super) number: u64,
    pub(super) connection: MultiplexedConnection,
}

impl Server {
    pub(super) fn new(config: &config::Redis) -> Result<Self, SinkError> {
        let address = config
            .url
            .as_str()
            .into_connection_info()
            .map_err(|error| {
                // The URL itself may hold a password.
                SinkError::Fatal(format!("the sink's url is no address of Redis: {error}"))
            })?;
        let tls = matches!(address.addr(), ConnectionAddr::TcpTls { .. });
        if config.ca.is_some() && !tls {
            return Err(SinkError::Fatal(String::from(
                "the sink has a ca but its url is not encrypted: write rediss://",
            )));
        }
        let tcp = TcpSettings::default().set_nodelay(true).set_keepalive(
            TcpKeepalive::new()
                .with_time(KEEPALIVE)
                .with_interval(KEEPALIVE),
        );
        // What we sent and the peer's kernel never confirmed.
        #[cfg(target_os = "linux")]
        let tcp = tcp.set_user_timeout(RESPONSE_TIMEOUT);
        Ok(Self {
            address: address.set_tcp_settings(tcp),
            credentials: config.credentials.clone(),
            ca: config.ca.clone(),
            current: Mutex::default(),
        })
    }

    /// The current connection, or a new one.
    pub(super) async fn connection(&self) -> Result<Lease, SinkError> {
        // Held while connecting, so that writers under way do not each open one.
        let mut current = self.current.lock().await;
        let connection = match &current.connection {
            Some(connection) => connection.clone(),
            None => {
                let connection = self.connect().await?;
                current.number += 1;
                current.connection.insert(connection).clone()
            }
        };
        Ok(Lease {
            number: current.number,
            connection,
        })
    }

    /// Lets go of a connection that failed, unless it has been replaced already.
    pub(super) async fn give_up(&self, number: u64) {
        let mut current = self.current.lock().await;
        if current.number == number {
            current.connection = None;
        }
    }

    async fn connect(&self) -> Result<MultiplexedConnection, SinkError> {
        let client = self.client().await?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT));
        let connection = client.get_multiplexed_async_connection_with_config(&config);
        connection.await.map_err(|error| error::of(&error))
    }

    async fn client(&self) -> Result<Client, SinkError> {
        let mut who = self.address.redis_settings().clone();
        if let Some(Credentials::Basic { username, password }) = &self.credentials {
            let password = password.read().map_err(refused)?;
            who = who
                .set_username(username)
                .set_password(password.expose_secret());
        }
        let address = self.address.clone().set_redis_settings(who);
        let client = match &self.ca {
            None => Client::open(address),
            Some(path) => {
                let ca = tokio::fs::read(path).await.map_err(|error| {
                    refused(format!("cannot read the ca {}: {error}", path.display()))
                })?;
                Client::build_with_tls(
                    address,
                    TlsCertificates {
                        client_tls: None,
                        root_cert: Some(ca),
                    },
                )
            }
        };
        client.map_err(|error| error::of(&error))
    }
}

/// A secret or certificate that is not there: perhaps its mount is late, so no reason to stop.
fn refused(reason: impl ToString) -> SinkError {
    SinkError::Outage(Outage::new(OutageKind::Refused, reason))
}
