//! Outside. The DNS servers of the system.
//!
//! In:    /etc/resolv.conf.
//! Out:   its servers, at least one.
//! Never: reads more than [`RESOLV_CONF_BYTES_MAX`] bytes.

use std::{
    fs::File,
    io::{self, Read},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
};

use crate::limits::{RESOLV_CONF_BYTES_MAX, RESOLV_CONF_SERVERS_MAX};

/// Where the system keeps its servers.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// The servers of the system.
pub(super) fn servers() -> Vec<SocketAddr> {
    system_servers(Path::new(RESOLV_CONF))
}

/// The servers of /etc/resolv.conf; 127.0.0.1 when it names none, as the C library has it.
fn system_servers(resolv_conf: &Path) -> Vec<SocketAddr> {
    let shown = resolv_conf.display();
    let text = match read_lines(resolv_conf) {
        Ok((text, true)) => text,
        Ok((text, false)) => {
            tracing::warn!("{shown} is longer than {RESOLV_CONF_BYTES_MAX} bytes; the rest is not read");
            text
        }
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!("{shown} cannot be read ({error}); asking the DNS server at 127.0.0.1");
            }
            String::new()
        }
    };
    match nameservers(&text) {
        servers if servers.is_empty() => vec![(Ipv4Addr::LOCALHOST, 53).into()],
        servers => servers,
    }
}

/// The file as far as it may be read, and whether that is all of it. What is cut off is whole lines:
/// the beginning of an address may be another address.
fn read_lines(path: &Path) -> io::Result<(String, bool)> {
    let mut bytes = Vec::new();
    File::open(path)?.take(RESOLV_CONF_BYTES_MAX.saturating_add(1)).read_to_end(&mut bytes)?;
    let is_whole = u64::try_from(bytes.len()).is_ok_and(|len| len <= RESOLV_CONF_BYTES_MAX);
    if !is_whole {
        bytes.pop();
        bytes.truncate(bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end.saturating_add(1)));
    }
    // Comments may be of any alphabet.
    Ok((String::from_utf8_lossy(&bytes).into_owned(), is_whole))
}

/// The `nameserver` lines. One with a zone index (`fe80::1%eth0`) is left out: hickory takes none.
fn nameservers(resolv_conf: &str) -> Vec<SocketAddr> {
    let address = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        words.next().filter(|word| *word == "nameserver")?;
        words.next()?.parse::<IpAddr>().ok()
    };
    resolv_conf.lines().filter_map(address).take(RESOLV_CONF_SERVERS_MAX).map(|ip| (ip, 53).into()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolv_conf_gives_its_first_servers() {
        let text = "# nameserver 192.0.2.1\nsearch example.net\nnameserver 192.0.2.2\n nameserver\t2001:db8::2 # two\n\
                    nameserver fe80::1%eth0\nnameserver nonsense\nnameserver\nnameservers 192.0.2.9\n;nameserver 192.0.2.3\n";
        let servers: [SocketAddr; 2] = ["192.0.2.2:53".parse().unwrap(), "[2001:db8::2]:53".parse().unwrap()];
        assert_eq!(nameservers(text), servers);
        let many = "nameserver 192.0.2.2\n".repeat(RESOLV_CONF_SERVERS_MAX + 1);
        assert_eq!(nameservers(&many).len(), RESOLV_CONF_SERVERS_MAX);
        assert_eq!(nameservers(""), []);
    }

    #[test]
    fn resolv_conf_is_read_up_to_its_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("resolv.conf");
        let localhost: SocketAddr = "127.0.0.1:53".parse().unwrap();
        assert_eq!(system_servers(&path), [localhost], "no file");
        let servers = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            system_servers(&path)
        };
        let [first, last]: [SocketAddr; 2] =
            ["192.0.2.1:53", "192.0.2.12:53"].map(|text| text.parse().unwrap());
        let most = usize::try_from(RESOLV_CONF_BYTES_MAX).unwrap();
        let (head, tail) = ("nameserver 192.0.2.1\n", "nameserver 192.0.2.12");
        let of_len = |len: usize, end: &str| {
            let comment = "#".repeat(len - head.len() - 1 - tail.len() - end.len());
            format!("{head}{comment}\n{tail}{end}").into_bytes()
        };
        assert_eq!(servers(&of_len(most, "")), [first, last]);
        assert_eq!(servers(&of_len(most, "\n")), [first, last]);
        assert_eq!(servers(&of_len(most + 1, "\n")), [first], "a line is read whole or not at all");
        assert_eq!(servers(&of_len(most + 1, "")), [first]);
        assert_eq!(servers("#".repeat(most + 9).as_bytes()), [localhost], "no line at all");
        assert_eq!(servers(b"# caf\xe9\nnameserver 192.0.2.1\n"), [first], "a comment in Latin-1");
    }
}
