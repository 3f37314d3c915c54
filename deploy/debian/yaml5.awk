# Makes the man page waypost.yaml(5) of the shipped configuration: awk -f yaml5.awk deploy/waypost.yaml
#
# That file is made of blocks: a comment that explains, and under it the keys, live or, with a # before them, as
# examples. Each block becomes an entry of the page, so the page cannot say anything else than the file.

function set_text(line) {
    gsub(/\\/, "\\e", line)
    gsub(/-/, "\\-", line)
    # Between backquotes: bold.
    while (match(line, /`[^`]+`/))
        line = substr(line, 1, RSTART - 1) "\\fB" substr(line, RSTART + 1, RLENGTH - 2) "\\fR" substr(line, RSTART + RLENGTH)
    return (line ~ /^[.']/ ? "\\&" : "") line "\n"
}

function end_of_block() {
    if (names != "") {
        printf "%s", names text
        printf "%s", ".IP\n" (live ? "As shipped:\n" : "For example:\n") ".IP\n.nf\n" lines ".fi\n"
    } else if (text != "") {
        printf "%s", (first++ ? ".PP\n" : "") text
    }
    names = text = lines = ""
    live = 0
}

BEGIN {
    print ".TH WAYPOST.YAML 5 \"\" Waypost \"File formats\""
    print ".SH NAME"
    print "waypost.yaml \\- configuration of waypost, the SIP redirect server"
    print ".SH DESCRIPTION"
}

/^$/ { end_of_block(); next }

# A key, live or as an example: its name heads the entry.
/^#?[a-z_]+:/ {
    if (names == "" && !keys++) { printf ".SH KEYS\n" }
    name = $0
    sub(/^#/, "", name)
    lines = lines set_text(name)
    live = live || !/^#/
    sub(/:.*/, "", name)
    names = names (names == "" ? ".TP\n" : ".TQ\n") "\\fB" name "\\fR\n"
    next
}

# Under a key: what belongs to it.
/^ / || /^#   / {
    line = $0
    sub(/^#/, "", line)
    lines = lines set_text(line)
    next
}

/^#/ { line = $0; sub(/^# ?/, "", line); text = text set_text(line) }

END {
    end_of_block()
    print ".SH FILES"
    print ".TP\n\\fI/etc/waypost/waypost.yaml\\fR\nwhere the Debian package and the systemd unit have it."
    print ".TP\n\\fI/etc/waypost/routes\\fR\nthe route files. Their language is in the README, and \\fBwaypost schema\\fR prints its JSON Schema."
    print ".SH SEE ALSO"
    print "\\fBwaypost\\fR(1)"
}
