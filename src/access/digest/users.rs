//! Pure. Users and the hashes of their secrets.
//!
//! A file has one in each line, `user:realm:ALGORITHM:HA1`, where HA1 is the hash of `user:realm:password` in
//! hexadecimal: what `htdigest` writes, and the algorithm. Lines of other realms are passed over; one that begins
//! with `#` is a remark.

use super::{super::networks::Fault, Algorithm, credentials::unquoted};
use crate::limits::{ACCESS_FAULTS_MAX, USERS_MAX};

/// The users of one realm, by name.
#[derive(Default)]
pub struct Users {
    by_name: Vec<User>,
}

struct User {
    name: Box<[u8]>,
    algorithm: Algorithm,
    secret: Box<[u8]>,
    /// Where it stands.
    line: u32,
}

/// Secrets are never shown.
impl std::fmt::Debug for Users {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Users").field("count", &self.by_name.len()).finish_non_exhaustive()
    }
}

impl Users {
    /// Secrets that are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether nobody is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// The hashed secret of a user; escapes may be in the name.
    pub(super) fn secret(&self, name: &[u8], algorithm: Algorithm) -> Option<&[u8]> {
        let found = self.by_name.binary_search_by(|user| {
            user.name.iter().copied().cmp(unquoted(name)).then(user.algorithm.cmp(&algorithm))
        });
        found.ok().and_then(|at| self.by_name.get(at)).map(|user| &*user.secret)
    }
}

/// The users of this realm in a file, or what is wrong with its first bad lines.
pub fn read_users(text: &[u8], realm: &str) -> Result<Users, Vec<Fault>> {
    let (mut users, mut faults) = (Vec::new(), Vec::new());
    for (line, number) in text.split(|&byte| byte == b'\n').zip(1_u32..) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let mut fault = |column: usize, message: &str| {
            let column = u32::try_from(column).unwrap_or(u32::MAX).saturating_add(1);
            faults.push(Fault { line: number, column, message: message.to_owned() });
        };
        match user(line) {
            Err((column, message)) => fault(column, message),
            Ok(_) if users.len() >= USERS_MAX => {
                fault(0, &format!("one user too many; expected at most {USERS_MAX}"));
                break;
            }
            Ok((user, of)) if of == realm.as_bytes() => users.push(User { line: number, ..user }),
            Ok(_) => {}
        }
        if faults.len() >= ACCESS_FAULTS_MAX {
            break;
        }
    }
    users.sort_by(|one: &User, other| (&one.name, one.algorithm).cmp(&(&other.name, other.algorithm)));
    for pair in users.windows(2) {
        if let [one, other] = pair
            && (&one.name, one.algorithm) == (&other.name, other.algorithm)
            && faults.len() < ACCESS_FAULTS_MAX
        {
            let message = format!("this user has a secret for {} already", other.algorithm.name());
            faults.push(Fault { line: other.line, column: 1, message });
        }
    }
    if faults.is_empty() { Ok(Users { by_name: users }) } else { Err(faults) }
}

/// The user of a line and its realm. Messages show nothing of it: it may be a password.
fn user(line: &[u8]) -> Result<(User, &[u8]), (usize, &'static str)> {
    let mut parts = line.split(|&byte| byte == b':');
    let (Some(name), Some(realm), Some(algorithm), Some(secret), None) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err((0, "a user needs four parts, `user:realm:ALGORITHM:HA1`, with colons between them"));
    };
    if name.is_empty() {
        return Err((0, "a user without a name"));
    }
    let at = name.len() + realm.len() + 2;
    let Some(algorithm) = Algorithm::ALL.into_iter().find(|known| known.name().as_bytes() == algorithm)
    else {
        return Err((at, "expected the algorithm `SHA-256` or `MD5` here"));
    };
    let at = at + algorithm.name().len() + 1;
    if secret.len() != algorithm.digits() || !secret.iter().all(u8::is_ascii_hexdigit) {
        return Err((
            at,
            "expected the hash of `user:realm:password` here: 64 hexadecimal digits of SHA-256, 32 of MD5 \
             (printf '%s' 'user:realm:password' | sha256sum)",
        ));
    }
    let secret = secret.to_ascii_lowercase().into();
    Ok((User { name: name.into(), algorithm, secret, line: 0 }, realm))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, realm: &str, algorithm: Algorithm, digit: &str) -> String {
        format!("{name}:{realm}:{}:{}\n", algorithm.name(), digit.repeat(algorithm.digits()))
    }

    #[test]
    fn users_are_found_by_name_and_algorithm() {
        let text = [
            "# users\n\n".to_owned(),
            line("bob", "r", Algorithm::Md5, "a"),
            line("alice", "r", Algorithm::Sha256, "B"),
            line("alice", "r", Algorithm::Md5, "c"),
            line("alice", "other", Algorithm::Md5, "d"),
            line("a\"b", "r", Algorithm::Md5, "e").replace('\n', "\r\n"),
        ]
        .concat();
        let users = read_users(text.as_bytes(), "r").expect("users");
        assert_eq!(users.len(), 4);
        let first =
            |name: &[u8], algorithm| users.secret(name, algorithm).map(|secret| (secret[0], secret.len()));
        assert_eq!(first(b"alice", Algorithm::Sha256), Some((b'b', 64)));
        assert_eq!(first(b"alice", Algorithm::Md5), Some((b'c', 32)));
        assert_eq!(first(b"bob", Algorithm::Md5), Some((b'a', 32)));
        assert_eq!(first(b"bob", Algorithm::Sha256), None);
        assert_eq!(first(b"a\\\"b", Algorithm::Md5), Some((b'e', 32)));
        assert_eq!(first(b"Alice", Algorithm::Md5), None);
        assert_eq!(format!("{users:?}"), "Users { count: 4, .. }");
    }

    #[test]
    fn a_bad_line_is_told_without_its_secret() {
        let text = "alice:secret\n:r:MD5:00\nalice:r:SHA1:00\nalice:r:MD5:hunter2\n";
        let text = [text, &line("a", "r", Algorithm::Md5, "0").repeat(2)].concat();
        let faults = read_users(text.as_bytes(), "r").expect_err("faults");
        let places: Vec<_> = faults.iter().map(|it| (it.line, it.column)).collect();
        assert_eq!(places, [(1, 1), (2, 1), (3, 9), (4, 13), (6, 1)]);
        assert!(faults.iter().all(|it| !it.message.contains("secret\n") && !it.message.contains("hunter2")));
        assert_eq!(faults[4].message, "this user has a secret for MD5 already");
    }

    #[test]
    fn one_user_too_many_is_an_error() {
        let text =
            |count| (0..count).map(|n| line(&n.to_string(), "r", Algorithm::Md5, "0")).collect::<String>();
        assert_eq!(read_users(text(USERS_MAX).as_bytes(), "r").expect("users").len(), USERS_MAX);
        let faults = read_users(text(USERS_MAX + 1).as_bytes(), "r").expect_err("one too many");
        assert_eq!((faults.len(), faults[0].line as usize), (1, USERS_MAX + 1));
    }
}
