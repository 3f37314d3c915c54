//! Outside. `GET` and `POST /api/v1/log/level`: which lines are logged.
//!
//! In:    nothing, or the level that is to hold until the server ends.
//! Out:   the level, and that of the configuration.
//! Never: writes the configuration.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::Response,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Admin,
    answer::{Problem, asked, told},
};
use crate::config::LogLevel;

/// The level.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct LogLevelTold {
    level: Level,
    /// What the configuration says: it holds again after a start.
    configured: Level,
}

/// The level that is wanted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LogLevelAsked {
    level: Level,
}

/// The least urgent lines that are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "LogLevel")]
enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

pub(super) async fn get(State(admin): State<Arc<Admin>>) -> Response {
    told(Ok(LogLevelTold::of(&admin)))
}

pub(super) async fn set(State(admin): State<Arc<Admin>>, request: Request) -> Response {
    told(asked::<LogLevelAsked>(request).await.and_then(|asked| {
        if !admin.log.set(asked.level.into()) {
            return Err((StatusCode::SERVICE_UNAVAILABLE, Problem::of("nobody logs any more")));
        }
        Ok(LogLevelTold::of(&admin))
    }))
}

impl LogLevelTold {
    fn of(admin: &Admin) -> Self {
        Self { level: admin.log.now().into(), configured: admin.log.configured().into() }
    }
}

impl From<Level> for LogLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Error => Self::Error,
            Level::Warn => Self::Warn,
            Level::Info => Self::Info,
            Level::Debug => Self::Debug,
            Level::Trace => Self::Trace,
        }
    }
}

impl From<LogLevel> for Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::Error,
            LogLevel::Warn => Self::Warn,
            LogLevel::Info => Self::Info,
            LogLevel::Debug => Self::Debug,
            LogLevel::Trace => Self::Trace,
        }
    }
}
