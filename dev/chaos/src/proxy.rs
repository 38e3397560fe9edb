//! A TCP proxy that misbehaves on command: what stands between the program and a store.
//!
//! It knows nothing of HTTP, RESP or Bolt; it sees bytes that come and go. The surprising fact: a
//! half-open connection is one whose bytes are taken and never delivered, in both directions, so
//! neither side gets an error and only a timeout tells.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the proxy does with the bytes of every connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Passes them on.
    #[default]
    Pass,
    /// Passes each piece on after this delay.
    Slow(Duration),
    /// Takes them and delivers nothing.
    HalfOpen,
    /// Delivers so many bytes of the answers on a connection, then resets it.
    Cut(usize),
    /// Resets connections as soon as they are made.
    Refuse,
}

#[derive(Debug, Clone, Copy, Default)]
struct Weather {
    mode: Mode,
    /// Connections made before this grew are reset.
    storms: u64,
}

/// A running proxy. It ends when dropped; connections end with it.
pub struct Proxy {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    counts: Arc<Counts>,
}

/// Bytes that have passed.
#[derive(Debug, Default)]
struct Counts {
    taken: AtomicU64,
    answered: AtomicU64,
}

/// Which way a pump carries bytes, and where they are counted.
#[derive(Clone, Copy)]
enum Way<'a> {
    Question(&'a Counts),
    Answer(&'a Counts),
}

impl Way<'_> {
    fn taken(self, length: usize) {
        if let Self::Question(counts) = self {
            counts.taken.fetch_add(length as u64, Ordering::SeqCst);
        }
    }

    fn delivered(self, length: usize) {
        if let Self::Answer(counts) = self {
            counts.answered.fetch_add(length as u64, Ordering::SeqCst);
        }
    }

    const fn is_answer(self) -> bool {
        matches!(self, Self::Answer(_))
    }
}

impl Proxy {
    /// Listens on a free port of the loopback and connects each caller with `upstream`.
    ///
    /// # Errors
    /// Where no port can be had.
    pub async fn start(upstream: String) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (weather, watched) = watch::channel(Weather::default());
        let counts = Arc::<Counts>::default();
        let line = Line {
            upstream,
            counts: Arc::clone(&counts),
        };
        tokio::spawn(accept(listener, line, watched));
        Ok(Self {
            address,
            weather,
            counts,
        })
    }

    /// Where to connect to.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Bytes that callers have sent, delivered or not.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.counts.taken.load(Ordering::SeqCst)
    }

    /// Bytes of answers that were delivered to callers.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.counts.answered.load(Ordering::SeqCst)
    }

    /// From now on, for the connections there are and those to come.
    pub fn set(&self, mode: Mode) {
        self.weather.send_modify(|it| it.mode = mode);
    }

    /// Resets every connection there is, in the middle of whatever it carries.
    pub fn reset(&self) {
        self.weather.send_modify(|it| it.storms += 1);
    }
}

/// What every connection needs to know.
#[derive(Clone)]
struct Line {
    upstream: String,
    counts: Arc<Counts>,
}

async fn accept(listener: TcpListener, line: Line, mut weather: watch::Receiver<Weather>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            changed = weather.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
        };
        if let Ok((client, _)) = accepted {
            tokio::spawn(serve(client, line.clone(), weather.clone()));
        }
    }
}

async fn serve(mut client: TcpStream, line: Line, mut weather: watch::Receiver<Weather>) {
    let Weather { mode, storms } = *weather.borrow();
    // Whatever ends a connection here ends it with a reset, on both sides.
    reset_on_close(&client);
    if mode == Mode::Refuse {
        return;
    }
    let Ok(mut server) = TcpStream::connect(&line.upstream).await else {
        return;
    };
    reset_on_close(&server);
    // Borrowed halves: an owned one says farewell when it is dropped, and the reset comes too late.
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    tokio::select! {
        _ = pump(from_client, to_server, weather.clone(), Way::Question(&line.counts)) => {}
        _ = pump(from_server, to_client, weather.clone(), Way::Answer(&line.counts)) => {}
        _ = weather.wait_for(|it| it.storms != storms || it.mode == Mode::Refuse) => {}
    }
}

fn reset_on_close(stream: &TcpStream) {
    // Both only shape how bytes travel; a socket that is gone already needs neither.
    stream.set_nodelay(true).ok();
    stream.set_zero_linger().ok();
}

/// Carries bytes until one side ends, a cut is reached, or the proxy is gone.
async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut weather: watch::Receiver<Weather>,
    way: Way<'_>,
) -> io::Result<()> {
    let mut piece = vec![0; 64 * 1024];
    let mut delivered = 0;
    loop {
        let mut length = from.read(&mut piece).await?;
        if length == 0 {
            return Ok(());
        }
        way.taken(length);
        let gone = |_| io::Error::other("the proxy is gone");
        let passing = weather.wait_for(|it| it.mode != Mode::HalfOpen).await;
        let mode = passing.map_err(gone)?.mode;
        match mode {
            Mode::Slow(delay) => tokio::time::sleep(delay).await,
            Mode::Cut(limit) if way.is_answer() => {
                length = length.min(limit.saturating_sub(delivered));
                delivered += length;
            }
            _ => delivered = 0,
        }
        to.write_all(&piece[..length]).await?;
        way.delivered(length);
        if matches!(mode, Mode::Cut(limit) if way.is_answer() && delivered >= limit) {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_millis(200);

    /// A server that sends back what it gets, a proxy before it, and a connection through it.
    async fn echo() -> (Proxy, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (mut from, mut to) = stream.into_split();
                tokio::spawn(async move { tokio::io::copy(&mut from, &mut to).await });
            }
        });
        let proxy = Proxy::start(upstream).await.unwrap();
        let stream = TcpStream::connect(proxy.address()).await.unwrap();
        (proxy, stream)
    }

    async fn ask(stream: &mut TcpStream) -> io::Result<[u8; 5]> {
        stream.write_all(b"hello").await?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await?;
        Ok(answer)
    }

    #[tokio::test]
    async fn bytes_pass_until_connections_are_reset() {
        let (proxy, mut stream) = echo().await;
        assert_eq!(&ask(&mut stream).await.unwrap(), b"hello");
        proxy.reset();
        let error = ask(&mut stream).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }

    #[tokio::test]
    async fn a_half_open_connection_delivers_nothing_and_no_error_until_it_passes_again() {
        let (proxy, mut stream) = echo().await;
        proxy.set(Mode::HalfOpen);
        assert!(
            tokio::time::timeout(MOMENT, ask(&mut stream))
                .await
                .is_err()
        );
        proxy.set(Mode::Pass);
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"hello");
    }

    #[tokio::test]
    async fn an_answer_is_cut_in_its_middle() {
        let (proxy, mut stream) = echo().await;
        proxy.set(Mode::Cut(3));
        stream.write_all(b"hello").await.unwrap();
        let mut answer = Vec::new();
        let ended = stream.read_to_end(&mut answer).await;
        assert!(ended.is_err() && answer.len() <= 3, "{ended:?} {answer:?}");
    }

    #[tokio::test]
    async fn a_refused_connection_ends_at_once() {
        let (proxy, mut open) = echo().await;
        proxy.set(Mode::Refuse);
        assert!(ask(&mut open).await.is_err());
        let mut refused = TcpStream::connect(proxy.address()).await.unwrap();
        assert!(ask(&mut refused).await.is_err());
    }
}
