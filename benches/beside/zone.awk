# The zone of beside.sh's ENUM numbers, +4420 and eight digits, for NSD: three NAPTRs each, the number in the
# answer. On standard error, the calls: NUMBER,VALUE.
#
#   awk -v numbers=1000 -f zone.awk >e164.example.net.zone 2>enum.calls
function reversed(number,    out, i) {
    out = ""
    for (i = length(number); i > 0; i--) out = out (out == "" ? "" : ".") substr(number, i, 1)
    return out
}

BEGIN {
    name = "e164.example.net"
    printf "$ORIGIN %s.\n$TTL 86400\n@ IN SOA ns.%s. hostmaster.%s. 1 3600 900 86400 60\n@ IN NS ns.%s.\nns IN A 127.0.0.1\n", \
        name, name, name, name
    for (call = 0; call < numbers; call++) {
        number = "4420" sprintf("%08d", (call * 61803397) % 100000000)
        print "+" number ",enum" > "/dev/stderr"
        for (gateway = 1; gateway <= 3; gateway++)
            printf "%s IN NAPTR %d 10 \"u\" \"E2U+sip\" \"!^(.*)$!sip:\\\\1@gw-900%d.example.net!\" .\n", \
                reversed(number), gateway * 10, gateway
    }
}
