//! Outside. `GET /`: the operator's page, and the files that it is made of.
//!
//! In:    a request of a browser.
//! Out:   HTML, a style sheet, JavaScript modules, as they stand beside this file.
//! Never: puts anything of the server's into them: they hold no secret, and the page asks the API for all that it
//! shows. So they may be had before there is a token to show.

use std::sync::LazyLock;

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use sha2::{Digest as _, Sha256};

/// A file of the page.
#[derive(Debug)]
pub(super) struct File {
    pub(super) path: &'static str,
    media_type: &'static str,
    text: &'static str,
}

const fn script(path: &'static str, text: &'static str) -> File {
    File { path, media_type: "text/javascript; charset=utf-8", text }
}

/// All of them. The first is the page itself.
pub(super) const FILES: [File; 12] = [
    File { path: "/", media_type: "text/html; charset=utf-8", text: include_str!("index.html") },
    File { path: "/page/page.css", media_type: "text/css; charset=utf-8", text: include_str!("page.css") },
    script("/page/main.js", include_str!("main.js")),
    script("/page/api.js", include_str!("api.js")),
    script("/page/dom.js", include_str!("dom.js")),
    script("/page/poll.js", include_str!("poll.js")),
    script("/page/plot.js", include_str!("plot.js")),
    script("/page/status.js", include_str!("status.js")),
    script("/page/explain.js", include_str!("explain.js")),
    script("/page/routes.js", include_str!("routes.js")),
    script("/page/lists.js", include_str!("lists.js")),
    script("/page/orders.js", include_str!("orders.js")),
];

/// Nothing from elsewhere, nothing written into the page, in nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    // Kept, but asked for again each time: the files of two versions must not meet.
    (header::CACHE_CONTROL, "no-cache"),
];

/// One for all files: they change together.
static ETAG: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    FILES.iter().for_each(|file| hash.update(file.text));
    let digits: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{digits}\"")
});

/// Whether this is the path of a file of the page.
pub(super) fn has(path: &str) -> bool {
    FILES.iter().any(|file| file.path == path)
}

pub(super) async fn answer(uri: Uri, headers: HeaderMap) -> Response {
    let Some(file) = FILES.iter().find(|file| file.path == uri.path()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut response = if is_known(&headers) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, file.media_type)], file.text).into_response()
    };
    let own = HEADERS.map(|(name, value)| (name, HeaderValue::from_static(value)));
    response.headers_mut().extend(own);
    if let Ok(etag) = HeaderValue::from_str(&ETAG) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    response
}

/// RFC 9110 §13.1.2: a list of tags, weak ones too, or `*`.
fn is_known(headers: &HeaderMap) -> bool {
    let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|tags| tags.to_str().ok());
    known.flat_map(|tags| tags.split(',')).any(|tag| {
        let tag = tag.trim();
        tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == *ETAG
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every quoted path below `/page/` in these files, and every module imported.
    fn named() -> Vec<String> {
        let quoted = |file: &'static File| file.text.split(['"', '\'']);
        let whole = |path: &str| match path.strip_prefix("./") {
            Some(name) => Some(format!("/page/{name}")),
            None => path.starts_with("/page/").then(|| path.to_owned()),
        };
        FILES.iter().flat_map(quoted).filter_map(whole).collect()
    }

    #[test]
    fn the_page_is_made_of_what_is_served_and_nothing_else_is_served() {
        let named = named();
        assert!(named.len() >= FILES.len());
        for name in &named {
            assert!(has(name), "{name} is named and not served");
        }
        for file in FILES.iter().skip(1) {
            assert!(named.iter().any(|name| name == file.path), "{} is served and not named", file.path);
        }
    }

    #[test]
    fn nothing_is_fetched_from_elsewhere_and_nothing_is_written_into_the_page() {
        for file in &FILES {
            for elsewhere in [
                "http://",
                "https://",
                "//cdn",
                "@import",
                "url(",
                "eval(",
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "localStorage",
                "document.cookie",
            ] {
                // The namespace of SVG is a name, not a place.
                let text = file.text.replace("http://www.w3.org/2000/svg", "");
                assert!(!text.contains(elsewhere), "{} has {elsewhere}", file.path);
            }
        }
        let page = FILES[0].text;
        for inline in ["<style", " style=", "<script>", " onclick=", " onload=", " onsubmit=", "javascript:"]
        {
            assert!(!page.contains(inline), "the page has {inline}");
        }
    }

    #[test]
    fn a_file_that_is_known_is_not_sent_again() {
        let known = |tags: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, tags.parse().unwrap());
            is_known(&headers)
        };
        let ours = ETAG.as_str();
        for tags in ["*", ours, &format!("W/{ours}"), &format!("\"other\", {ours}")] {
            assert!(known(tags), "{tags}");
        }
        assert!(!known("\"other\"") && !known("") && !is_known(&HeaderMap::new()));
    }
}
