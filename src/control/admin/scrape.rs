//! Outside. `GET /metrics`.
//!
//! In:    a scrape.
//! Out:   the text that Prometheus reads.
//! Never: holds the control thread up.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{super::metrics::MEDIA_TYPE, Admin};

/// Rendered on a thread beside: it reads megabytes of /proc, and DNS answers would wait meanwhile.
pub(super) async fn answer(State(admin): State<Arc<Admin>>) -> Response {
    let rendered = match Arc::clone(&admin.rooms.scrapes).acquire_owned().await {
        Ok(place) => tokio::task::spawn_blocking(move || {
            // Held to the end of the work, should the caller go before it.
            let _place = place;
            admin.metrics.render().map_err(|error| error.to_string())
        })
        .await
        .unwrap_or_else(|error| Err(error.to_string())),
        Err(error) => Err(error.to_string()),
    };
    match rendered {
        Ok(text) => ([(header::CONTENT_TYPE, MEDIA_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("metrics: {error}\n")).into_response(),
    }
}
