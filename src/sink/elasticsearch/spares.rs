//! The memory of request bodies, used again.
//!
//! A body is megabytes large, and what an allocator does with so much is give it back to the system:
//! each fresh one would cost a page fault for every 4 KiB of it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};

/// Buffers of bodies that were sent; at most as many as there were requests at once.
#[derive(Default)]
pub(super) struct Spares(Mutex<VecDeque<BytesMut>>);

/// A buffer so many times larger than what is asked for goes: a rush keeps no memory for ever.
const TOO_LARGE: usize = 8;

impl Spares {
    /// An empty buffer with room for so many bytes.
    pub(super) fn take(&self, bytes: usize) -> BytesMut {
        let spare = self.queue().pop_front();
        let fits = |spare: &BytesMut| spare.capacity() / TOO_LARGE <= bytes;
        let mut buffer = spare.filter(fits).unwrap_or_default();
        buffer.reserve(bytes);
        buffer
    }

    /// Gives back a body that was sent, if nobody else holds it.
    pub(super) fn give_back(&self, body: Bytes) {
        if let Ok(mut buffer) = body.try_into_mut() {
            buffer.clear();
            self.queue().push_back(buffer);
        }
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<BytesMut>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(spares: &Spares, len: usize) -> Bytes {
        let mut buffer = spares.take(len);
        buffer.resize(len, b'x');
        buffer.freeze()
    }

    #[test]
    fn a_body_that_was_sent_is_the_next_ones_memory() {
        let spares = Spares::default();
        let sent = body(&spares, 100);
        let address = sent.as_ptr();
        spares.give_back(sent);
        let next = spares.take(90);
        assert!(next.is_empty());
        assert_eq!(next.as_ptr(), address);
    }

    #[test]
    fn a_body_that_is_still_held_is_left_alone() {
        let spares = Spares::default();
        let held = body(&spares, 100);
        spares.give_back(held.clone());
        assert!(spares.queue().is_empty());
        assert_eq!(*held, [b'x'; 100]);
    }

    #[test]
    fn small_bodies_let_the_memory_of_large_ones_go() {
        let spares = Spares::default();
        let kept = || spares.queue().iter().map(BytesMut::capacity).sum::<usize>();
        let large = [body(&spares, 10_000), body(&spares, 10_000)];
        large.into_iter().for_each(|it| spares.give_back(it));
        assert!(kept() >= 20_000);
        for _ in 0..2 {
            spares.give_back(body(&spares, 100));
        }
        assert!(kept() < 1_000);
    }
}
