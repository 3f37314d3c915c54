//! Outside. Starts the program again with our sockets, and waits until it says that it is ready.
//!
//! In:    the program, the sockets.
//! Out:   the new process, ready; or why there is none: then it is ended, and we serve on.
//! Never: closes a socket, stops serving.

use std::{
    io,
    os::{fd::OwnedFd, unix::net::UnixStream as StdUnixStream},
    process::{Command as StdCommand, ExitStatus, Stdio},
    time::Duration,
};

use command_fds::{CommandFdExt as _, FdMapping};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    process::{Child, Command},
    time::timeout,
};

use super::{
    Program,
    inherited::{CONFINED, READY, RELEASED, REPLACES},
};
use crate::{
    control::sandbox::{self, Sandbox},
    net::Listening,
};

/// The first file descriptor that is handed down, by sd_listen_fds(3).
const FIRST: i32 = 3;

/// Why we were not replaced.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReplaceError {
    #[error("{path} cannot be started: {error}{hint}", hint = sandbox::hint(error))]
    NotStarted { path: String, error: io::Error },
    #[error("{path} ended with {status} before it was ready; what it had to say is above")]
    Ended { path: String, status: ExitStatus },
    #[error("{path} did not say within {within:?} that it is ready, and was ended")]
    Silent { path: String, within: Duration },
    #[error("{path} said something else than that it is ready, and was ended")]
    Strange { path: String },
}

/// The new process. It is ended when this is dropped before it [`Successor::takes_over`].
#[derive(Debug)]
pub(super) struct Successor {
    child: Option<Child>,
    line: UnixStream,
}

impl Drop for Successor {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended by itself.
            let _ = child.start_kill();
        }
    }
}

/// Starts it and waits until it is ready.
pub(super) async fn replace(
    program: &Program,
    sockets: &[Listening],
    within: Duration,
) -> Result<Successor, ReplaceError> {
    let path = || program.path.display().to_string();
    let mut successor =
        start(program, sockets).map_err(|error| ReplaceError::NotStarted { path: path(), error })?;
    let mut word = [0];
    match timeout(within, successor.line.read_exact(&mut word)).await {
        Ok(Ok(_)) if word == [READY] => Ok(successor),
        Ok(Ok(_)) => Err(ReplaceError::Strange { path: path() }),
        // Its end of the line is closed: it has ended, or is about to.
        Ok(Err(_)) => match successor.ended(within).await {
            Some(status) => Err(ReplaceError::Ended { path: path(), status }),
            None => Err(ReplaceError::Silent { path: path(), within }),
        },
        Err(_) => Err(ReplaceError::Silent { path: path(), within }),
    }
}

fn start(program: &Program, sockets: &[Listening]) -> io::Result<Successor> {
    let (ours, theirs) = StdUnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let mappings = sockets
        .iter()
        .zip(FIRST..)
        .map(|(listening, child_fd)| Ok(FdMapping { parent_fd: listening.socket.try_clone()?, child_fd }));
    let mappings = mappings.collect::<io::Result<Vec<_>>>()?;
    let names: Vec<&str> = sockets.iter().map(|listening| listening.name).collect();
    let mut command = StdCommand::new(&program.path);
    command
        .args(&program.arguments)
        .env("LISTEN_FDS", mappings.len().to_string())
        .env("LISTEN_FDNAMES", names.join(":"))
        // Which process it is is not known before it is there: we say who we are instead.
        .env_remove("LISTEN_PID")
        .env_remove("WATCHDOG_PID")
        .env(REPLACES, std::process::id().to_string())
        .env_remove(CONFINED)
        .stdin(Stdio::from(OwnedFd::from(theirs)));
    if Sandbox::is_entered() {
        command.env(CONFINED, std::process::id().to_string());
    }
    command.fd_mappings(mappings).map_err(io::Error::other)?;
    let child = Command::from(command).spawn()?;
    Ok(Successor { child: Some(child), line: UnixStream::from_std(ours)? })
}

impl Successor {
    /// Its process.
    pub(super) fn pid(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    /// From now on it is on its own.
    pub(super) async fn takes_over(mut self) {
        // Should it not hear it, it serves all the same.
        let _ = self.line.write_all(&[RELEASED]).await;
        drop(self.child.take());
    }

    async fn ended(&mut self, within: Duration) -> Option<ExitStatus> {
        let child = self.child.as_mut()?;
        timeout(within, child.wait()).await.ok()?.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsString, net::UdpSocket};

    use super::*;
    use crate::limits::REPLACEMENT_READY_MS_MAX;

    /// What comes of a shell script in our place.
    fn outcome(script: &str, within: Duration) -> String {
        let arguments = ["-c", script].map(OsString::from).to_vec();
        let program = Program { path: "/bin/sh".into(), arguments };
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let sockets = [Listening { name: "udp", socket: socket.into() }];
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        match runtime.block_on(replace(&program, &sockets, within)) {
            Ok(successor) => {
                let pid = successor.pid().expect("it runs");
                runtime.block_on(successor.takes_over());
                format!("{} runs", if pid > 0 { "it" } else { "nothing" })
            }
            Err(error) => error.to_string(),
        }
    }

    const LONG: Duration = Duration::from_millis(REPLACEMENT_READY_MS_MAX);

    #[test]
    fn a_program_that_says_that_it_is_ready_takes_over() {
        // Its stdin is the line: it writes there, and reads our word.
        assert_eq!(outcome("printf r >&0; head -c 1 <&0 >/dev/null", LONG), "it runs");
    }

    #[test]
    fn a_program_gets_the_sockets_their_names_and_who_we_are() {
        let checks = format!(
            "test \"$LISTEN_FDS/$LISTEN_FDNAMES/$LISTEN_PID\" = 1/udp/ && test $WAYPOST_REPLACES = {} && \
             test -S /proc/self/fd/3 && printf r >&0",
            std::process::id()
        );
        assert_eq!(outcome(&checks, LONG), "it runs");
    }

    #[test]
    fn each_other_outcome_is_told() {
        assert_eq!(
            outcome("exit 3", LONG),
            "/bin/sh ended with exit status: 3 before it was ready; what it had to say is above"
        );
        assert_eq!(
            outcome("exec sleep 600", Duration::from_millis(20)),
            "/bin/sh did not say within 20ms that it is ready, and was ended"
        );
        assert_eq!(
            outcome("printf x >&0; exec sleep 600", LONG),
            "/bin/sh said something else than that it is ready, and was ended"
        );
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let none = Program { path: "/nowhere/waypost".into(), arguments: Vec::new() };
        assert_eq!(
            runtime.block_on(replace(&none, &[], LONG)).unwrap_err().to_string(),
            "/nowhere/waypost cannot be started: No such file or directory (os error 2)"
        );
    }
}
