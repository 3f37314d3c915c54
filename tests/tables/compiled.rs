//! `waypost compile` and the files it makes.

use std::fs;

use super::{
    directory::{Directory, rows},
    run::waypost,
};

const EXACT: &str = "file: t.csv, match: exact, columns: [number, rn]";

fn compile(directory: &Directory, name: &str) -> super::run::Ran {
    let (dir, out) = (directory.path(""), directory.path(name));
    waypost(&["compile", dir.to_str().unwrap(), "t", "--out", out.to_str().unwrap()])
}

#[test]
fn a_compiled_table_is_the_table() {
    for (written, text) in [
        (EXACT, "+441632960100,+441632970000\n112,x\n*21,y\n".to_owned()),
        ("file: t.csv, match: prefix, columns: [from, until, x]", "+4416,+4418,a\n+4420,,b\n".to_owned()),
        (EXACT, (0..5_000).map(|number| format!("+4416{number:06},{}\n", number % 9)).collect()),
    ] {
        let directory = Directory::new(written, &[("t.csv", text.as_bytes())]);
        let (read, _) = directory.table().unwrap();
        let ran = compile(&directory, "t.wpt");
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
        let bytes = fs::metadata(directory.path("t.wpt")).unwrap().len();
        let head = format!("{}: {} rows, {bytes} bytes (", directory.path("t.wpt").display(), read.rows());
        assert!(ran.out.starts_with(&head), "{}", ran.out);
        directory.say("file: t.wpt");
        let (loaded, warnings) = directory.table().unwrap();
        assert_eq!((rows(&loaded), warnings.as_str()), (rows(&read), ""));
        assert!(loaded.image() == read.image());
        assert_eq!(loaded.shape(), read.shape());
        // Compiling what is compiled changes nothing.
        let before = fs::read(directory.path("t.wpt")).unwrap();
        assert_eq!(compile(&directory, "u.wpt").code, 0);
        assert!(fs::read(directory.path("u.wpt")).unwrap() == before);
        let left: Vec<_> =
            fs::read_dir(directory.path("")).unwrap().map(|it| it.unwrap().file_name()).collect();
        assert_eq!(left.len(), 4, "{left:?}");
    }
}

#[test]
fn changes_go_into_the_compiled_table() {
    let directory =
        Directory::new(&format!("{EXACT}, changes: [c.csv]"), &[("t.csv", b"1,a\n"), ("c.csv", b"+,2,b\n")]);
    assert_eq!(compile(&directory, "t.wpt").code, 0);
    directory.say("file: t.wpt");
    assert_eq!(rows(&directory.table().unwrap().0), ["1,a", "2,b"]);
    directory.say("file: t.wpt, changes: [c2.csv]");
    directory.write("c2.csv", b"-,1\n");
    assert_eq!(rows(&directory.table().unwrap().0), ["2,b"]);
}

#[test]
fn what_the_route_file_says_of_it_must_be_right() {
    let directory = Directory::new(EXACT, &[("t.csv", b"1,a\n")]);
    assert_eq!(compile(&directory, "t.wpt").code, 0);
    for (written, expected) in [
        ("file: t.wpt, match: exact, columns: [number, rn]", ""),
        (
            "file: t.wpt, match: prefix",
            "a.yaml:2:28: `t.wpt` was compiled with `match: exact`; write that, leave `match` out, or compile it again\n",
        ),
        (
            "file: t.wpt, columns: [number, cic]",
            "a.yaml:2:30: `t.wpt` was compiled with the columns `number`, `rn`; write these, leave `columns` out, or compile it again\n",
        ),
    ] {
        directory.say(written);
        assert_eq!(
            directory.table().map_or_else(|errors| errors, |(_, warnings)| warnings),
            expected,
            "{written}"
        );
    }
}

#[test]
fn a_torn_or_foreign_file_is_refused() {
    let text: String = (0..2_000).map(|number| format!("+4416{number:06},{}\n", number % 9)).collect();
    let directory = Directory::new(EXACT, &[("t.csv", text.as_bytes())]);
    assert_eq!(compile(&directory, "t.wpt").code, 0);
    let whole = fs::read(directory.path("t.wpt")).unwrap();
    directory.say("file: t.wpt");
    let mut tried = 0;
    for end in (0..whole.len()).step_by(64) {
        directory.write("t.wpt", &whole[..end]);
        let errors = directory.errors();
        assert!(errors.starts_with("a.yaml:2:14: `t.wpt` is not "), "{end} of {}: {errors}", whole.len());
        tried += 1;
    }
    assert!(tried > 20, "a table of {} bytes", whole.len());
    for flipped in (0..whole.len()).step_by(64) {
        let mut bytes = whole.clone();
        bytes[flipped] ^= 0x10;
        directory.write("t.wpt", &bytes);
        let errors = directory.errors();
        assert!(errors.starts_with("a.yaml:2:14: `t.wpt` is "), "byte {flipped}: {errors}");
    }
    directory.write("t.wpt", &whole[..whole.len() - 3]);
    let expected = format!(
        "a.yaml:2:14: cannot read `t.wpt`: has {} bytes, and a compiled table a multiple of 8: it is torn, or something else; \
         compile it again; paths are relative to the routes directory\n",
        whole.len() - 3
    );
    assert_eq!(directory.errors(), expected);
    directory.write("t.wpt", b"+441632960100,x\n");
    assert_eq!(directory.errors(), "a.yaml:2:14: `t.wpt` is not a table of waypost\n");
}

#[test]
fn what_cannot_be_compiled_leaves_the_old_file() {
    let directory = Directory::new(EXACT, &[("t.csv", b"1,a\n")]);
    assert_eq!(compile(&directory, "t.wpt").code, 0);
    let before = fs::read(directory.path("t.wpt")).unwrap();
    directory.write("t.csv", b"x,a\n");
    let ran = compile(&directory, "t.wpt");
    let place = format!("{}:1:1: error: `number` is `x`, which ", directory.path("t.csv").display());
    assert!(ran.code == 1 && ran.err.starts_with(&place), "{ran:?}");
    assert!(fs::read(directory.path("t.wpt")).unwrap() == before);

    let dir = directory.path("");
    let dir = dir.to_str().unwrap();
    let ran = waypost(&["compile", dir, "u", "--out", "u.wpt"]);
    assert!(
        ran.code == 1
            && ran
                .err
                .ends_with(": error: no table `u`; did you mean `t`? Defined under `tables:` are `t`\n"),
        "{ran:?}"
    );
    let ran = waypost(&["compile", dir, "t", "--out", "t.csv"]);
    assert!(ran.code == 2 && ran.err.contains("the name of a compiled table ends in .wpt"), "{ran:?}");
    directory.write("t.csv", b"1,a\n");
    let ran = waypost(&["compile", dir, "t", "--out", "/nowhere/t.wpt"]);
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (1, "error: cannot write /nowhere/t.wpt: No such file or directory (os error 2)\n")
    );
    let ran = waypost(&["compile", "/nowhere", "t", "--out", "t.wpt"]);
    assert!(ran.code == 1 && ran.err.starts_with("error: no routes directory /nowhere: "), "{ran:?}");
}
