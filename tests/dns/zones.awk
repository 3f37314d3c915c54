# The zones of the DNS tests, for NSD: files named after their zones in `folder`.
#
#   awk -v numbers=100000 -v ttl=300 -v folder=FOLDER -f zones.awk
#
# e164.example.net    +4420 and eight digits, for the first `numbers` calls of benches/load: one NAPTR each;
#                     +4421… by a wildcard; +4418… by a DNAME; +44170000….: one case each, see below
# delegated.example.net   where the DNAME and a CNAME chain lead
# sip.example.net     domains for RFC 3263: NAPTR, SRV sets, addresses of both families

function apex(name) {
    printf "$ORIGIN %s.\n$TTL %d\n@ IN SOA ns.%s. hostmaster.%s. 1 3600 900 86400 60\n@ IN NS ns.%s.\nns IN A 127.0.0.1\n", \
        name, ttl, name, name, name > file
}

# +441234 → 4.3.2.1.4.4
function reversed(number,    out, i) {
    out = ""
    for (i = length(number); i > 0; i--) out = out (out == "" ? "" : ".") substr(number, i, 1)
    return out
}

function record(name, type, data) { print name " IN " type " " data > file }

function naptr(name, order, preference, service, regexp) {
    record(name, "NAPTR", order " " preference " \"u\" \"" service "\" \"" regexp "\" .")
}

function to(user, host) { return "!^.*$!sip:" user "@" host "!" }

BEGIN {
    file = folder "/e164.example.net.zone"
    apex("e164.example.net")
    # The number itself is in the answer: one answer for another is seen.
    same = "!^\\\\+(.*)$!sip:\\\\1@enum.example.net!"
    for (call = 0; call < numbers; call++)
        naptr(reversed("4420" sprintf("%08d", (call * 61803397) % 100000000)), 100, 10, "E2U+sip", same)
    naptr("*." reversed("4421"), 100, 10, "E2U+sip", same)

    case_of = "4417000000"
    # Longer names below the wildcard win; the wildcard covers the rest of +441700000001….
    naptr("*." reversed(case_of "01"), 100, 10, "E2U+sip", to("wildcard", "enum.example.net"))
    naptr(reversed(case_of "0107"), 100, 10, "E2U+sip", to("below-the-wildcard", "enum.example.net"))
    # Order before preference; what is no way to call is passed over.
    naptr(reversed(case_of "02"), 200, 1, "E2U+sip", to("fourth", "enum.example.net"))
    naptr(reversed(case_of "02"), 100, 30, "E2U+sip", to("third", "enum.example.net"))
    naptr(reversed(case_of "02"), 100, 10, "E2U+sip", to("first", "enum.example.net"))
    naptr(reversed(case_of "02"), 100, 20, "E2U+pstn:sip", to("second", "enum.example.net"))
    naptr(reversed(case_of "02"), 100, 5, "E2U+email:mailto", "!^.*$!mailto:a@example.net!")
    # A chain of CNAMEs into another zone.
    record(reversed(case_of "03"), "CNAME", "one.alias")
    record("one.alias", "CNAME", "two.delegated.example.net.")
    # A tree of numbers that is somewhere else (RFC 6672).
    record(reversed("4418"), "DNAME", "numbers.delegated.example.net.")
    # More than 1232 bytes: over TCP only. The ones that count come last.
    for (i = 1; i <= 24; i++)
        naptr(reversed(case_of "04"), 100, i, "E2U+email:mailto", "!^.*$!mailto:somebody.with.a.long.name." i "@a.long.domain.example.net!")
    for (i = 1; i <= 3; i++)
        naptr(reversed(case_of "04"), 200, i, "E2U+sip", to("big-" i, "enum.example.net"))
    # Not to be kept, says the zone.
    record(reversed(case_of "05") " 0", "NAPTR", "100 10 \"u\" \"E2U+sip\" \"" to("ttl-0", "enum.example.net") "\" .")
    # There, but without NAPTR; there, with none that is a call; not there at all: ...07.
    record(reversed(case_of "06"), "TXT", "\"no data\"")
    naptr(reversed(case_of "08"), 100, 10, "E2U+email:mailto", "!^.*$!mailto:a@example.net!")
    # An expression that does not match the number is no answer.
    naptr(reversed(case_of "09"), 100, 10, "E2U+sip", "!^\\\\+33(.*)$!sip:\\\\1@enum.example.net!")
    # Groups, another delimiter, and the flag i.
    naptr(reversed(case_of "10"), 100, 10, "E2U+sip", "#^\\\\+44(1700)(.*)$#sip:\\\\2-\\\\1@enum.example.net#i")
    # A CNAME that leads to itself.
    record(reversed(case_of "11"), "CNAME", reversed(case_of "11"))

    file = folder "/delegated.example.net.zone"
    apex("delegated.example.net")
    record("two", "CNAME", "three")
    naptr("three", 100, 10, "E2U+sip", to("end-of-chain", "enum.example.net"))
    naptr(reversed("0001") ".numbers", 100, 10, "E2U+sip", same)

    file = folder "/sip.example.net.zone"
    apex("sip.example.net")
    # Nine targets and twelve, each with a priority of its own; three with one, by weight.
    for (i = 1; i <= 9; i++) {
        record("_sip._udp.nine", "SRV", 10 - i " 0 " 5060 + i " sbc" i)
        record("sbc" i, "A", "192.0.2." i)
    }
    for (i = 1; i <= 12; i++) {
        record("_sip._udp.twelve", "SRV", i " 10 5060 far" i)
        record("far" i, "A", "198.51.100." i)
    }
    for (i = 1; i <= 3; i++) record("_sip._udp.weighed", "SRV", "1 " i " 5060 sbc" i)
    record("_sip._udp.six", "SRV", "10 10 5060 both")
    record("_sip._udp.six", "SRV", "20 10 5062 only6")
    record("both", "A", "192.0.2.20")
    record("both", "AAAA", "2001:db8::20")
    record("only6", "AAAA", "2001:db8::21")
    # The domain says that TCP comes before UDP (RFC 3263 §4.1).
    record("choice", "NAPTR", "10 10 \"s\" \"SIP+D2T\" \"\" _sip._tcp.choice")
    record("choice", "NAPTR", "20 10 \"s\" \"SIP+D2U\" \"\" _sip._udp.choice")
    record("_sip._tcp.choice", "SRV", "10 10 5070 sbc1")
    record("_sip._udp.choice", "SRV", "10 10 5080 sbc2")
    # No SRV: addresses alone.
    record("plain", "A", "192.0.2.30")
    # "There is no such service here" (RFC 2782).
    record("_sip._udp.closed", "SRV", "0 0 0 .")
    record("_sip._tcp.closed", "SRV", "0 0 0 .")
    record("empty", "TXT", "\"no data\"")
}
