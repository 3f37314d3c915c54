//! Outside. `check`: reads configuration and routes as the server does, and says what is wrong.
//!
//! Never: binds a port, or needs a running server.

use serde_json::json;

use super::{
    Exit,
    adapters::{self, Routes},
    args::{CheckArgs, Global},
    output::{self, counted},
};
use crate::route::file::{Diagnostic, Severity};

/// Checks everything that `serve` with the same flags would read.
pub(crate) fn run(global: &Global, args: &CheckArgs) -> Exit {
    let (routes, findings) =
        match adapters::load_config(global).and_then(|config| adapters::load_routes(&config.routes)) {
            Ok(mut routes) => {
                let warnings = std::mem::take(&mut routes.warnings);
                (Some(routes), warnings)
            }
            Err(findings) => (None, findings),
        };
    let exit = exit(routes.is_some(), &findings, args.strict);
    if args.json {
        output::json(&json!(findings));
    } else {
        output::diagnostics(&findings);
        output::stdout(
            format!("routes: {}{}\n", contents(routes.as_ref()), verdict(&findings, exit)).as_bytes(),
        );
    }
    exit
}

fn exit(loaded: bool, findings: &[Diagnostic], strict: bool) -> Exit {
    match (loaded, findings.is_empty()) {
        (true, true) => Exit::Ok,
        (true, false) if !strict => Exit::Warnings,
        _ => Exit::Refused,
    }
}

fn contents(routes: Option<&Routes>) -> String {
    let Some(Routes { table, files, .. }) = routes else { return String::new() };
    let entries = table.tables.iter().map(|table| table.len()).sum();
    format!(
        "{} in {}, {}, {} with {}; ",
        counted(table.routes.len(), "route", "routes"),
        counted(*files, "file", "files"),
        counted(table.gateways.len(), "gateway", "gateways"),
        counted(table.tables.len(), "table", "tables"),
        counted(entries, "entry", "entries"),
    )
}

fn verdict(findings: &[Diagnostic], exit: Exit) -> String {
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let errors = (errors > 0).then(|| counted(errors, "error", "errors"));
    let warnings = (warnings > 0).then(|| counted(warnings, "warning", "warnings"));
    let mut words: Vec<String> = errors.into_iter().chain(warnings).collect();
    words.push(if exit == Exit::Refused { "refused" } else { "ok" }.to_owned());
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(severity: Severity) -> Diagnostic {
        Diagnostic { file: "a".to_owned(), line: 1, column: 1, severity, message: String::new() }
    }

    #[test]
    fn the_exit_code_tells_errors_warnings_and_strictness() {
        let (error, warning) = (finding(Severity::Error), finding(Severity::Warning));
        for (loaded, findings, strict, code, words) in [
            (true, vec![], false, Exit::Ok, "ok"),
            (true, vec![], true, Exit::Ok, "ok"),
            (true, vec![warning.clone()], false, Exit::Warnings, "1 warning, ok"),
            (true, vec![warning.clone()], true, Exit::Refused, "1 warning, refused"),
            (false, vec![error.clone()], false, Exit::Refused, "1 error, refused"),
            (
                false,
                vec![error.clone(), error, warning],
                false,
                Exit::Refused,
                "2 errors, 1 warning, refused",
            ),
        ] {
            let exit = exit(loaded, &findings, strict);
            assert_eq!((exit, verdict(&findings, exit).as_str()), (code, words));
        }
    }
}
