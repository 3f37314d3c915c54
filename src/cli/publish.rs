//! Outside. `publish`: a routes directory → what the servers of a fleet fetch.
//!
//! In:    a directory, where to, a serial, a key.
//! Out:   files and a manifest, or why not.
//! Never: publishes what `check` refuses.

use super::{
    Exit, adapters,
    args::PublishArgs,
    output::{self, counted},
};
use crate::control::{
    reload::unix_s,
    source::{
        keys::SigningKey,
        publish::{Publication, PublishError, Published, Stamp},
    },
};

/// Loads, writes, and says which serial it is.
pub(crate) fn run(args: &PublishArgs) -> Exit {
    match publish(args) {
        Ok((publication, published)) => {
            let warnings = adapters::found_from_here(&args.routes_dir, publication.warnings);
            output::diagnostics(&warnings);
            output::stdout(done(published).as_bytes());
            if warnings.is_empty() { Exit::Ok } else { Exit::Warnings }
        }
        Err(PublishError::Load(error)) => {
            output::diagnostics(&adapters::findings_of_load(&args.routes_dir, error));
            Exit::Refused
        }
        Err(error) => {
            output::stderr(&format!("error: {error}"));
            Exit::Refused
        }
    }
}

fn publish(args: &PublishArgs) -> Result<(Publication, Published), PublishError> {
    let key = args.sign_key.as_deref().map(SigningKey::read).transpose()?;
    let publication = Publication::prepare(&args.routes_dir)?;
    let stamp = Stamp { serial: args.serial, key: key.as_ref(), unix_s: unix_s() };
    let published = put(&publication, args, stamp)?;
    Ok((publication, published))
}

/// One of the two is given.
fn put(publication: &Publication, args: &PublishArgs, stamp: Stamp<'_>) -> Result<Published, PublishError> {
    #[cfg(feature = "nats")]
    if let Some(url) = &args.nats {
        let source = crate::config::Source {
            origin: crate::config::origin(url, args.insecure).map_err(PublishError::Where)?,
            every_s: crate::limits::SOURCE_EVERY_S_DEFAULT,
            signed_by: None,
            ca: args.ca.clone(),
            token_file: None,
            credentials: args.credentials.clone(),
            insecure: args.insecure,
        };
        return publication.into_nats(&source, stamp);
    }
    publication.into_directory(args.to.as_deref().unwrap_or_else(|| ".".as_ref()), stamp)
}

fn done(published: Published) -> String {
    let Published { serial, files, bytes, is_new } = published;
    let files = counted(files, "file", "files");
    if is_new {
        format!("serial {serial}: {files}, {bytes} bytes\n")
    } else {
        format!("serial {serial} is published already, with the same {files}\n")
    }
}
