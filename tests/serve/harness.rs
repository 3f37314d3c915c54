//! Starts the binary in a directory of its own, reads what it logs, and ends it, and only it.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// How long a test waits for what must come, on a machine that does much else.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A key, as every configuration here has it, and an end without delay.
pub(crate) const KEY: &str = "key: 000102030405060708090a0b0c0d0e0f\nstop: {lame_duck_s: 0}\n";

/// Waits until `holds`; fails, saying `what`, when that never comes.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "it never came: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A directory of route files.
pub(crate) struct Routes {
    dir: TempDir,
}

impl Routes {
    pub(crate) fn empty() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    /// With one file, `routes.yaml`.
    pub(crate) fn of(text: &str) -> Self {
        let routes = Self::empty();
        routes.write(text);
        routes
    }

    /// Replaces `routes.yaml` at one blow, as editors do.
    pub(crate) fn write(&self, text: &str) {
        let new = self.path().join(".routes.yaml.new");
        fs::write(&new, text).unwrap();
        fs::rename(new, self.path().join("routes.yaml")).unwrap();
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// Routes that refuse every call with this code.
pub(crate) fn refuse_with(code: u16) -> String {
    format!("routes: [{{name: all, answer: {{code: {code}}}}}]\n")
}

/// A server that is ready.
pub(crate) struct Server {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
    /// By listener, port 0 resolved.
    pub(crate) listeners: Vec<SocketAddr>,
    pub(crate) admin: SocketAddr,
    /// Processes that replaced the child.
    successors: Vec<u32>,
    config: Option<TempDir>,
}

impl Server {
    /// On one port of 127.0.0.1.
    pub(crate) fn start(routes: &Path, config: &str) -> Self {
        Self::start_on(&["udp:127.0.0.1:0"], routes, config)
    }

    /// With these listeners. The server chooses the ports and tells them in its log.
    pub(crate) fn start_on(listen: &[&str], routes: &Path, config: &str) -> Self {
        Self::start_by(waypost(), listen, routes, config)
    }

    /// The same with its admin port here.
    pub(crate) fn start_at(admin: &str, listen: &[&str], routes: &Path, config: &str) -> Self {
        Self::start_with(waypost(), admin, listen, routes, config)
    }

    /// The same, by a command that has everything but its arguments.
    pub(crate) fn start_by(command: Command, listen: &[&str], routes: &Path, config: &str) -> Self {
        Self::start_with(command, "127.0.0.1:0", listen, routes, config)
    }

    fn start_with(mut command: Command, admin: &str, listen: &[&str], routes: &Path, config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("waypost.yaml");
        fs::write(&file, config).unwrap();
        command.arg("--config").arg(file).arg("--routes").arg(routes).args(["--admin", admin]);
        for listen in listen {
            command.args(["--listen", listen]);
        }
        let mut server = Self::spawn(&mut command);
        server.config = Some(dir);
        assert!(listen.is_empty() || server.listeners.len() == listen.len(), "{:?}", server.listeners);
        server
    }

    /// By a whole command.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let kept = Arc::clone(&log);
        let reader = thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| kept.lock().unwrap().push(line));
        });
        let nowhere = SocketAddr::from(([0; 4], 0));
        let mut server = Self {
            child,
            log,
            reader: Some(reader),
            listeners: vec![],
            admin: nowhere,
            successors: vec![],
            config: None,
        };
        let hello = server.line_with(" serves ");
        let places = hello.split(" serves ").nth(1).unwrap().split("; admin").next().unwrap();
        let place = |text: &str| text.split_once(':').and_then(|(_, rest)| address_at_start(rest));
        server.listeners = places.split(", ").filter_map(place).collect();
        let admin = hello.split("; admin ").nth(1).unwrap();
        if let Some((scheme, address)) = admin.split_once("://") {
            server.admin = first_address(address);
            if scheme == "http" {
                eventually("the server is ready", || server.get("/readyz").status == 200);
            }
        }
        server
    }

    /// Where its configuration is.
    pub(crate) fn config_file(&self) -> PathBuf {
        self.config.as_ref().expect("it has one").path().join("waypost.yaml")
    }

    /// Forgets what was logged so far.
    pub(crate) fn log_is_read(&self) {
        self.log.lock().unwrap().clear();
    }

    /// Has it start its program again, and waits until that has taken over.
    pub(crate) fn replace(&mut self) {
        self.signal("USR2");
        let told = |log: &[String]| -> Vec<u32> {
            let pids = log.iter().filter_map(|line| line.split_once("replaced by process "));
            pids.map(|(_, rest)| rest.split(':').next().unwrap().parse().unwrap()).collect()
        };
        let before = self.successors.len();
        eventually("a process that replaces it", || {
            let log = self.log();
            assert!(!log.iter().any(|line| line.contains("not replaced")), "{log:#?}");
            told(&log).len() > before
        });
        self.successors = told(&self.log());
    }

    /// Waits until the process that was started, and replaced, ends by itself.
    pub(crate) fn first_ended(&mut self) -> ExitStatus {
        wait(&mut self.child)
    }

    /// The first listener.
    pub(crate) fn address(&self) -> SocketAddr {
        self.listeners[0]
    }

    /// The process that serves now.
    pub(crate) fn pid(&self) -> u32 {
        self.successors.last().copied().unwrap_or_else(|| self.child.id())
    }

    /// All that was logged so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Waits for a line with this text.
    pub(crate) fn line_with(&mut self, text: &str) -> String {
        let began = Instant::now();
        loop {
            if let Some(line) = self.log().into_iter().find(|line| line.contains(text)) {
                return line;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "ended with {ended:?}: {:#?}", self.log());
            assert!(began.elapsed() < PATIENCE, "{text:?} never came: {:#?}", self.log());
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Sends a signal to the server.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Waits until the server ends by itself.
    pub(crate) fn ended(mut self) -> (ExitStatus, Vec<String>) {
        let status = wait(&mut self.child);
        self.reader.take().unwrap().join().unwrap();
        (status, self.log())
    }

    /// Entries of a directory of /proc/PID: `fd`, `task`.
    pub(crate) fn proc_count(&self, what: &str) -> usize {
        fs::read_dir(PathBuf::from(format!("/proc/{}/{what}", self.pid()))).unwrap().count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        for pid in &self.successors {
            // Those that were replaced in their turn have ended.
            let _ =
                Command::new("kill").args(["-s", "KILL", &pid.to_string()]).stderr(Stdio::null()).status();
        }
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        let log = self.log();
        let panics: Vec<_> = log.iter().filter(|line| line.contains("panicked")).collect();
        if thread::panicking() {
            eprintln!("the end of the server's log: {:#?}", &log[log.len().saturating_sub(20)..]);
        } else {
            assert!(panics.is_empty(), "{panics:?}");
        }
    }
}

/// Runs the binary with these arguments until it ends; its code and what it wrote to stderr.
pub(crate) fn run_until_it_ends(args: &[&str]) -> (i32, String) {
    let mut child = waypost().args(args).spawn().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let reader = thread::spawn(move || std::io::read_to_string(&mut stderr).unwrap());
    let status = wait(&mut child);
    (status.code().expect("an exit code"), reader.join().unwrap())
}

pub(crate) fn waypost() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_waypost"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// Ends the child if it does not end itself, which is a failure.
fn wait(child: &mut Child) -> ExitStatus {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if began.elapsed() > PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            panic!("it did not end");
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// The address at the start of a text.
fn first_address(text: &str) -> SocketAddr {
    address_at_start(text).unwrap_or_else(|| panic!("an address in {text:?}"))
}

fn address_at_start(text: &str) -> Option<SocketAddr> {
    let end = text.find([' ', ',', ';', ')']).unwrap_or(text.len());
    text[..end].parse().ok()
}
