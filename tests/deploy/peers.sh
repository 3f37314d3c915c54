#!/usr/bin/env bash
# Configurations of SIP peers that are not run here, since Debian 12 has no package of them: peers.sh TOOLS. Their syntax is
# checked as far as a checker can be had: none for OpenSIPS. (Kamailio and baresip are run: tests/interop; Asterisk on request: asterisk.sh.)
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/deploy/common.sh
tools=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for file in deploy/opensips/opensips.cfg deploy/freeswitch/{sip_profile,dialplan}.xml; do
    head -20 "$file" | grep -q 'NOT RUN HERE' || fail "$file does not say that it was not run"
done
ok "what was not run says so"

# An extract of a dialplan has neither [general] nor [globals].
export ALINT_IGNORE=H_DP_GENERAL_MISPLACED,H_DP_GLOBALS_MISPLACED
silent "asterisklint: extensions.conf" "$tools/bin/asterisklint" dialplan-check deploy/asterisk/extensions.conf
sed 's/n,Dial/n,Dail/' deploy/asterisk/extensions.conf >"$work/extensions.conf"
refused "an application that there is not" E_APP_MISSING "$tools/bin/asterisklint" dialplan-check "$work/extensions.conf"

silent "pjsip.conf: what is named is there" "$tools/bin/python" - deploy/asterisk/pjsip.conf deploy/asterisk/extensions.conf <<'PYTHON'
import collections, re, sys
objects, current = collections.defaultdict(dict), None
for line in open(sys.argv[1]):
    line = line.split(";")[0].strip()
    if match := re.fullmatch(r"\[(.+)\]", line):
        name = match[1]
    elif line:
        key, value = re.fullmatch(r"(\w+)=(.+)", line).groups()
        if key == "type":
            current = objects[value].setdefault(name, {})
        current[key] = value
dialplan = open(sys.argv[2]).read()
assert set(objects) == {"transport", "endpoint", "aor"}, set(objects)
for endpoint in objects["endpoint"].values():
    assert endpoint["aors"] in objects["aor"] and endpoint["transport"] in objects["transport"], endpoint
    assert endpoint["redirect_method"] == "uri_pjsip", endpoint
    assert f"[{endpoint['context']}]" in dialplan, endpoint
assert set(re.findall(r"PJSIP/[^)]*?(waypost\d)", dialplan)) == set(objects["endpoint"])
PYTHON

silent "FreeSWITCH: well-formed XML, in which what is named is there" "$tools/bin/python" - deploy/freeswitch <<'PYTHON'
import sys, xml.etree.ElementTree as xml
profile = xml.parse(sys.argv[1] + "/sip_profile.xml").getroot()
params = {p.get("name"): p.get("value") for p in profile.iter("param")}
assert params["manual-redirect"] == "true", params
dialplan = xml.parse(sys.argv[1] + "/dialplan.xml").getroot()
contexts = {c.get("name"): [a.get("data") for a in c.iter("action") if a.get("application") == "bridge"] for c in dialplan.iter("context")}
[ask], [follow] = contexts["default"], contexts["redirected"]
assert "sip_redirect_context=redirected" in ask and f"sip_redirect_profile={profile.get('name')}," in ask, ask
assert ask.count(f"sofia/{profile.get('name')}/") == 2 and follow.endswith("${sip_redirect_dialstring}"), (ask, follow)
PYTHON
