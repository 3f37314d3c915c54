//! A small web server that can be told to misbehave: a script for each path, and every request remembered.

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// How one path is answered.
#[derive(Clone)]
pub(crate) enum Script {
    /// With these bytes, or 304 to whoever has them; their tag is of them.
    Bytes(Vec<u8>),
    /// With these bytes, changed this second; their tag says nothing of them, as nginx's may.
    Fresh(Vec<u8>),
    /// With this status.
    Status(u16),
    /// To another URL.
    Redirect(String),
    /// With a length that the body does not reach before the connection ends.
    Torn(Vec<u8>),
    /// With a body that goes on for ever.
    Endless,
    /// With a head, and then nothing.
    Silent,
}

/// One request: its path, and the headers that matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) conditional: bool,
    pub(crate) authorization: Option<String>,
}

pub(crate) struct Web {
    address: SocketAddr,
    scripts: Arc<Mutex<HashMap<String, Script>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    stop: Arc<AtomicBool>,
}

impl Web {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let web = Self {
            address: listener.local_addr().unwrap(),
            scripts: Arc::default(),
            asked: Arc::default(),
            stop: Arc::default(),
        };
        let (scripts, asked, stop) =
            (Arc::clone(&web.scripts), Arc::clone(&web.asked), Arc::clone(&web.stop));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let (scripts, asked, stop) = (Arc::clone(&scripts), Arc::clone(&asked), Arc::clone(&stop));
                thread::spawn(move || serve(stream, &scripts, &asked, &stop));
            }
        });
        web
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    pub(crate) fn set(&self, path: &str, script: Script) {
        self.scripts.lock().unwrap().insert(format!("/{path}"), script);
    }

    /// Serves a directory as it is now, whatever was told before.
    pub(crate) fn set_directory(&self, dir: &std::path::Path) {
        self.scripts.lock().unwrap().clear();
        self.set("manifest.json", Script::Bytes(std::fs::read(dir.join("manifest.json")).unwrap()));
        for entry in std::fs::read_dir(dir.join("files")).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("files/{}", path.file_name().unwrap().to_str().unwrap());
            self.set(&name, Script::Bytes(std::fs::read(path).unwrap()));
        }
    }

    /// Nothing is there any more, whatever is asked.
    pub(crate) fn clear(&self) {
        self.scripts.lock().unwrap().clear();
    }

    /// The requests so far, which are forgotten.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    /// Files asked for so far, which are forgotten.
    pub(crate) fn files_asked(&self) -> usize {
        self.asked().iter().filter(|asked| asked.path.starts_with("/files/")).count()
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(
    mut stream: TcpStream,
    scripts: &Mutex<HashMap<String, Script>>,
    asked: &Mutex<Vec<Asked>>,
    stop: &AtomicBool,
) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    while let Some(first) = lines.next() {
        let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
        let headers: HashMap<String, String> = lines
            .by_ref()
            .take_while(|line| !line.is_empty())
            .filter_map(|line| line.split_once(": ").map(|(k, v)| (k.to_ascii_lowercase(), v.to_owned())))
            .collect();
        let known = headers.get("if-none-match").cloned();
        asked.lock().unwrap().push(Asked {
            path: path.clone(),
            conditional: known.is_some(),
            authorization: headers.get("authorization").cloned(),
        });
        let script = scripts.lock().unwrap().get(&path).cloned().unwrap_or(Script::Status(404));
        if answer(&mut stream, script, known.as_deref(), stop).is_none() {
            return;
        }
    }
}

/// `None`: the connection is done for.
fn answer(stream: &mut TcpStream, script: Script, known: Option<&str>, stop: &AtomicBool) -> Option<()> {
    match script {
        Script::Bytes(bytes) => {
            let tag = format!(
                "\"{:x}\"",
                bytes.iter().fold(bytes.len() as u64, |h, b| h.wrapping_mul(31) + u64::from(*b))
            );
            if known == Some(&tag) {
                return write!(stream, "HTTP/1.1 304 Not Modified\r\nETag: {tag}\r\n\r\n").ok();
            }
            write!(stream, "HTTP/1.1 200 OK\r\nETag: {tag}\r\nContent-Length: {}\r\n\r\n", bytes.len())
                .ok()?;
            stream.write_all(&bytes).ok()
        }
        Script::Fresh(bytes) => {
            let head = "ETag: \"one\"\r\nDate: Thu, 01 Jan 2026 12:00:00 GMT\r\nLast-Modified: Thu, 01 Jan 2026 12:00:00 GMT";
            if known == Some("\"one\"") {
                return write!(stream, "HTTP/1.1 304 Not Modified\r\n{head}\r\n\r\n").ok();
            }
            write!(stream, "HTTP/1.1 200 OK\r\n{head}\r\nContent-Length: {}\r\n\r\n", bytes.len()).ok()?;
            stream.write_all(&bytes).ok()
        }
        Script::Status(code) => write!(stream, "HTTP/1.1 {code} No\r\nContent-Length: 0\r\n\r\n").ok(),
        Script::Redirect(to) => {
            write!(stream, "HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n").ok()
        }
        Script::Torn(bytes) => {
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", bytes.len() + 1).ok()?;
            stream.write_all(&bytes).ok()?;
            let _ = stream.shutdown(std::net::Shutdown::Both);
            None
        }
        Script::Endless => {
            write!(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").ok()?;
            let piece = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
            while !stop.load(Ordering::Relaxed) {
                stream.write_all(piece.as_bytes()).ok()?;
            }
            None
        }
        Script::Silent => {
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n").ok()?;
            // Until the client has had enough.
            let _ = stream.set_read_timeout(Some(Duration::from_secs(60)));
            let _ = stream.read(&mut [0]);
            None
        }
    }
}
