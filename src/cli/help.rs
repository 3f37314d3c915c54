//! Outside. What `--help` teaches after the options: examples and exit codes. A test runs every example
//! through the parser.

pub(crate) const WAYPOST: &str = "\
Examples:
  waypost                                     serve ./routes on 127.0.0.1:5060
  waypost check                               are the route files right?
  waypost explain +442079460123               which route answers this number, and why?
  waypost diff old new --calls numbers.txt    which calls would new routes answer differently?
  waypost ask sip:+442079460123@127.0.0.1     send a real INVITE, show the 3xx
  waypost enum +442079460123                  what does ENUM say, record by record?
  waypost locate sip:example.com              which servers has a domain?
  waypost ctl status                          how is the server that runs?

Exit codes:
  0  done            3  check, compile, publish: warnings only (check --strict: 1)
  1  refused: the configuration or a route file is wrong, or a port is taken; diff: calls differ;
     ctl: the server refuses
  2  wrong usage     4  ask, enum, locate: no answer; ctl, explain --live: no server to ask
  5  explain: no route answered; ask: an answer that is not a redirect; enum, locate: nothing there";

pub(crate) const SERVE: &str = "\
Examples:
  waypost serve
  waypost serve --config /etc/waypost/waypost.yaml
  waypost serve --routes ./routes --listen udp:0.0.0.0:5060 --listen udp:[::]:5060
  waypost serve --listen core=udp:10.0.0.1:5060 --admin off --log-format json

While it runs:
  kill -HUP PID, POST /-/reload on the admin port, or a change in the routes directory reloads the
  routes; a wrong file leaves the old routes in service. TERM or INT ends it: probes are told
  503, calls are answered for the lame-duck time (stop.lame_duck_s) or until a second signal. USR2
  starts the program again, after an upgrade, and leaves the sockets to it: no call is lost.

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

pub(crate) const COMPILE: &str = "\
Examples:
  waypost compile routes ported --out routes/data/ported.wpt
  waypost compile /etc/waypost/routes rates --out /etc/waypost/routes/data/rates.wpt

The file has a checksum and a version: one that is torn, of something else, or of another version of
waypost is refused, and the routes in service stay.

Exit codes:
  0  written         3  written, with warnings
  1  refused: a route file or a row is wrong, or the file cannot be written
  2  wrong usage";

pub(crate) const PUBLISH: &str = "\
Examples:
  waypost publish routes --to /srv/www/waypost
  waypost publish routes --to /srv/www/waypost --sign-key publisher.pem
  waypost publish /etc/waypost/routes --to out --serial 42

Keys, of which the public one goes to the servers (source: {signed_by: publisher.pub.pem}):
  openssl genpkey -algorithm ed25519 -out publisher.pem
  openssl pkey -in publisher.pem -pubout -out publisher.pub.pem

Files that neither the new manifest nor the one before it names are removed from the directory. Where it
is copied to an object store, copy files/ first and manifest.json after it.

Exit codes:
  0  published, or the same is published already
  1  refused: a route file is wrong, the serial is not higher, or a file cannot be written
  2  wrong usage
  3  published, with warnings";

pub(crate) const EXPLAIN: &str = "\
Examples:
  waypost explain +442079460123
  waypost explain 'sip:+442079460123@example.com;transport=tcp' --from 198.51.100.7
  waypost explain 999 --caller +441632960123 --at 2026-12-24T10:00:00Z
  waypost explain +442079460123 --header 'X-Trunk: gold' --json
  waypost explain --raw invite.sip
  waypost explain +442079460123 --down lon1
  waypost explain +442079460123 --certificate sbc.example.com
  waypost explain +442079460123 --live
  waypost explain +442079460123 --live --admin http://127.0.0.1:9560

A bare number stands for sip:NUMBER@localhost. A request in a file ends its lines with CR LF and
has an empty line before its body.

--down NAME shows what becomes of a call while a gateway does not answer its probes.

With --live, what the server's DNS cache has answers the questions of the decision; what it does not
have counts as not answered, as it does without --live.

Exit codes:
  0  a route answered
  1  the configuration or a route file is wrong
  2  wrong usage, or --live with the admin port off
  4  --live: no server answers at the admin port
  5  no route answered: the default refusal, or refused or passed over before any route";

pub(crate) const DIFF: &str = "\
Examples:
  waypost diff routes routes.new --calls numbers.txt
  waypost diff routes routes.new --calls calls.csv --calls trunk.pcapng --limit 50
  waypost diff routes routes.new --calls calls.csv --at 2026-12-24T10:00:00Z --json
  waypost diff routes routes.new --calls - --format numbers --from 198.51.100.7

Calls are numbers or URIs, one to a line (# begins a remark); or CSV under a line that names its
columns: number or uri, from, source, domain or host, method; or a capture (pcap, pcapng), of which
each SIP request over UDP is a call from its sender. A line that is no call is skipped and told.

Causes, the first that fits: same, other route (with the same answer: no difference), asks dns,
silence, status, order, contacts added, contacts removed, parameters, contacts changed, headers.

A call of line N has the Call-ID N.diff@waypost, by which weighted groups draw: explain --call-id.
A running server compares its routes with those of its directory: POST /diff on the admin port.

Exit codes:
  0  every call is answered alike
  1  calls are answered differently
  2  an error: wrong usage, a wrong route file or configuration, calls that cannot be read";

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

pub(crate) const CTL: &str = "\
Examples:
  waypost ctl status
  waypost ctl routes --name uk --limit 20 --json
  waypost ctl explain +442079460123 --from 198.51.100.7
  waypost ctl diff numbers.txt
  waypost ctl top --limit 20
  waypost ctl reload
  waypost ctl drain
  waypost ctl gateways down lon1
  waypost ctl dns lookup sip.example.net AAAA
  waypost ctl dns flush --all
  waypost ctl log level debug
  waypost ctl status --admin unix:/run/waypost/admin.sock
  waypost ctl status --config /etc/waypost/waypost.yaml
  waypost ctl gateways --admin 192.0.2.1:9560 --token-file admin.token --ca ca.pem

The port and its token are those of the configuration (--config), or of --admin and --token-file.

Exit codes:
  0  done
  1  the server refuses: a reload failed, the token is wrong, a value is not one
  2  wrong usage, or a wrong configuration
  4  no server answers at the admin port";

pub(crate) const ENUM: &str = "\
Examples:
  waypost enum +442079460123
  waypost enum +442079460123 --config /etc/waypost/waypost.yaml --json
  waypost enum +442079460123 --apex e164.arpa --apex e164.example.net --services sip,pstn:tel
  waypost enum +442079460123 --apex e164.arpa --server 192.0.2.53 --server [2001:db8::53]:5353
  waypost enum +442079460123 --within 2s

Only E.164 numbers are looked up (RFC 6116). Records are shown as zone files have them, in the order
of their use, each with what it is worth. Results have the q that they get in an answer.

Exit codes:
  0  something was found
  1  the configuration or a route file is wrong
  2  wrong usage, no E.164 number, or no route with enum:
  4  DNS did not answer
  5  nothing: no such number, or no record that can be used";

pub(crate) const LOCATE: &str = "\
Examples:
  waypost locate example.com
  waypost locate 'sip:bob@example.com;transport=tcp'
  waypost locate sips:example.com --server 127.0.0.1:5353 --json
  waypost locate example.com --draw 7 --within 2s

SRV records of one priority are put into an order that each call draws by weight: another --draw is
another call. A server reached over TLS is a Contact by its name, any other by its address.

Exit codes:
  0  servers were found
  1  the configuration is wrong
  2  wrong usage
  4  DNS did not answer
  5  nothing: DNS has no server for it, or all are in dns.deny_answers";

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
        let pages =
            [WAYPOST, SERVE, CHECK, COMPILE, EXPLAIN, DIFF, CTL, ENUM, LOCATE, ASK, SCHEMA, COMPLETIONS, MAN];
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
        assert_eq!(seen, 63);
    }

    #[test]
    fn every_page_has_examples_and_exit_codes() {
        for page in
            [WAYPOST, SERVE, CHECK, COMPILE, EXPLAIN, DIFF, CTL, ENUM, LOCATE, ASK, SCHEMA, COMPLETIONS, MAN]
        {
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
