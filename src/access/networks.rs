//! Pure. Addresses and networks as text.
//!
//! A file has one in each line: `192.0.2.7`, `192.0.2.0/24`, `2001:db8::/32`. What follows `#` or `;` is a
//! remark (lists of others use either), and so is an empty line.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::limits::ACCESS_FAULTS_MAX;

/// What is wrong in a line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// From 1.
    pub line: u32,
    /// From 1.
    pub column: u32,
    /// What, and what was expected.
    pub message: String,
}

/// The network of a text; one address is a network, too.
pub fn network(text: &str) -> Result<IpNet, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return of_packets(text, address.into());
    }
    let Ok(network) = text.parse::<IpNet>() else {
        return Err(format!(
            "`{text}` is not an address or network; expected one such as 192.0.2.7 or 192.0.2.0/24"
        ));
    };
    if network.addr() != network.network() {
        return Err(format!(
            "`{text}` has bits behind its length; write `{}` for the network, `{}` for the one address",
            network.trunc(),
            network.addr()
        ));
    }
    of_packets(text, network)
}

/// A packet of IPv4 has an IPv4 source here, whatever socket it came by: the IPv6 form of it never comes.
fn of_packets(text: &str, network: IpNet) -> Result<IpNet, String> {
    match network {
        IpNet::V6(v6) if v6.prefix_len() >= 96 && v6.addr().to_ipv4_mapped().is_some() => Err(format!(
            "`{text}` never comes: packets of IPv4 have their IPv4 address; write it as such, without `::ffff:`"
        )),
        network => Ok(network),
    }
}

/// All networks of a file with more than `room` of them refused, or what is wrong with its first bad lines.
pub fn read_networks(text: &[u8], room: usize) -> Result<Vec<IpNet>, Vec<Fault>> {
    let (mut networks, mut faults) = (Vec::new(), Vec::new());
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    for (line, number) in text.split(|&byte| byte == b'\n').zip(1..) {
        let Some((entry, column)) = entry(line) else { continue };
        let read = match std::str::from_utf8(entry) {
            Ok(_) if networks.len() >= room => {
                let message = format!("one entry too many; expected at most {room} here");
                faults.push(Fault { line: number, column, message });
                break;
            }
            Ok(entry) => network(entry),
            Err(_) => Err("a line that is not UTF-8; expected an address or network".to_owned()),
        };
        match read {
            Ok(network) => networks.push(network),
            Err(message) => faults.push(Fault { line: number, column, message }),
        }
        if faults.len() >= ACCESS_FAULTS_MAX {
            break;
        }
    }
    if faults.is_empty() { Ok(networks) } else { Err(faults) }
}

/// What stands in a line before a remark, and its column from 1.
fn entry(line: &[u8]) -> Option<(&[u8], u32)> {
    let end = line.iter().position(|byte| matches!(byte, b'#' | b';')).unwrap_or(line.len());
    let before = line.get(..end).unwrap_or_default();
    let start = before.iter().position(|byte| !byte.is_ascii_whitespace())?;
    let column = u32::try_from(start).unwrap_or(u32::MAX).saturating_add(1);
    Some((before.trim_ascii(), column))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &[u8], room: usize) -> String {
        match read_networks(text, room) {
            Ok(networks) => networks.iter().map(|it| format!("{it}\n")).collect(),
            Err(faults) => {
                faults.iter().map(|it| format!("{}:{}: {}\n", it.line, it.column, it.message)).collect()
            }
        }
    }

    #[test]
    fn a_file_has_one_in_each_line_and_remarks() {
        let text = b"\xef\xbb\xbf# carriers\n192.0.2.7\r\n\n  198.51.100.0/24 ; SBL1\n2001:db8::/32# x\n::/0";
        assert_eq!(shown(text, 9), "192.0.2.7/32\n198.51.100.0/24\n2001:db8::/32\n::/0\n");
    }

    #[test]
    fn what_is_wrong_has_its_line_and_column() {
        let text =
            b"192.0.2.7\n  192.0.2.1/24\nx\n\xff\n192.0.2.0/33\n ::ffff:192.0.2.0/120\n::ffff:0.0.0.0/95\n";
        assert_eq!(
            shown(text, 9),
            "2:3: `192.0.2.1/24` has bits behind its length; write `192.0.2.0/24` for the network, `192.0.2.1` for the one address\n\
             3:1: `x` is not an address or network; expected one such as 192.0.2.7 or 192.0.2.0/24\n\
             4:1: a line that is not UTF-8; expected an address or network\n\
             5:1: `192.0.2.0/33` is not an address or network; expected one such as 192.0.2.7 or 192.0.2.0/24\n\
             6:2: `::ffff:192.0.2.0/120` never comes: packets of IPv4 have their IPv4 address; write it as such, without `::ffff:`\n\
             7:1: `::ffff:0.0.0.0/95` has bits behind its length; write `::fffe:0:0/95` for the network, `::ffff:0.0.0.0` for the one address\n"
        );
    }

    #[test]
    fn the_first_faults_are_told() {
        for (bad, told) in
            [(ACCESS_FAULTS_MAX, ACCESS_FAULTS_MAX), (ACCESS_FAULTS_MAX + 1, ACCESS_FAULTS_MAX)]
        {
            assert_eq!(shown("x\n".repeat(bad).as_bytes(), 9).lines().count(), told);
        }
    }

    #[test]
    fn one_entry_too_many_is_an_error() {
        assert_eq!(shown(b"192.0.2.1\n192.0.2.2\n# end\n", 2), "192.0.2.1/32\n192.0.2.2/32\n");
        assert_eq!(
            shown(b"192.0.2.1\n192.0.2.2\n\n 192.0.2.3\n", 2),
            "4:2: one entry too many; expected at most 2 here\n"
        );
    }
}
