# Sourced after ground.sh: DNS servers that fail, and routes that ask them.
misbehave=${MISBEHAVE:-$(program misbehave)}

# liar MODE: a server that fails in this way. Sets $dns to its port.
liar() {
    free_port dns
    start "liar-$1" "$misbehave" --listen "$host:$dns" --as "$1"
    await "the DNS server listens on port $dns" 5 anybody_has "$dns"
}

# dns_routes SERVER...: +4420… by ENUM from these servers, and gateway.example.net when that gives nothing.
dns_routes() {
    local servers
    servers=$(printf '"%s", ' "$@")
    echo "dns: { servers: [${servers%, }] }" >>"$work/waypost.more"
    all_routes '{ name: enum, when: { number: "+4420*" }, enum: { apexes: [e164.example.net], services: [sip] } }'
}
