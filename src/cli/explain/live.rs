//! Outside. What a running server has in its DNS cache, by its admin port.
//!
//! In:    the address of the port; questions of a decision.
//! Out:   what the cache keeps of each, the generation and hash of the routes in service, its gateways that are down;
//!        or why not.
//! Never: makes the server ask DNS; waits longer than [`LIVE_MS_MAX`] in all.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    cli::{
        Exit,
        ctl::client::{Ask, Client, Options},
    },
    config::Admin,
    control::{
        dns_json::{from_json, kind_name},
        explain::{Live, looked::Known},
    },
    dns::Question,
    limits::{LIVE_BYTES_MAX, LIVE_MS_MAX},
};

/// A server that runs.
#[derive(Debug)]
pub(super) struct Server {
    client: Client,
    told: Live,
    /// Its gateways that are down.
    down: Vec<String>,
    ends: Instant,
}

impl Server {
    /// Finds the server.
    pub(super) fn reach(admin: &Admin) -> Result<Self, (String, Exit)> {
        let client = Client::to(admin, Options::default()).map_err(|why| (why, Exit::Usage))?;
        let ends = Instant::now() + Duration::from_millis(LIVE_MS_MAX);
        let (told, down) = told(&client, ends).map_err(|why| (why, Exit::Unreachable))?;
        Ok(Self { client, told, down, ends })
    }

    /// What the cache keeps of a question.
    pub(super) fn look(&self, question: &Question) -> Result<Option<Known>, String> {
        let said = get(&self.client, &path(question), self.ends)?;
        kept_of(&said, question).ok_or_else(|| self.client.no_waypost())
    }

    /// Its gateways that are down.
    pub(super) fn down(&self) -> &[String] {
        &self.down
    }

    pub(super) fn into_told(self) -> Live {
        self.told
    }
}

fn told(client: &Client, ends: Instant) -> Result<(Live, Vec<String>), String> {
    let said = get(client, "/dns/cache", ends)?;
    let generation = said.get("generation").and_then(Value::as_u64);
    let routes_hash = said.get("routes_hash").and_then(Value::as_str).map(str::to_owned);
    let (generation, routes_hash) = generation.zip(routes_hash).ok_or_else(|| client.no_waypost())?;
    let down = said.get("gateways_down").and_then(Value::as_array).ok_or_else(|| client.no_waypost())?;
    let down = down.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    Ok((Live { admin: client.place(), generation, routes_hash }, down))
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
fn kept_of(said: &Value, question: &Question) -> Option<Option<Known>> {
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
    Some(Some(Known { answer, fresh_for_ms }))
}

fn get(client: &Client, path: &str, ends: Instant) -> Result<Value, String> {
    let ask = Ask { method: "GET", path: path.to_owned(), bytes_max: LIVE_BYTES_MAX, ..Ask::default() };
    let said = client.ask(ask, ends.saturating_duration_since(Instant::now()))?;
    let value = serde_json::from_slice::<Value>(&said.body).map_err(|_| client.no_waypost())?;
    match (said.status, value.get("error").and_then(Value::as_str)) {
        (200, _) => Ok(value),
        (_, Some(error)) => Err(format!("the server at {} says: {error}", client.place())),
        _ => Err(client.no_waypost()),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
        sync::Arc,
        thread,
    };

    use super::*;
    use crate::{
        config::AdminPlace,
        dns::{Kind, OwnLives, Upstream},
    };

    /// What one look at a server comes to that says this.
    fn reach(answer: Vec<u8>) -> Result<Server, String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let admin = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).unwrap();
            // The client may have read enough.
            let _ = stream.write_all(&answer);
        });
        let live = Server::reach(&Admin::at(AdminPlace::Tcp(admin)));
        server.join().unwrap();
        live.map_err(|(error, _)| error.replace(&admin.to_string(), "ADMIN"))
    }

    #[test]
    fn what_is_no_waypost_is_named() {
        let head = "HTTP/1.1 200 OK\r\n\r\n";
        let good = reach(
            format!("{head}{{\"generation\":3,\"routes_hash\":\"ab\",\"gateways_down\":[\"lon1\"]}}")
                .into_bytes(),
        )
        .unwrap();
        assert_eq!((good.told.generation, &*good.told.routes_hash), (3, "ab"));
        assert_eq!(good.down(), ["lon1"]);
        let long = [head.as_bytes(), &vec![b' '; LIVE_BYTES_MAX + 1]].concat();
        for (answer, expected) in [
            (b"SIP/2.0 400 Bad Request\r\n\r\n".to_vec(), "is not the admin port"),
            (format!("{head}{{}}").into_bytes(), "is not the admin port"),
            (b"HTTP/1.1 404 Not Found\r\n\r\nGET /metrics\n".to_vec(), "is not the admin port"),
            (b"HTTP/1.1 503 X\r\n\r\n{\"error\":\"busy\"}".to_vec(), "the server at ADMIN says: busy"),
            (b"\xff".to_vec(), "is not the admin port"),
            (long, "or is too long"),
        ] {
            let error = reach(answer).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn no_time_is_left_after_the_end() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let admin = Admin::at(AdminPlace::Tcp(listener.local_addr().unwrap()));
        let client = Client::to(&admin, Options::default()).unwrap();
        let error = get(&client, "/dns/cache", Instant::now()).unwrap_err();
        assert!(error.contains("(it took too long)"), "{error}");
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
