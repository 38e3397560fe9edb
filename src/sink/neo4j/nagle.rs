//! Nagle's algorithm, turned off for the driver's connections.
//!
//! The driver (0.9.0-rc.11) leaves it on and has no setting for it. It writes a large message in
//! several pieces, and the last one then waits until the server's kernel acknowledges those before,
//! which takes up to 40 ms, because the server has nothing to say yet. On the local stack that was
//! half of a transaction's time. To go when the driver sets `TCP_NODELAY` itself.

use std::fs;
use std::os::fd::{BorrowedFd, RawFd};

use socket2::SockRef;

/// Where Linux lists a process' own descriptors. Elsewhere nothing is found, and all is as before.
const DESCRIPTORS: &str = "/proc/self/fd";

/// Lets every connection of the process send at once what it is given. The other clients of the
/// program have asked for that themselves, so it changes the driver's only, whose sockets cannot be
/// told from others: a cluster's members may have any address.
pub(super) fn turn_off() {
    let open = fs::read_dir(DESCRIPTORS).into_iter().flatten().flatten();
    let numbers = open.filter_map(|it| it.file_name().to_str()?.parse::<RawFd>().ok());
    for number in numbers {
        // SAFETY: the descriptor was open a moment ago. If another thread has closed it since, the
        // call below fails, or sets a harmless option of whatever socket has its number now.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        // Fails for what is no TCP socket.
        SockRef::from(&descriptor).set_tcp_nodelay(true).ok();
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn an_open_connection_sends_at_once_afterwards() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(server.local_addr().unwrap()).unwrap();
        assert!(!client.nodelay().unwrap());
        turn_off();
        assert!(client.nodelay().unwrap());
    }
}
