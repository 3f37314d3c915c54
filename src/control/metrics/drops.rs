//! Outside. Datagrams that the kernel dropped, and those that wait in it, by listener.
//!
//! In:    /proc/net/udp and udp6, read at each scrape, and the inodes of our sockets.
//! Out:   sums of drops, which only grow, and bytes that wait now; a listener that several workers have is one.
//! Never: asks a loop; its sockets are found by their inodes.

use std::{
    collections::HashMap,
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
    path::PathBuf,
};

use crate::limits::PROC_NET_BYTES_MAX;

/// What the kernel says of one listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AtListener {
    pub(super) listener: Box<str>,
    pub(super) dropped: u64,
    /// Memory of what waits to be read.
    pub(super) queued_bytes: u64,
}

/// The drops of all listeners.
#[derive(Debug)]
pub struct Drops {
    listeners: Vec<AtListener>,
    /// By inode.
    sockets: HashMap<u64, Socket>,
    files: Vec<PathBuf>,
}

#[derive(Debug)]
struct Socket {
    /// Its place among the listeners.
    listener: usize,
    /// The kernel's number when it was last read; it has 32 bits.
    raw: u32,
}

impl Drops {
    /// Of these sockets, by the name of their listener and their inode.
    #[must_use]
    pub fn new(listeners: impl IntoIterator<Item = (Box<str>, u64)>) -> Self {
        Self::read_from(listeners, ["/proc/net/udp", "/proc/net/udp6"])
    }

    fn read_from(
        inodes: impl IntoIterator<Item = (Box<str>, u64)>,
        files: impl IntoIterator<Item = impl Into<PathBuf>>,
    ) -> Self {
        let mut listeners: Vec<AtListener> = Vec::new();
        let mut sockets = HashMap::new();
        for (name, inode) in inodes {
            let known = listeners.iter().position(|known| known.listener == name);
            let listener = known.unwrap_or(listeners.len());
            if known.is_none() {
                listeners.push(AtListener { listener: name, dropped: 0, queued_bytes: 0 });
            }
            sockets.insert(inode, Socket { listener, raw: 0 });
        }
        Self { listeners, sockets, files: files.into_iter().map(Into::into).collect() }
    }

    /// Reads the kernel's numbers and gives the sums. A file that cannot be read leaves those of drops as they were.
    pub(super) fn read(&mut self) -> &[AtListener] {
        self.listeners.iter_mut().for_each(|listener| listener.queued_bytes = 0);
        for file in &self.files {
            let Ok(file) = File::open(file) else { continue };
            let most = u64::try_from(PROC_NET_BYTES_MAX).unwrap_or(u64::MAX);
            for line in BufReader::new(file.take(most)).lines().map_while(Result::ok) {
                let Some((inode, queued_bytes, raw)) = inode_queue_and_drops(&line) else { continue };
                let Some(socket) = self.sockets.get_mut(&inode) else { continue };
                let more = u64::from(raw.wrapping_sub(socket.raw));
                socket.raw = raw;
                if let Some(listener) = self.listeners.get_mut(socket.listener) {
                    listener.dropped = listener.dropped.saturating_add(more);
                    listener.queued_bytes = listener.queued_bytes.saturating_add(queued_bytes);
                }
            }
        }
        &self.listeners
    }
}

/// `sl local rem st queues timer retransmits uid timeout inode ref pointer drops`.
fn inode_queue_and_drops(line: &str) -> Option<(u64, u64, u32)> {
    let mut fields = line.split_ascii_whitespace();
    // Two numbers, hexadecimal: to send, received.
    let (_, queue) = fields.nth(4)?.split_once(':')?;
    let queued_bytes = u64::from_str_radix(queue, 16).ok()?;
    let inode = fields.nth(4)?.parse().ok()?;
    let drops = fields.nth(2)?.parse().ok()?;
    Some((inode, queued_bytes, drops))
}

#[cfg(test)]
mod tests {
    use std::{fs, net::UdpSocket, os::fd::AsRawFd as _, os::unix::fs::MetadataExt as _};

    use super::*;

    const HEAD: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops";

    fn line(inode: u64, drops: u32) -> String {
        queued(inode, 0, drops)
    }

    fn queued(inode: u64, bytes: u32, drops: u32) -> String {
        format!(
            " 1234: 0100007F:13C4 00000000:0000 07 00000000:{bytes:08X} 00:00000000 00000000  1000        0 {inode} 2 0000000000000000 {drops}"
        )
    }

    fn sums(drops: &mut Drops) -> Vec<u64> {
        drops.read().iter().map(|listener| listener.dropped).collect()
    }

    #[test]
    fn sums_only_grow() {
        let dir = tempfile::tempdir().unwrap();
        let (udp, udp6) = (dir.path().join("udp"), dir.path().join("udp6"));
        let mut drops = Drops::read_from([("a".into(), 7), ("b".into(), 8)], [&udp, &udp6]);
        assert_eq!(sums(&mut drops), [0, 0], "no file");
        let write = |a, b| {
            fs::write(&udp, [HEAD.to_owned(), line(6, 99), line(7, a)].join("\n")).unwrap();
            fs::write(&udp6, [HEAD.to_owned(), line(8, b)].join("\n")).unwrap();
        };
        write(3, 0);
        assert_eq!(sums(&mut drops), [3, 0]);
        write(u32::MAX, 1);
        assert_eq!(sums(&mut drops), [u64::from(u32::MAX), 1]);
        write(4, 1);
        assert_eq!(sums(&mut drops), [u64::from(u32::MAX) + 5, 1], "the kernel's number has gone round");
        fs::write(&udp, "nonsense\n 1 2 3\n").unwrap();
        fs::remove_file(&udp6).unwrap();
        assert_eq!(sums(&mut drops), [u64::from(u32::MAX) + 5, 1]);
    }

    #[test]
    fn the_sockets_of_all_workers_are_one_listener() {
        let dir = tempfile::tempdir().unwrap();
        let udp = dir.path().join("udp");
        fs::write(&udp, [line(7, 1), line(8, 10), line(9, 100), line(10, 1000)].join("\n")).unwrap();
        let sockets = [("a".into(), 7), ("b".into(), 8), ("a".into(), 9), ("b".into(), 10)];
        let mut drops = Drops::read_from(sockets, [&udp]);
        let sums: Vec<_> = drops.read().iter().map(|of| (&*of.listener, of.dropped)).collect();
        assert_eq!(sums, [("a", 101), ("b", 1010)]);
    }

    #[test]
    fn what_waits_is_of_now() {
        let dir = tempfile::tempdir().unwrap();
        let udp = dir.path().join("udp");
        let mut drops = Drops::read_from([("a".into(), 7), ("a".into(), 8)], [&udp]);
        let mut waits = |lines: [String; 2]| {
            fs::write(&udp, lines.join("\n")).unwrap();
            drops.read()[0].queued_bytes
        };
        assert_eq!(waits([queued(7, 0x500, 0), queued(8, 0x1a, 0)]), 0x51a);
        assert_eq!(waits([queued(7, 3, 0), queued(9, 5, 0)]), 3);
    }

    #[test]
    fn no_more_is_read_than_may() {
        let dir = tempfile::tempdir().unwrap();
        let udp = dir.path().join("udp");
        fs::write(&udp, format!("{}\n{}", "x".repeat(PROC_NET_BYTES_MAX), line(7, 3))).unwrap();
        assert_eq!(sums(&mut Drops::read_from([("a".into(), 7)], [&udp])), [0]);
    }

    #[test]
    fn drops_of_a_real_socket_are_seen() {
        let v4 = UdpSocket::bind("127.0.0.1:0").unwrap();
        // A machine may have no IPv6; its file is tried above.
        let v6 = UdpSocket::bind("[::1]:0").ok();
        for socket in [v4].into_iter().chain(v6) {
            socket2::SockRef::from(&socket).set_recv_buffer_size(1).unwrap();
            let inode = fs::metadata(format!("/proc/self/fd/{}", socket.as_raw_fd())).unwrap().ino();
            let mut drops = Drops::new([("edge".into(), inode)]);
            assert_eq!(sums(&mut drops), [0]);
            for _ in 0..100 {
                socket.send_to(&[0; 1000], socket.local_addr().unwrap()).unwrap();
            }
            assert!(sums(&mut drops)[0] > 0);
            assert!(drops.read()[0].queued_bytes > 1000, "one at least has room and waits");
        }
    }
}
