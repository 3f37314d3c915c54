//! Outside. The table to begin with, and what is done with each that follows: it is kept, and systemd shows it.
//!
//! In:    the loader, and where tables are kept.
//! Out:   a first table, a hook for the reload thread.
//! Never: serves what was kept without saying so.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use arc_swap::ArcSwap;

use super::Systemd;
use crate::{
    control::{
        ServeError,
        last_good::{KeepError, LastGood},
        loader::{Load, Loaded, Loader, Shown},
        reload::{AfterFn, Outcome, unix_s},
    },
    snapshot::Snapshot,
};

/// The table to begin with, and whether it is one that was kept.
pub(in crate::control) fn first_table(
    loader: &Loader,
    last_good: Option<&LastGood>,
    workers: usize,
) -> Result<(Snapshot, bool), ServeError> {
    let (loaded, is_kept) = match (loader.load(None), last_good) {
        (Ok(Load::New(loaded)), _) => (*loaded, false),
        (Ok(Load::Same), _) => {
            return Err(ServeError::Other("internal error: nothing was loaded; please report it".to_owned()));
        }
        (Err(error), None) => return Err(ServeError::Routes(error)),
        (Err(error), Some(last_good)) => match last_good.load() {
            Ok(loaded) => {
                let hash = loaded.hash.get(..12).unwrap_or(&loaded.hash);
                tracing::error!(
                    hash,
                    "the routes of {} give no table, the last known good ones are served until they do:\n{error}",
                    loader.dir().display()
                );
                (*loaded, true)
            }
            Err(refused) => {
                for refusal in refused {
                    tracing::error!("no last known good routes: {refusal}");
                }
                return Err(ServeError::Routes(error));
            }
        },
    };
    let Loaded { table, warnings, hash } = loaded;
    for diagnostic in &warnings {
        tracing::warn!("{}", Shown { dir: loader.dir(), diagnostic });
    }
    Ok((Snapshot::first(table, hash, unix_s(), workers), is_kept))
}

/// What is done with every table in service: it is kept, and systemd shows it.
pub(in crate::control) fn after_load(
    last_good: Option<LastGood>,
    loader: &Arc<Loader>,
    (table, is_kept): (&Arc<ArcSwap<Snapshot>>, bool),
    systemd: &Systemd,
    replaced: &Arc<AtomicBool>,
) -> AfterFn {
    let (loader, systemd, replaced) = (Arc::clone(loader), systemd.clone(), Arc::clone(replaced));
    let mut is_kept = is_kept;
    let serving = table.load();
    systemd.keep_status(line(&serving, is_kept, false));
    let table = Arc::clone(table);
    Box::new(move |report| {
        let failed = report.is_some_and(|report| report.result == Outcome::Failed);
        is_kept &= report.is_none() || failed;
        let serving = table.load_full();
        if report.is_some() {
            systemd.set_status(line(&serving, is_kept, failed));
        }
        let Some(last_good) = last_good.as_ref().filter(|_| !is_kept && !failed) else { return };
        if replaced.load(Ordering::Relaxed) {
            return;
        }
        match last_good.keep(&loader, &serving.hash) {
            Ok(_) => {}
            // The load of what they are now comes, and with it we are here again.
            Err(error @ KeepError::Changed) => tracing::debug!("the routes are not kept: {error}"),
            Err(error) => tracing::warn!("the routes are not kept for a start without: {error}"),
        }
    })
}

fn line(serving: &Snapshot, is_kept: bool, failed: bool) -> String {
    let trouble = match (is_kept, failed) {
        (true, _) => Some("the last known good ones: those of now give no table, see the log"),
        (false, true) => Some("the last reload failed, see the log"),
        (false, false) => None,
    };
    let trouble = trouble.map(|trouble| format!("; {trouble}")).unwrap_or_default();
    format!("generation {}, {} routes{trouble}", serving.generation, serving.table.routes.len())
}
