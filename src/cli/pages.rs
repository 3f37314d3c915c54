//! Outside. What is generated of definitions: man page and completions of the command line, the JSON
//! Schema of the route language.

use std::io;

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;

use super::{Cli, Exit, output};
use crate::route::file;

/// Prints the JSON Schema of a route file.
pub(crate) fn schema() -> Exit {
    output::json(&file::schema());
    Exit::Ok
}

/// Prints the completions of a shell.
pub(crate) fn completions(shell: Shell) -> Exit {
    let mut page = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "waypost", &mut page);
    output::stdout(&page);
    Exit::Ok
}

/// Prints the man page, all commands on it.
pub(crate) fn man() -> Exit {
    match man_page() {
        Ok(page) => {
            output::stdout(&page);
            Exit::Ok
        }
        Err(error) => {
            output::stderr(&format!("error: the man page cannot be made: {error}"));
            Exit::Refused
        }
    }
}

fn man_page() -> io::Result<Vec<u8>> {
    let mut command = Cli::command();
    command.build();
    let mut page = Vec::new();
    let man = Man::new(command.clone()).manual("Waypost");
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    section(&mut page, "EXAMPLES AND EXIT CODES", &command);
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        render_command(&mut page, sub, &command)?;
    }
    man.render_version_section(&mut page)?;
    Ok(page)
}

/// The commands below one, in one list.
fn subcommands(command: &Command, before: &str) -> String {
    let mut list = String::new();
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        let words = format!("{before}{}", sub.get_name());
        let below = subcommands(sub, &format!("{words} "));
        if below.is_empty() {
            let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
            list.push_str(&format!(".TP\n\\fB{words}\\fR\n{about}\n"));
        } else {
            list.push_str(&below);
        }
    }
    list
}

/// One command as a section of the page; its own sections become subsections. The server's options
/// are not said again.
fn render_command(page: &mut Vec<u8>, command: &Command, root: &Command) -> io::Result<()> {
    let is_of_root = |arg: &clap::Arg| root.get_arguments().any(|known| known.get_id() == arg.get_id());
    let own = command
        .clone()
        .mut_args(|arg| if arg.is_global_set() && is_of_root(&arg) { arg.hide(true) } else { arg });
    let name =
        command.get_display_name().unwrap_or_else(|| command.get_name()).replace('-', " ").to_uppercase();
    page.extend(format!(".SH \"{name}\"\n").as_bytes());
    let man = Man::new(own.clone());
    let mut sections = Vec::new();
    man.render_description_section(&mut sections)?;
    man.render_synopsis_section(&mut sections)?;
    if own.get_arguments().any(|arg| !arg.is_hide_set()) {
        man.render_options_section(&mut sections)?;
    }
    let words = subcommands(&own, "");
    if !words.is_empty() {
        // The library's own section names pages that there are not.
        sections.extend(format!(".SH COMMANDS\n{words}").as_bytes());
    }
    for line in String::from_utf8_lossy(&sections).lines() {
        match line.strip_prefix(".SH ") {
            // The text under the name of the command needs no heading.
            Some("DESCRIPTION") => {}
            Some(heading) => page.extend(format!(".SS {heading}\n").as_bytes()),
            None => page.extend(format!("{line}\n").as_bytes()),
        }
    }
    let mut examples = Vec::new();
    section(&mut examples, "", &own);
    let examples = String::from_utf8_lossy(&examples).replacen(".SH \"\"", ".SS EXAMPLES AND EXIT CODES", 1);
    page.extend(examples.as_bytes());
    Ok(())
}

/// What stands after the options, set as it is written.
fn section(page: &mut Vec<u8>, heading: &str, command: &Command) {
    let Some(text) = command.get_after_help() else { return };
    page.extend(format!(".SH \"{heading}\"\n.nf\n").as_bytes());
    for line in text.to_string().lines() {
        // A line that begins with a dot or quote would be a request, a backslash an escape, and a
        // hyphen would be set as a dash that no shell takes.
        let line = line.replace('\\', "\\e").replace('-', "\\-");
        let guard = if line.starts_with(['.', '\'']) { "\\&" } else { "" };
        page.extend(format!("{guard}{line}\n").as_bytes());
    }
    page.extend(b".fi\n");
}
