//! Outside. What `--help` teaches after the options: examples and exit codes. A test runs every example
//! through the parser.

pub(crate) const WAYPOST: &str = "\
Examples:
  waypost                                     serve ./routes on 127.0.0.1:5060
  waypost check                               are the route files right?
  waypost explain +442079460123               which route answers this number, and why?
  waypost ask sip:+442079460123@127.0.0.1     send a real INVITE, show the 3xx

Exit codes:
  0  done            3  check: warnings only (1 with --strict)
  1  refused: the configuration or a route file is wrong, or a port is taken
  2  wrong usage     4  ask: no answer
  5  explain: no route answered; ask: an answer that is not a redirect";

pub(crate) const SERVE: &str = "\
Examples:
  waypost serve
  waypost serve --config /etc/waypost/waypost.yaml
  waypost serve --routes ./routes --listen udp:0.0.0.0:5060 --listen udp:[::]:5060
  waypost serve --listen core=udp:10.0.0.1:5060 --admin off --log-format json

While it runs:
  kill -HUP PID, POST /-/reload on the admin port, or a change in the routes directory reloads the
  routes; a wrong file leaves the old routes in service. TERM or INT ends it.

Exit codes:
  0  ended when told to
  1  the configuration or a route file is wrong, or a port is taken
  2  wrong usage";

pub(crate) const CHECK: &str = "\
Examples:
  waypost check
  waypost check --routes /etc/waypost/routes --strict
  waypost check --config /etc/waypost/waypost.yaml --json

Findings go to stderr as FILE:LINE:COLUMN: error|warning: MESSAGE, the summary to stdout.
With --json, stdout has an array of {file, line, column, severity, message} and nothing else.

Exit codes:
  0  right           3  warnings only
  1  errors, or warnings with --strict; a server would refuse these files
  2  wrong usage";

pub(crate) const EXPLAIN: &str = "\
Examples:
  waypost explain +442079460123
  waypost explain 'sip:+442079460123@example.com;transport=tcp' --from 198.51.100.7
  waypost explain 999 --caller +441632960123 --at 2026-12-24T10:00:00Z
  waypost explain +442079460123 --header 'X-Trunk: gold' --json
  waypost explain --raw invite.sip

A bare number stands for sip:NUMBER@localhost. A request in a file ends its lines with CR LF and
has an empty line before its body.

Exit codes:
  0  a route answered
  1  the configuration or a route file is wrong
  2  wrong usage
  5  no route answered: the default refusal, or refused or passed over before any route";

pub(crate) const ASK: &str = "\
Examples:
  waypost ask sip:+442079460123@127.0.0.1:5060
  waypost ask sip:+442079460123@example.com --to 127.0.0.1:5060 --verbose
  waypost ask +442079460123@127.0.0.1 --caller +441632960123
  waypost ask sip:999@[::1]:5060 --timeout 500ms --count 10 --json

The INVITE is sent again after 500 ms, then after twice as long each time, as RFC 3261 asks of
clients.

Exit codes:
  0  a redirect (3xx)
  2  wrong usage
  4  no answer in time, nothing listens there, or the host name has no address
  5  another answer (2xx, 4xx, 5xx, 6xx)";

pub(crate) const SCHEMA: &str = "\
Examples:
  waypost schema > routes.schema.json

Then, as the first line of a route file, for editors with the YAML language server:
  # yaml-language-server: $schema=../routes.schema.json

Exit codes:
  0  done            2  wrong usage";

pub(crate) const COMPLETIONS: &str = "\
Examples:
  waypost completions bash > /etc/bash_completion.d/waypost
  waypost completions zsh > ~/.zfunc/_waypost
  waypost completions fish > ~/.config/fish/completions/waypost.fish

Exit codes:
  0  done            2  wrong usage";

pub(crate) const MAN: &str = "\
Examples:
  waypost man > /usr/local/share/man/man1/waypost.1
  waypost man | man -l -

Exit codes:
  0  done            2  wrong usage";

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn every_example_is_a_command_line_that_parses() {
        let pages = [WAYPOST, SERVE, CHECK, EXPLAIN, ASK, SCHEMA, COMPLETIONS, MAN];
        let mut seen = 0;
        for page in pages {
            for line in page.lines().filter(|line| line.starts_with("  waypost")) {
                let words = words(line);
                if let Err(error) = Cli::try_parse_from(&words) {
                    panic!("{line}\n{error}");
                }
                seen += 1;
            }
        }
        assert_eq!(seen, 26);
    }

    #[test]
    fn every_page_has_examples_and_exit_codes() {
        for page in [WAYPOST, SERVE, CHECK, EXPLAIN, ASK, SCHEMA, COMPLETIONS, MAN] {
            assert!(page.starts_with("Examples:\n"), "{page}");
            assert!(page.contains("\nExit codes:\n"), "{page}");
            assert!(page.lines().all(|line| line.len() <= 100), "{page}");
        }
    }

    /// The words of a line as a shell makes them, up to a redirection, a pipe or the gap before a remark.
    fn words(line: &str) -> Vec<String> {
        let line = line.trim_start();
        let line = line.split("   ").next().unwrap_or(line);
        let line = line.split(['>', '|']).next().unwrap_or(line);
        let mut words = Vec::new();
        for (index, piece) in line.split('\'').enumerate() {
            if index % 2 == 1 {
                words.push(piece.to_owned());
            } else {
                words.extend(piece.split_whitespace().map(str::to_owned));
            }
        }
        words
    }
}
