//! A client of the admin port: HTTP over a plain socket.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::TcpStream,
};

use crate::harness::{PATIENCE, Server, eventually};

/// What the admin port said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Said {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {}", self.body))
    }
}

/// Numbers by `name{labels}`.
pub(crate) type Samples = BTreeMap<String, f64>;

impl Server {
    pub(crate) fn get(&self, path: &str) -> Said {
        self.request("GET", path)
    }

    /// `POST /-/reload`.
    pub(crate) fn reload(&self) -> Said {
        self.request("POST", "/-/reload")
    }

    /// `POST` to this path.
    pub(crate) fn post(&self, path: &str) -> Said {
        self.request("POST", path)
    }

    fn request(&self, method: &str, path: &str) -> Said {
        let mut stream = TcpStream::connect(self.admin).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(format!("{method} {path} HTTP/1.1\r\nHost: waypost\r\n\r\n").as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head in {text:?}"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Said { status: status.unwrap_or_else(|| panic!("{head}")), body: body.to_owned() }
    }

    pub(crate) fn samples(&self) -> Samples {
        let said = self.get("/metrics");
        assert_eq!(said.status, 200, "{}", said.body);
        let sample = |line: &str| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap_or_else(|_| panic!("{line}")))
        };
        said.body.lines().filter(|line| !line.starts_with('#')).map(sample).collect()
    }

    /// One number.
    pub(crate) fn sample(&self, name: &str) -> f64 {
        *self.samples().get(name).unwrap_or_else(|| panic!("no {name}"))
    }

    /// Waits until a number has this value.
    pub(crate) fn until(&self, name: &str, value: f64) {
        eventually(&format!("{name} {value}"), || {
            let samples = self.samples();
            samples.get(name) == Some(&value)
        });
    }
}

/// The samples of one family that are not 0, by the text of their labels.
pub(crate) fn nonzero<'s>(samples: &'s Samples, family: &str) -> Vec<(&'s str, f64)> {
    let of_family = |(name, value): (&'s String, &f64)| {
        let labels = name.strip_prefix(family)?.strip_prefix('{')?.strip_suffix('}')?;
        (*value != 0.0).then_some((labels, *value))
    };
    samples.iter().filter_map(of_family).collect()
}
