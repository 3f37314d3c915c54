//! Outside. The files that a server needs, and what for.
//!
//! In:    the configuration, the program.
//! Out:   directories, each with one [`Use`].
//! Never: allows what nobody named, but for what the C library and the certificates of the system need.
//!
//! What is named may be replaced: an editor renames, a link moves, a ConfigMap comes anew. Landlock knows files by what
//! they are, not by their names; so the directory around is allowed, of the name and of what it leads to now.

use std::{
    collections::BTreeMap,
    env, fmt, fs,
    path::{Path, PathBuf},
};

use crate::{
    config::{AdminPlace, Config, KeySource},
    limits::SANDBOX_PLACES_MAX,
};

/// What a place is for. The later ones allow what the earlier ones do, but that what is written is not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Use {
    Read,
    Run,
    Write,
}

/// See the file's first lines.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::control) struct Places {
    named: BTreeMap<PathBuf, Use>,
    system: BTreeMap<PathBuf, Use>,
}

/// What the resolver of the C library and the one of DNS read, the kernel's counts, the certificates.
const READ: &[&str] = &[
    // Whole: resolv.conf, hosts and the certificates are replaced by renaming. What others may not read there, the
    // system keeps from a user of its own.
    "/etc",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/proc",
    "/sys/fs/cgroup",
    "/sys/devices/system/cpu",
    "/usr/share/zoneinfo",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    // What a static build asks for keys of hashes, which has no getrandom(2) from its C library.
    "/dev/random",
    "/dev/urandom",
];
/// What a program is loaded from.
const RUN: &[&str] = &["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache"];
const WRITE: &[&str] = &["/dev/null"];
/// Where rustls-native-certs looks besides.
const CERTIFICATES: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

impl Places {
    /// Those of this configuration, when `program` is what may be run.
    pub(super) fn of(config: &Config, program: &Path) -> Self {
        let mut places = Self::default();
        for (paths, uses) in [(READ, Use::Read), (RUN, Use::Run), (WRITE, Use::Write)] {
            places.system.extend(paths.iter().map(|path| (real(Path::new(path)), uses)));
        }
        let certificates = CERTIFICATES.iter().filter_map(env::var_os);
        places.system.extend(certificates.map(|path| (real(Path::new(&path)), Use::Read)));
        places.around(program, Use::Run, Leads::Anywhere);
        for file in files(config) {
            places.around(file, Use::Read, Leads::Anywhere);
        }
        let routes = if config.source.is_some() { Use::Write } else { Use::Read };
        places.around(&config.routes, routes, Leads::Anywhere);
        for link in links(&config.routes) {
            places.around(&link, Use::Read, Leads::Elsewhere);
        }
        if let Some(state) = &config.state {
            // To be there before it is allowed. If it cannot be made, who keeps something there says so.
            let _ = fs::create_dir_all(state);
            places.allow(real(state), Use::Write);
        }
        if let Some(AdminPlace::Unix(socket)) = config.admin.as_ref().map(|admin| &admin.place) {
            places.around(socket, Use::Write, Leads::Nowhere);
        }
        places.settle();
        places
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Path, Use)> {
        self.named.iter().chain(&self.system).map(|(path, uses)| (path.as_path(), *uses))
    }

    /// Allows the directory of `path`, and the one of what it leads to.
    fn around(&mut self, path: &Path, uses: Use, leads: Leads) {
        let parent = |path: &Path| {
            let parent = path
                .parent()
                .map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent });
            // Not the whole system, for something at its root: that is a mount, and is not replaced.
            parent.map(real).filter(|parent| parent.parent().is_some()).unwrap_or_else(|| real(path))
        };
        if leads != Leads::Elsewhere {
            self.allow(parent(path), uses);
        }
        if leads != Leads::Nowhere && fs::canonicalize(path).is_ok() {
            self.allow(parent(&real(path)), uses);
        }
    }

    fn allow(&mut self, path: PathBuf, uses: Use) {
        if self.named.len() < SANDBOX_PLACES_MAX || self.named.contains_key(&path) {
            let now = self.named.entry(path).or_insert(uses);
            *now = (*now).max(uses);
        }
    }

    /// Leaves out what is inside another one that allows as much.
    fn settle(&mut self) {
        let all = self.named.clone();
        let covers = |path: &Path, uses: Use| {
            path.ancestors()
                .skip(1)
                .any(|above| all.get(above).is_some_and(|of| *of == uses || uses == Use::Read))
        };
        self.named.retain(|path, uses| !covers(path, *uses));
    }
}

/// Which directories of a path are meant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leads {
    /// Its own.
    Nowhere,
    /// That of what it leads to.
    Elsewhere,
    /// Both.
    Anywhere,
}

/// The files that are named.
fn files(config: &Config) -> impl Iterator<Item = &Path> {
    let key = match &config.key {
        KeySource::File(file) => Some(file),
        _ => None,
    };
    let admin = config.admin.as_ref();
    let tls = config.tls.iter().chain(admin.and_then(|admin| admin.tls.as_ref()));
    let of_tls = tls.flat_map(|tls| [Some(&tls.certificate), Some(&tls.key), tls.client_ca.as_ref()]);
    let source = config.source.as_ref();
    let of_source = source.into_iter().flat_map(|source| {
        [&source.signed_by, &source.ca, &source.token_file, &source.credentials].map(Option::as_ref)
    });
    let others = [
        config.file.as_ref(),
        key,
        admin.and_then(|admin| admin.token_file.as_ref()),
        config.hep.as_ref().and_then(|hep| hep.key_file.as_ref()),
    ];
    others.into_iter().chain(of_tls).chain(of_source).flatten().map(PathBuf::as_path)
}

/// The links in the routes directory, and in those just below it.
fn links(routes: &Path) -> Vec<PathBuf> {
    let entries = |dir: &Path| {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).take(SANDBOX_PLACES_MAX).collect::<Vec<_>>()
    };
    let top = entries(routes);
    let below = top.iter().filter(|path| path.is_dir()).flat_map(|dir| entries(dir));
    let all = top.iter().cloned().chain(below);
    all.filter(|path| path.is_symlink()).collect()
}

/// Without links; as it stands, when it is not there.
fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
}

impl fmt::Display for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = |wanted: Use| {
            let those = self.named.iter().filter(|(_, uses)| **uses == wanted);
            let those: Vec<_> = those.map(|(path, _)| path.display().to_string()).collect();
            if those.is_empty() { "nothing".to_owned() } else { those.join(", ") }
        };
        let (read, run, write) = (all(Use::Read), all(Use::Run), all(Use::Write));
        write!(
            f,
            "besides what every program of this system reads, it reads in {read}; runs in {run}; writes in {write}"
        )
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn named(config: &Config, program: &Path) -> Vec<(String, Use)> {
        let places = Places::of(config, program);
        places.named.into_iter().map(|(path, uses)| (path.display().to_string(), uses)).collect()
    }

    #[test]
    fn directories_around_what_is_named_are_allowed_and_no_others() {
        let dir = tempfile::tempdir().unwrap();
        let dir = fs::canonicalize(dir.path()).unwrap();
        let path = |name: &str| dir.join(name);
        for name in ["etc/routes", "srv/shared", "srv/releases/5", "bin", "run", "keys"] {
            fs::create_dir_all(path(name)).unwrap();
        }
        fs::write(path("srv/shared/20.yaml"), "").unwrap();
        fs::write(path("srv/releases/5/t.csv"), "").unwrap();
        symlink(path("srv/shared/20.yaml"), path("etc/routes/20.yaml")).unwrap();
        symlink(path("srv/releases/5"), path("etc/routes/data")).unwrap();
        let text = format!(
            "routes: {0}/etc/routes\nstate: {0}/var/state\nkey_file: {0}/keys/key\nadmin: unix:{0}/run/a.sock\n",
            dir.display()
        );
        let mut config = crate::config::parse("w.yaml", &text).unwrap();
        config.file = Some(path("etc/waypost.yaml"));
        let found = named(&config, &path("bin/waypost"));
        let expected = [
            ("bin", Use::Run),
            ("etc", Use::Read),
            ("keys", Use::Read),
            ("run", Use::Write),
            ("srv/releases", Use::Read),
            ("srv/shared", Use::Read),
            ("var/state", Use::Write),
        ];
        let expected: Vec<_> = expected.map(|(name, uses)| (path(name).display().to_string(), uses)).into();
        assert_eq!(
            found.into_iter().filter(|(path, _)| path.starts_with(dir.to_str().unwrap())).collect::<Vec<_>>(),
            expected
        );
        assert!(path("var/state").is_dir(), "made, so that it can be allowed");
    }

    #[test]
    fn what_stands_at_the_root_does_not_allow_all() {
        let config = Config { routes: "/routes".into(), ..Config::default() };
        let found = named(&config, Path::new("/waypost"));
        assert!(found.iter().all(|(path, _)| path != "/"), "{found:?}");
        assert!(found.contains(&("/routes".to_owned(), Use::Read)), "{found:?}");
    }

    #[test]
    fn links_are_followed_up_to_a_limit() {
        let dir = tempfile::tempdir().unwrap();
        let routes = dir.path().join("routes");
        fs::create_dir(&routes).unwrap();
        for index in 0..SANDBOX_PLACES_MAX + 10 {
            let there = dir.path().join(format!("there/{index}"));
            fs::create_dir_all(&there).unwrap();
            fs::write(there.join("a.yaml"), "").unwrap();
            symlink(there.join("a.yaml"), routes.join(format!("{index}.yaml"))).unwrap();
        }
        let config = Config { routes, ..Config::default() };
        let mut places = Places::default();
        for link in (0..SANDBOX_PLACES_MAX + 10).map(|index| config.routes.join(format!("{index}.yaml"))) {
            places.around(&link, Use::Read, Leads::Elsewhere);
        }
        assert_eq!(places.named.len(), SANDBOX_PLACES_MAX);
        assert_eq!(links(&config.routes).len(), SANDBOX_PLACES_MAX);
    }
}
