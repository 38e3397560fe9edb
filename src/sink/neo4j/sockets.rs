//! What the driver (0.9.0-rc.11) does not tell its sockets, and has no settings for. To go when it
//! does.
//!
//! It leaves Nagle's algorithm on. It writes a large message in several pieces, and the last one then
//! waits until the server's kernel acknowledges those before, which takes up to 40 ms, because the
//! server has nothing to say yet. On the local stack that was half of a transaction's time.
//!
//! And it waits without end where a peer takes no more of what is sent: a frozen server, or a network
//! that swallows everything, in the middle of a large statement.

use std::fs;
use std::os::fd::{BorrowedFd, RawFd};
use std::time::Duration;

use socket2::SockRef;

/// Where Linux lists a process' own descriptors. Elsewhere nothing is found, and all is as before.
const DESCRIPTORS: &str = "/proc/self/fd";

/// Lets every connection of the process send at once what it is given, and end when a peer takes
/// nothing for so long, unless it has a time-out already. The driver's sockets cannot be told from
/// others, for a cluster's members may have any address; but the other clients have asked for the
/// first themselves, and for time-outs of their own.
pub(super) fn set_up_all(silence: Duration) {
    let open = fs::read_dir(DESCRIPTORS).into_iter().flatten().flatten();
    let numbers = open.filter_map(|it| it.file_name().to_str()?.parse::<RawFd>().ok());
    for number in numbers {
        // SAFETY: the descriptor was open a moment ago. If another thread has closed it since, the
        // calls below fail, or set harmless options of whatever socket has its number now.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        set_up(&SockRef::from(&descriptor), silence);
    }
}

/// Fails, without a word, for what is no TCP socket.
fn set_up(socket: &SockRef<'_>, silence: Duration) {
    socket.set_tcp_nodelay(true).ok();
    #[cfg(target_os = "linux")]
    if let Ok(None) = socket.tcp_user_timeout() {
        socket.set_tcp_user_timeout(Some(silence)).ok();
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::io::{ErrorKind, Write as _};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_connection_sends_at_once_and_does_not_wait_without_end_for_a_peer_that_takes_nothing() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(server.local_addr().unwrap()).unwrap();
        assert!(!client.nodelay().unwrap());
        // As another client has it, which is not to lose it.
        let shorter = Some(Duration::from_millis(200));
        SockRef::from(&client)
            .set_tcp_user_timeout(shorter)
            .unwrap();
        set_up_all(Duration::from_secs(75));
        assert!(client.nodelay().unwrap());
        let own = SockRef::from(&client).tcp_user_timeout().unwrap();
        assert_eq!(own, shorter);
        let other = TcpStream::connect(server.local_addr().unwrap()).unwrap();
        set_up(&SockRef::from(&other), Duration::from_secs(75));
        let given = SockRef::from(&other).tcp_user_timeout().unwrap();
        assert_eq!(given, Some(Duration::from_secs(75)));

        // The kernel has taken the connection, and nobody reads from it.
        let error = loop {
            if let Err(error) = client.write_all(&[0; 1 << 16]) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }
}
