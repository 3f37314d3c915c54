//! Outside. seccomp: system calls that are refused from now on, with EPERM.
//!
//! In:    nothing.
//! Out:   how many are refused.
//! Never: a list of what is allowed: libraries come to use other calls, and a server that dies of an upgrade is worse
//!        than the call. systemd keeps such a list up to date (SystemCallFilter= in deploy/waypost.service).

use std::{collections::BTreeMap, env::consts::ARCH};

use seccompiler::{
    BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter,
};

/// What a server of packets never does: look into other processes, change the machine, the clock or the user, mount,
/// load code into the kernel, leave for another namespace.
const REFUSED: &[libc::c_long] = &[
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_kcmp,
    libc::SYS_perf_event_open,
    libc::SYS_bpf,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_open_by_handle_at,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_syslog,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_personality,
    libc::SYS_mknodat,
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setfsuid,
    libc::SYS_setfsgid,
    libc::SYS_setgroups,
    libc::SYS_capset,
];

/// Sockets of other families are refused: packets as they come, other machines' buses. Netlink is what the C library
/// asks for the addresses of this machine.
const FAMILIES: &[libc::c_int] = &[libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// Refuses them to this thread, and to all that it starts.
pub(super) fn refuse() -> Result<usize, String> {
    let program = program().map_err(|error| error.to_string())?;
    apply_filter(&program).map_err(|error| error.to_string())?;
    Ok(REFUSED.len())
}

fn program() -> Result<BpfProgram, Error> {
    // No rule of a call: any use of it.
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = REFUSED.iter().map(|call| (*call, Vec::new())).collect();
    rules.insert(libc::SYS_socket, vec![of_no_family()?]);
    let eperm = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let architecture = ARCH.try_into().map_err(Error::Backend)?;
    let filter =
        SeccompFilter::new(rules, SeccompAction::Allow, eperm, architecture).map_err(Error::Backend)?;
    filter.try_into().map_err(Error::Backend)
}

fn of_no_family() -> Result<SeccompRule, Error> {
    let other_than = |family: &libc::c_int| {
        SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, u64::from(family.unsigned_abs()))
    };
    let conditions =
        FAMILIES.iter().map(other_than).collect::<Result<Vec<_>, _>>().map_err(Error::Backend)?;
    SeccompRule::new(conditions).map_err(Error::Backend)
}

#[cfg(test)]
mod tests {
    use std::{io, thread};

    use super::*;

    #[test]
    fn each_call_is_there_once() {
        let unlike: std::collections::BTreeSet<_> = REFUSED.iter().collect();
        assert_eq!(unlike.len(), REFUSED.len());
        assert!(program().unwrap().len() > REFUSED.len());
    }

    #[test]
    fn a_thread_that_is_confined_gets_eperm_and_goes_on() {
        let of_a_thread = || {
            refuse().unwrap();
            let raw = socket2::Socket::new(socket2::Domain::PACKET, socket2::Type::RAW, None);
            let udp = std::net::UdpSocket::bind("127.0.0.1:0");
            let name = rustix::system::sethostname(b"another");
            (raw.map(drop).map_err(|error| error.raw_os_error()), udp.is_ok(), name.map_err(io::Error::from))
        };
        let (raw, udp, name) = thread::spawn(of_a_thread).join().unwrap();
        assert_eq!((raw, udp), (Err(Some(libc::EPERM)), true));
        assert_eq!(name.unwrap_err().raw_os_error(), Some(libc::EPERM));
    }
}
