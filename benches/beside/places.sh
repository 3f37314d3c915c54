# Sourced by servers.sh, after peers.sh: addresses and processors of the server and the generator.

# Calls come from the addresses from here on. The servers have the address that the kernel sends from, as on an interface with
# one address: elsewhere in 127.0.0.0/8, `batching: {connected: true}` would have no effect.
from=${host/#127.100./127.101.}
host=127.0.0.1

# Real-time priority, where it is ours to give.
fifo=()
if chrt -f 1 true 2>/dev/null; then fifo=(chrt -f 1); fi
server_core=("${fifo[@]}" taskset -c 0) load_core=("${fifo[@]}" taskset -c 1)
