//! Outside. What to do when a batch leaves only in part.
//!
//! In:    a way to send from the n-th message on.
//! Out:   every message was tried; what failed was counted.
//! Never: lets one message that cannot be sent keep those behind it.

use std::io::{self, ErrorKind};

use crate::counters::SocketTrouble;

/// Sends `count` messages. `attempt(n)` sends the n-th and those that follow, and says how many
/// left; its error is the n-th's (sendmmsg tells no error of a later one: it stops before it).
/// `wait` waits for room in the send buffer, and is called once at most.
pub(super) fn deliver(
    count: usize,
    mut attempt: impl FnMut(usize) -> io::Result<usize>,
    mut wait: impl FnMut(),
    mut trouble: impl FnMut(SocketTrouble),
) {
    let mut next = 0;
    let mut waited = false;
    let mut tried_again = None;
    while next < count {
        let error = match attempt(next) {
            Ok(sent) if sent > 0 => {
                next = next.saturating_add(sent);
                continue;
            }
            Ok(_) => ErrorKind::WriteZero,
            Err(error) => error.kind(),
        };
        match error {
            ErrorKind::WouldBlock if !waited => {
                waited = true;
                wait();
            }
            ErrorKind::WouldBlock => {
                trouble(SocketTrouble::SendWouldBlock);
                next += 1;
            }
            // Neither is about this message: a signal came, or an ICMP error of an earlier one is
            // told late. The message gets one more try.
            ErrorKind::Interrupted | ErrorKind::ConnectionRefused if tried_again != Some(next) => {
                trouble(SocketTrouble::Send);
                tried_again = Some(next);
            }
            _ => {
                trouble(SocketTrouble::Send);
                next += 1;
            }
        }
    }
}

/// The same without a second try: how many of the first leave at once, and what kept the next.
pub(super) fn deliver_at_once(
    count: usize,
    mut attempt: impl FnMut(usize) -> io::Result<usize>,
) -> (usize, Option<ErrorKind>) {
    let mut next = 0;
    while next < count {
        match attempt(next) {
            Ok(sent) if sent > 0 => next = next.saturating_add(sent),
            Ok(_) => return (next, Some(ErrorKind::WriteZero)),
            Err(error) => return (next, Some(error.kind())),
        }
    }
    (next, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs `deliver` over five messages; `script` holds the results of the attempts. Gives back
    /// where each attempt began, how often it waited, and the trouble.
    fn run(script: &[Result<usize, i32>]) -> (Vec<usize>, usize, Vec<SocketTrouble>) {
        let (mut began, mut waits, mut troubles) = (Vec::new(), 0, Vec::new());
        let mut script = script.iter();
        deliver(
            5,
            |next| {
                began.push(next);
                script.next().expect("no attempt is left").map_err(io::Error::from_raw_os_error)
            },
            || waits += 1,
            |trouble| troubles.push(trouble),
        );
        assert_eq!(script.next(), None, "an attempt was not made");
        (began, waits, troubles)
    }

    use SocketTrouble::{Send, SendWouldBlock};

    #[test]
    fn all_at_once() {
        assert_eq!(run(&[Ok(5)]), (vec![0], 0, vec![]));
    }

    #[test]
    fn those_behind_a_failed_message_still_leave() {
        for error in [
            libc::EPERM,
            libc::ENETUNREACH,
            libc::EHOSTUNREACH,
            libc::ENOBUFS,
            libc::EMSGSIZE,
            libc::EINVAL,
            libc::EACCES,
        ] {
            assert_eq!(run(&[Ok(2), Err(error), Ok(2)]), (vec![0, 2, 3], 0, vec![Send]));
        }
    }

    #[test]
    fn every_message_may_fail() {
        let (began, _, troubles) = run(&[Err(libc::EPERM); 5]);
        assert_eq!(began, [0, 1, 2, 3, 4]);
        assert_eq!(troubles, [Send; 5]);
    }

    #[test]
    fn a_full_buffer_is_waited_for_once() {
        assert_eq!(run(&[Ok(1), Err(libc::EAGAIN), Ok(4)]), (vec![0, 1, 1], 1, vec![]));
        assert_eq!(
            run(&[Ok(3), Err(libc::EAGAIN), Err(libc::EAGAIN), Err(libc::EAGAIN)]),
            (vec![0, 3, 3, 4], 1, vec![SendWouldBlock; 2])
        );
    }

    #[test]
    fn an_error_that_is_not_the_messages_own_costs_one_more_try() {
        for error in [libc::EINTR, libc::ECONNREFUSED] {
            assert_eq!(run(&[Err(error), Ok(5)]), (vec![0, 0], 0, vec![Send]));
            assert_eq!(run(&[Err(error), Err(error), Ok(4)]), (vec![0, 0, 1], 0, vec![Send; 2]));
        }
    }

    #[test]
    fn nothing_sent_and_no_error_does_not_loop() {
        assert_eq!(run(&[Ok(0), Ok(4)]), (vec![0, 1], 0, vec![Send]));
    }

    #[test]
    fn at_once_ends_with_the_first_that_does_not_leave() {
        for (script, expected) in [
            (vec![Ok(5)], (5, None)),
            (vec![Ok(2), Ok(3)], (5, None)),
            (vec![Ok(2), Err(libc::EAGAIN)], (2, Some(ErrorKind::WouldBlock))),
            (vec![Err(libc::EINTR)], (0, Some(ErrorKind::Interrupted))),
            (vec![Ok(4), Err(libc::EHOSTUNREACH)], (4, Some(ErrorKind::HostUnreachable))),
            (vec![Ok(1), Ok(0)], (1, Some(ErrorKind::WriteZero))),
        ] {
            let (mut script, mut began) = (script.into_iter(), Vec::new());
            let delivered = deliver_at_once(5, |next| {
                began.push(next);
                script.next().expect("no attempt is left").map_err(io::Error::from_raw_os_error)
            });
            assert_eq!((delivered, script.next(), began[0]), (expected, None, 0));
        }
    }
}
