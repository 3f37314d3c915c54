#!/usr/bin/env bash
# Builds the Kamailio that beside.sh calls native: Debian's source, for this processor, with the core and the
# modules of kamailio.cfg alone. Prints two lines for the shell: KAMAILIO_NATIVE and KAMAILIO_NATIVE_MODULES.
#
#   benches/beside/build-kamailio.sh DIRECTORY      200 MB there, five minutes
#
# The source comes by apt, with lists of its own in DIRECTORY: the system's sources stay as they are. It is checked by
# apt against Debian's signature. Needs gcc, make, flex, bison, dpkg-dev, and the network.
#
# Differs from Debian's build in: -O3 -march=native -mtune=native, no debugging of memory (MEMDBG=0: its allocators
# otherwise note and check the owner of each fragment), no TLS hooks, no raw sockets.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
directory=${1:?build-kamailio: a directory is missing}
modules="sl textops pv"
suite=${SUITE:-bookworm}
mirror=${MIRROR:-http://deb.debian.org/debian}
for program in gcc make flex bison dpkg-source apt-get; do
    command -v "$program" >/dev/null || { echo "build-kamailio: no $program" >&2; exit 1; }
done
mkdir -p "$directory"
cd "$directory"

fetch() {
    mkdir -p apt/lists/partial apt/cache/archives/partial
    cat >apt/debian.sources <<SOURCES
Types: deb-src
URIs: $mirror
Suites: $suite
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
SOURCES
    local own=(-qq -o "Dir::Etc::SourceList=$PWD/apt/debian.sources" -o Dir::Etc::SourceParts=/dev/null
        -o "Dir::State::Lists=$PWD/apt/lists" -o "Dir::Cache=$PWD/apt/cache" -o APT::Sandbox::User=)
    apt-get "${own[@]}" update
    apt-get "${own[@]}" source kamailio
}

[ -n "$(find . -maxdepth 1 -type d -name 'kamailio-*' -print -quit)" ] || fetch >fetch.log 2>&1 || { cat fetch.log >&2; exit 1; }
cd "$(find . -maxdepth 1 -type d -name 'kamailio-*' -print -quit)"
build() {
    # What stands last counts: Kamailio's own flags say -mtune=generic, and in this mode no -O at all.
    make cfg MEMDBG=0 RAW_SOCKS=no TLS_HOOKS=0 include_modules="$modules" mode=release \
        CC_EXTRA_OPTS="-O3 -march=native -mtune=native" || return
    # Its makefile does not say that the scanner includes what bison writes: side by side, one may read half of it.
    make -j"$(nproc)" Q=0 || make Q=0 || return
    for module in $modules; do make -j"$(nproc)" Q=0 modules modules="src/modules/$module" || return; done
}
build >../build.log 2>&1 || { tail -n 30 ../build.log >&2; exit 1; }
src/kamailio -V | head -n 2 >&2
echo "KAMAILIO_NATIVE=$PWD/src/kamailio"
echo "KAMAILIO_NATIVE_MODULES=$PWD/src/modules"
