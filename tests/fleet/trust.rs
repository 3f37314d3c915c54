//! Whom a node believes, and that it does not go back.

use std::fs;

use waypost::control::source::{Outcome, SourceError};

use crate::{
    fetching::publish_by_hand,
    node::{Publisher, Settings, refuse_with},
    web::{Script, Web},
};

#[test]
fn with_a_key_only_what_it_signed_is_taken() {
    let (publisher, web, dir) = (Publisher::new(), Web::start(), tempfile::tempdir().unwrap());
    let (private, public) = publisher.make_key("publisher");
    let (stranger, _) = publisher.make_key("stranger");
    let routes = dir.path().join("routes");
    let settings =
        Settings::new(&routes, &web.url("manifest.json")).with(&format!("signed_by: {}", public.display()));
    let publish = |serial, code, key| {
        publisher.write("routes.yaml", &refuse_with(code));
        publisher.publish_as(Some(serial), key);
        web.set_directory(&publisher.path("out"));
    };
    publish(1, 480, None);
    assert_eq!(settings.refusal(), SourceError::Unsigned);
    publish(2, 480, Some(&*stranger));
    assert_eq!(settings.refusal(), SourceError::WrongSignature);
    assert!(!routes.exists() && web.files_asked() == 0, "nothing is fetched for a stranger");
    publish(3, 480, Some(&*private));
    let node = settings.started();
    assert_eq!(node.status.numbers().serial, 3);
    let hash = node.hash();
    // One byte of what was signed, and the signature of something else.
    publish(4, 403, Some(&*private));
    let signed = fs::read_to_string(publisher.path("out/manifest.json")).unwrap();
    for (from, to) in [("\"serial\":4", "\"serial\":5"), ("\"signature\":\"", "\"signature\":\"0")] {
        let forged = signed.replacen(from, to, 1);
        assert_ne!(forged, signed);
        web.set("manifest.json", Script::Bytes(forged.into_bytes()));
        node.await_another(Outcome::BadSignature);
        assert_eq!((node.hash(), node.status.numbers().serial), (hash.clone(), 3));
    }
    web.set("manifest.json", Script::Bytes(signed.into_bytes()));
    node.await_serial(4);
}

#[test]
fn a_serial_never_goes_back() {
    let (publisher, web, dir) = (Publisher::new(), Web::start(), tempfile::tempdir().unwrap());
    let settings = Settings::new(&dir.path().join("routes"), &web.url("manifest.json"));
    publisher.write("routes.yaml", &refuse_with(480));
    publisher.publish(7);
    let old = fs::read(publisher.path("out/manifest.json")).unwrap();
    publisher.write("routes.yaml", &refuse_with(403));
    web.set_directory(&publisher.publish(8));
    let mut node = settings.started();
    let hash = node.hash();
    for round in 0..2 {
        web.set("manifest.json", Script::Bytes(old.clone()));
        node.await_another(Outcome::OldSerial);
        publish_by_hand(&web, 8, "routes.yaml", refuse_with(404).as_bytes());
        node.await_another(Outcome::OldSerial);
        assert_eq!((node.hash(), node.status.numbers().serial), (hash.clone(), 8));
        if round == 0 {
            // Nor after a restart.
            drop(node);
            node = settings.started();
        }
    }
}

#[test]
fn paths_that_leave_the_directory_are_refused_as_a_whole() {
    let (web, dir) = (Web::start(), tempfile::tempdir().unwrap());
    let settings = Settings::new(&dir.path().join("routes"), &web.url("manifest.json"));
    for path in ["../escaped.yaml", "/tmp/escaped.yaml", "a/../../escaped.yaml", ".hidden.yaml"] {
        let text = format!(
            r#"{{"manifest":{{"format":1,"serial":1,"files":[{{"path":"{path}","bytes":1,"sha256":"{}"}}]}}}}"#,
            "0".repeat(64)
        );
        web.set("manifest.json", Script::Bytes(text.into_bytes()));
        assert_eq!(settings.refusal(), SourceError::BadPath(path.to_owned()));
    }
    assert_eq!(web.files_asked(), 0);
    assert!(!dir.path().join("escaped.yaml").exists());
}

#[test]
fn files_of_the_operator_are_not_touched() {
    let (web, dir) = (Web::start(), tempfile::tempdir().unwrap());
    let routes = dir.path().join("routes");
    fs::create_dir(&routes).unwrap();
    fs::write(routes.join("mine.yaml"), "mine").unwrap();
    let settings = Settings::new(&routes, &web.url("manifest.json"));
    assert_eq!(settings.fetcher().unwrap_err(), SourceError::NotOurs(routes.clone()));
    assert_eq!(fs::read_to_string(routes.join("mine.yaml")).unwrap(), "mine");
}

#[test]
fn a_token_is_sent_and_read_again_each_time() {
    let (publisher, web, dir) = (Publisher::new(), Web::start(), tempfile::tempdir().unwrap());
    publisher.write("routes.yaml", &refuse_with(480));
    web.set_directory(&publisher.publish(1));
    let token = dir.path().join("token");
    fs::write(&token, "first\n").unwrap();
    let settings = Settings::new(&dir.path().join("routes"), &web.url("manifest.json"))
        .with(&format!("token_file: {}", token.display()));
    let node = settings.started();
    let sent = || web.asked().into_iter().filter_map(|asked| asked.authorization).collect::<Vec<_>>();
    let first = sent();
    assert!(first.len() >= 2 && first.iter().all(|sent| sent == "Bearer first"), "{first:?}");
    fs::write(&token, "second\n").unwrap();
    node.await_another(Outcome::Unchanged);
    node.await_another(Outcome::Unchanged);
    assert_eq!(sent().last().map(String::as_str), Some("Bearer second"));
}
