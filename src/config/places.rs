//! Pure. Where each value of a YAML text stands, by its path: `listen[1].address` → line 4, column 14.
//!
//! In:    a YAML text that another reader took for good.
//! Out:   line and column, from 1; line 1 for a path that is not there (a value that was left out).
//! Never: judges; a text it cannot follow ends the map early.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser};

/// Places by path.
pub(super) struct Places(HashMap<String, (u32, u32)>);

impl Places {
    /// Line and column of the value at `path`.
    pub(super) fn find(&self, path: &str) -> (u32, u32) {
        self.0.get(path).copied().unwrap_or((1, 1))
    }
}

/// An open collection.
enum Open {
    Map { path: String, key: Option<String> },
    List { path: String, next: usize },
}

/// Maps a text.
pub(super) fn of(text: &str) -> Places {
    let mut places = HashMap::new();
    let mut open: Vec<Open> = Vec::new();
    for step in Parser::new_from_str(text) {
        let Ok((event, span)) = step else { break };
        let place = (number(span.start.line()), number(span.start.col().saturating_add(1)));
        match event {
            Event::Scalar(text, ..) => {
                if let Some(Open::Map { key: key @ None, .. }) = open.last_mut() {
                    *key = Some(text.into_owned());
                } else {
                    places.insert(value_path(&mut open), place);
                }
            }
            Event::MappingStart(..) => {
                let path = value_path(&mut open);
                places.insert(path.clone(), place);
                open.push(Open::Map { path, key: None });
            }
            Event::SequenceStart(..) => {
                let path = value_path(&mut open);
                places.insert(path.clone(), place);
                open.push(Open::List { path, next: 0 });
            }
            Event::Alias(_) => {
                places.insert(value_path(&mut open), place);
            }
            Event::MappingEnd | Event::SequenceEnd => {
                open.pop();
            }
            _ => {}
        }
    }
    Places(places)
}

/// The path of the value that begins now; the collection moves on to its next one.
fn value_path(open: &mut [Open]) -> String {
    match open.last_mut() {
        None => String::new(),
        Some(Open::Map { path, key }) => {
            let key = key.take().unwrap_or_default();
            if path.is_empty() { key } else { format!("{path}.{key}") }
        }
        Some(Open::List { path, next }) => {
            let here = format!("{path}[{next}]");
            *next += 1;
            here
        }
    }
}

fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_found_by_its_path() {
        let places =
            of("# top\nlisten:\n  - \"udp:a\"\n  - {name: edge, address: b}\ndns:\n  servers: [x, y]\n");
        for (path, place) in [
            ("listen", (3, 3)),
            ("listen[0]", (3, 5)),
            ("listen[1]", (4, 5)),
            ("listen[1].name", (4, 12)),
            ("listen[1].address", (4, 27)),
            ("dns.servers[0]", (6, 13)),
            ("dns.servers[1]", (6, 16)),
            ("not there", (1, 1)),
        ] {
            assert_eq!(places.find(path), place, "{path}");
        }
    }

    #[test]
    fn a_broken_text_ends_the_map_early() {
        assert_eq!(of("a: 1\nb: [").find("a"), (1, 4));
    }
}
