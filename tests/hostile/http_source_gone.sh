#!/usr/bin/env bash
# The web server of the routes is gone, silent, slow, and full of nonsense; then it is back with new routes.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/hostile/ground.sh

mkdir "$work/published" "$work/www"
rmdir "$work/routes" # It is a link that the server makes.
publish() {
    echo "routes: [{name: serial-$1, answer: {code: 302, contact: \"sip:{user}@gateway.example.net\"}}]" >"$work/published/routes.yaml"
    "$waypost" publish "$work/published" --to "$work/www" --serial "$1" >>"$work/logs/publish" 2>&1
}
publish 1
free_port web
web() { start web python3 -m http.server --bind "$host" --directory "$work/www" "$web"; await "the web server listens" 10 anybody_has "$web"; }
fetches() { metric "waypost_source_fetches_total{result=\"$1\"}"; }
more() { [ "$(fetches "$1")" -gt "$2" ]; }
serial_is() { [ "$(metric waypost_source_serial)" = "$1" ]; }

web
echo "source: {url: \"http://$host:$web/manifest.json\", every_s: 1}" >>"$work/waypost.more"
serve
load_on calls "${right[@]}"
serial_is 1 || { echo "FAILED: serial 1 is not in service" >&2; exit 1; }

echo "nonsense" >"$work/www/manifest.json"
await "nonsense is refused" 10 more bad_manifest 0
rm -rf "$work/www/files" && publish 2
find "$work/www/files" -type f -exec sh -c 'echo torn >"$1"' - {} \;
await "a file of another hash is refused" 20 more bad_file 0
stop web KILL
before=$(fetches unreachable)
await "it is missed" 20 more unreachable "$before"
# Silent: it takes connections and says nothing.
web
kill -STOP "${peers[web]}"
sleep "$(scaled 1 30)"
kill -CONT "${peers[web]}"
rm -rf "$work/www/files" && publish 3
await "it is back, and its routes are in service" 90 serial_is 3
load_off calls
row 0 "HTTP source gone, silent, with nonsense for a manifest and torn files; then back" \
    "0: routes in service stay until whole new ones are on disk; it is tried again after 1 s, at last every minute"
