//! Outside. Which path is answered by which resource.
//!
//! In:    requests.
//! Out:   the answer of the resource; for a wrong path those that there are, for a wrong method the right one.
//! Never: knows what a resource does, or lets one answer whom [`super::access`] does not let in.

use std::sync::Arc;

use axum::{
    Router,
    extract::MatchedPath,
    http::{Method, StatusCode, Uri},
    middleware,
    routing::get,
};

use super::{Admin, access, operations::OPERATIONS, page};

/// All paths.
pub(super) fn router(admin: Arc<Admin>) -> Router {
    let routes = OPERATIONS.iter().fold(Router::new(), |router, operation| {
        let router = router.route(operation.path, (operation.answers)());
        match operation.old_path {
            Some(path) => router.route(path, (operation.answers)()),
            None => router,
        }
    });
    // The page itself is an operation.
    let parts = page::FILES.iter().filter(|file| file.path != "/");
    let routes = parts.fold(routes, |router, file| router.route(file.path, get(page::answer)));
    routes
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
        .layer(middleware::from_fn_with_state(Arc::clone(&admin), access::guard))
        .with_state(admin)
}

async fn not_found() -> (StatusCode, String) {
    let width = OPERATIONS.iter().map(|operation| operation.path.len()).max().unwrap_or_default();
    let line = |operation: &super::operations::Operation| {
        let path = operation.old_path.unwrap_or(operation.path);
        format!("{:<4} {path:<width$} {}\n", operation.method, operation.summary)
    };
    (StatusCode::NOT_FOUND, OPERATIONS.iter().map(line).collect())
}

/// The router adds Allow.
async fn not_allowed(method: Method, uri: Uri, matched: MatchedPath) -> (StatusCode, String) {
    let (path, matched) = (uri.path(), matched.as_str());
    let is_of_it = |operation: &&super::operations::Operation| {
        operation.path == matched || operation.old_path == Some(matched)
    };
    let allowed: Vec<_> = OPERATIONS.iter().filter(is_of_it).map(|operation| operation.method).collect();
    (StatusCode::METHOD_NOT_ALLOWED, format!("{method} is not for {path}, use {}\n", allowed.join(" or ")))
}
