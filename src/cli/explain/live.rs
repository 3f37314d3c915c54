//! Outside. What a running server has in its DNS cache, by its admin port.
//!
//! In:    the address of the port; questions of a decision.
//! Out:   what the cache keeps of each, the generation and hash of the routes in service; or why not.
//! Never: makes the server ask DNS; waits longer than [`LIVE_MS_MAX`] in all.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use serde_json::{Map, Value, json};

use crate::{
    cli::describe,
    control::admin_answer::{from_json, kind_name, to_json},
    dns::{Answer, Question},
    limits::{LIVE_BYTES_MAX, LIVE_MS_MAX},
};

/// A server that runs.
#[derive(Clone, Debug)]
pub(super) struct Live {
    pub(super) admin: SocketAddr,
    /// Of the routes in service.
    pub(super) generation: u64,
    pub(super) routes_hash: String,
    /// Its gateways that are down.
    pub(super) down: Vec<String>,
    ends: Instant,
}

/// A question of the decision, and what is known of it.
#[derive(Clone, Debug)]
pub(super) struct Looked {
    pub(super) question: Question,
    /// `None`: nothing, or nobody was asked.
    pub(super) kept: Option<Kept>,
}

/// What the server's cache keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) answer: Answer,
    /// 0: past its end.
    pub(super) fresh_for_ms: u64,
}

impl Live {
    /// Finds the server.
    pub(super) fn reach(admin: SocketAddr) -> Result<Self, String> {
        let ends = Instant::now() + Duration::from_millis(LIVE_MS_MAX);
        let said = get(admin, "/dns/cache", ends)?;
        let generation = said.get("generation").and_then(Value::as_u64);
        let routes_hash = said.get("routes_hash").and_then(Value::as_str).map(str::to_owned);
        let (generation, routes_hash) = generation.zip(routes_hash).ok_or_else(|| no_waypost(admin))?;
        let down = said.get("gateways_down").and_then(Value::as_array).ok_or_else(|| no_waypost(admin))?;
        let down = down.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        Ok(Self { admin, generation, routes_hash, down, ends })
    }

    /// What the cache keeps of a question.
    pub(super) fn look(&self, question: &Question) -> Result<Option<Kept>, String> {
        let said = get(self.admin, &path(question), self.ends)?;
        kept_of(&said, question).ok_or_else(|| no_waypost(self.admin))
    }
}

impl Looked {
    /// One line.
    pub(super) fn line(&self) -> String {
        let question = describe::question(&self.question);
        match &self.kept {
            None => format!("{question}: not in the cache: the server would ask"),
            Some(Kept { answer, fresh_for_ms: 0 }) => {
                format!("{question}: {}, stale: used when DNS does not answer", describe::dns_answer(answer))
            }
            Some(Kept { answer, fresh_for_ms }) => {
                let left_s = fresh_for_ms.div_ceil(1000);
                format!("{question}: {}, fresh for {left_s} s", describe::dns_answer(answer))
            }
        }
    }

    /// The same for programs.
    pub(super) fn json(&self) -> Value {
        let mut told = Map::new();
        told.insert("question".to_owned(), describe::question(&self.question).into());
        told.insert("found".to_owned(), self.kept.is_some().into());
        match &self.kept {
            None => {}
            Some(Kept { answer, fresh_for_ms: 0 }) => {
                told.insert("stale".to_owned(), true.into());
                told.insert("answer".to_owned(), to_json(answer));
            }
            Some(Kept { answer, fresh_for_ms }) => {
                told.insert("fresh_for_ms".to_owned(), (*fresh_for_ms).into());
                told.insert("answer".to_owned(), to_json(answer));
            }
        }
        told.into()
    }
}

fn path(question: &Question) -> String {
    let mut path = format!("/dns/cache?name={}&type={}", question.name(), kind_name(question.kind()));
    if let Some(upstream) = question.upstream() {
        path.push_str(&format!("&apex={}", upstream.label()));
        for server in upstream.servers() {
            path.push_str(&format!("&server={server}"));
        }
    }
    path
}

/// What the server said of a question; `Some(None)` when it does not have it, or only one that other servers
/// answered.
fn kept_of(said: &Value, question: &Question) -> Option<Option<Kept>> {
    if !said.get("found")?.as_bool()? {
        return Some(None);
    }
    let upstream = question.upstream().map(|upstream| {
        let servers: Vec<_> = upstream.servers().iter().map(SocketAddr::to_string).collect();
        json!({ "apex": upstream.label(), "servers": servers })
    });
    if *said.get("upstream")? != json!(upstream) {
        return Some(None);
    }
    let answer = from_json(said.get("answer")?, question.kind())?;
    let fresh_for_ms = said.get("fresh_for_ms").and_then(Value::as_u64).unwrap_or(0);
    Some(Some(Kept { answer, fresh_for_ms }))
}

fn no_waypost(admin: SocketAddr) -> String {
    format!(
        "what answers at {admin} is not the admin port of a waypost of this version; name that of the server: --admin ADDR:PORT"
    )
}

fn get(admin: SocketAddr, path: &str, ends: Instant) -> Result<Value, String> {
    let text = exchange(admin, path, ends).map_err(|error| {
        format!(
            "no server answers at its admin port {admin} ({error}); start it, or name the port it has: --admin ADDR:PORT"
        )
    })?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| no_waypost(admin))?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    let said = serde_json::from_str::<Value>(body).map_err(|_| no_waypost(admin))?;
    match (status, said.get("error").and_then(Value::as_str)) {
        ("200", _) => Ok(said),
        (_, Some(error)) => Err(format!("the server at {admin} says: {error}")),
        _ => Err(no_waypost(admin)),
    }
}

/// One request and its answer, head and body, up to [`LIVE_BYTES_MAX`].
fn exchange(admin: SocketAddr, path: &str, ends: Instant) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&admin, left(ends)?)?;
    stream.set_write_timeout(Some(left(ends)?))?;
    stream
        .write_all(format!("GET {path} HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let (mut bytes, mut chunk) = (Vec::new(), [0; 16 * 1024]);
    loop {
        stream.set_read_timeout(Some(left(ends)?))?;
        let count = stream.read(&mut chunk)?;
        let read = chunk.get(..count).unwrap_or_default();
        if read.is_empty() {
            return String::from_utf8(bytes).map_err(io::Error::other);
        }
        if bytes.len().saturating_add(count) > LIVE_BYTES_MAX {
            return Err(io::Error::other("its answer is too long"));
        }
        bytes.extend_from_slice(read);
    }
}

/// Never zero: that would be no timeout at all.
fn left(ends: Instant) -> io::Result<Duration> {
    let left = ends.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, sync::Arc, thread};

    use super::*;
    use crate::dns::{Kind, OwnLives, Upstream};

    /// What one look at a server comes to that says this.
    fn reach(answer: Vec<u8>) -> Result<Live, String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let admin = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).unwrap();
            // The client may have read enough.
            let _ = stream.write_all(&answer);
        });
        let live = Live::reach(admin);
        server.join().unwrap();
        live.map_err(|error| error.replace(&admin.to_string(), "ADMIN"))
    }

    #[test]
    fn what_is_no_waypost_is_named() {
        let head = "HTTP/1.1 200 OK\r\n\r\n";
        let good = reach(
            format!("{head}{{\"generation\":3,\"routes_hash\":\"ab\",\"gateways_down\":[\"lon1\"]}}")
                .into_bytes(),
        )
        .unwrap();
        assert_eq!((good.generation, &*good.routes_hash, &good.down), (3, "ab", &vec!["lon1".to_owned()]));
        let long = [head.as_bytes(), &vec![b' '; LIVE_BYTES_MAX]].concat();
        for (answer, expected) in [
            (b"SIP/2.0 400 Bad Request\r\n\r\n".to_vec(), "is not the admin port"),
            (format!("{head}{{}}").into_bytes(), "is not the admin port"),
            (b"HTTP/1.1 404 Not Found\r\n\r\nGET /metrics\n".to_vec(), "is not the admin port"),
            (b"HTTP/1.1 503 X\r\n\r\n{\"error\":\"busy\"}".to_vec(), "the server at ADMIN says: busy"),
            (b"\xff".to_vec(), "no server answers at its admin port ADMIN"),
            (long, "its answer is too long"),
        ] {
            let error = reach(answer).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn no_time_is_left_after_the_end() {
        let error = exchange(([127, 0, 0, 1], 9).into(), "/", Instant::now()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(left(Instant::now() + Duration::from_millis(LIVE_MS_MAX)).is_ok());
    }

    #[test]
    fn an_answer_of_other_servers_is_none() {
        let plain = Question::new("a.example", Kind::A).unwrap();
        let upstream =
            Arc::new(Upstream::new("e164.arpa", &[([192, 0, 2, 1], 53).into()], OwnLives::default()));
        let own = plain.clone().at(Some(&upstream));
        assert_eq!(path(&plain), "/dns/cache?name=a.example.&type=A");
        assert_eq!(path(&own), "/dns/cache?name=a.example.&type=A&apex=e164.arpa&server=192.0.2.1:53");
        let answer = json!({ "result": "nxdomain", "ttl_s": 5 });
        let said =
            |upstream: Value| json!({ "found": true, "upstream": upstream, "stale": true, "answer": answer });
        let of_own = said(json!({ "apex": "e164.arpa", "servers": ["192.0.2.1:53"] }));
        let kept = |said: &Value, question| kept_of(said, question).unwrap().is_some();
        assert!(kept(&said(Value::Null), &plain) && kept(&of_own, &own));
        assert!(!kept(&said(Value::Null), &own) && !kept(&of_own, &plain));
        assert_eq!(kept_of(&json!({ "found": false }), &plain), Some(None));
        assert_eq!(kept_of(&json!({ "found": true, "upstream": null }), &plain), None);
    }
}
