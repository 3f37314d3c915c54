//! The files: messages as they go over the wire, and what must come of each.

use std::{
    collections::BTreeSet,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// A folder of messages, how many it holds, and from where they are sent.
#[derive(Clone, Copy)]
pub(crate) struct Set {
    pub(crate) folder: &'static str,
    pub(crate) count: usize,
    /// What the first line of every reason begins with.
    pub(crate) authority: &'static str,
    pub(crate) source: &'static str,
}

/// The port is the default of sent-by, so that answers over UDP come back to the socket that asked.
pub(crate) const SETS: [Set; 3] = [
    Set { folder: "rfc4475", count: 50, authority: "RFC 4475 ", source: "127.0.44.75:5060" },
    Set { folder: "rfc5118", count: 12, authority: "RFC 5118 §4.", source: "[::1]:5060" },
    Set { folder: "cve", count: 43, authority: "", source: "127.0.44.75:5060" },
];

/// Rows of the list of CVE triggers; the names of their files begin with the row.
pub(crate) const CVE_ROWS: usize = 23;

/// One file and the one beside it.
pub(crate) struct Message {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) expect_path: PathBuf,
    pub(crate) expect: String,
}

impl Set {
    pub(crate) fn source(&self) -> SocketAddr {
        self.source.parse().expect("source")
    }

    /// Every message in order of name; fails when one lacks its expectation, or the other way round.
    pub(crate) fn messages(&self) -> Vec<Message> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture").join(self.folder);
        let (mut messages, mut expectations) = (BTreeSet::new(), BTreeSet::new());
        for entry in fs::read_dir(&folder).expect("folder") {
            let name = entry.expect("entry").file_name().into_string().expect("UTF-8");
            if let Some(name) = name.strip_suffix(".dat") {
                messages.insert(name.to_owned());
            } else if let Some(name) = name.strip_suffix(".expect.txt") {
                expectations.insert(name.to_owned());
            } else {
                panic!("{}: {name} is neither a message nor an expectation", self.folder);
            }
        }
        assert_eq!(messages, expectations, "{}: every message has its expectation", self.folder);
        assert_eq!(messages.len(), self.count, "{}: messages found", self.folder);
        let read = |name: String| {
            let expect_path = folder.join(format!("{name}.expect.txt"));
            Message {
                bytes: fs::read(folder.join(format!("{name}.dat"))).expect("message"),
                expect: fs::read_to_string(&expect_path).expect("expectation"),
                expect_path,
                name: format!("{}/{name}", self.folder),
            }
        };
        messages.into_iter().map(read).collect()
    }
}

impl Message {
    /// The lines that say why, without the empty line after them.
    pub(crate) fn reason(&self) -> &str {
        self.expect.split("\n\n").next().unwrap_or_default()
    }
}
