# The table of beside.sh → an SVG. The same table, the same bytes.
#
#   LC_ALL=C awk -f benches/beside/draw.awk benches/beside/results.tsv >benches/beside/results.svg
#
# One panel for each request; one bar for each server, from zero: the median, with a whisker from the least to the
# most. Dark where the reader's screen is.
BEGIN {
    FS = "\t"
    split("echo_batched echo_single echo_gso waypost waypost_prefix waypost_enum waypost_gso kamailio_native kamailio opensips", order, " ")
    label["echo_batched"] = "UDP echo, batched"
    label["echo_single"] = "UDP echo, one by one"
    label["echo_gso"] = "UDP echo, GSO"
    label["waypost"] = "Waypost, static route"
    label["waypost_prefix"] = "Waypost, prefix table"
    label["waypost_enum"] = "Waypost, ENUM in cache"
    label["waypost_gso"] = "Waypost, static, GSO"
    label["kamailio_native"] = "Kamailio, built native"
    label["kamailio"] = "Kamailio of Debian"
    label["opensips"] = "OpenSIPS"
    title["small"] = "INVITE of 364 bytes"
    title["real"] = "INVITE of 1,461 bytes: 3 Vias, 20 headers, SDP"
    width = 760; left = 176; right = 110; bar = 16; step = 24
}
sub(/^# machine: /, "") { machine = $0; next }
sub(/^# run: /, "") { run = $0; next }
/^#/ { next }
!columns { for (i = 1; i <= NF; i++) column[$i] = i; columns = NF; next }
{
    if (!($1 in seen)) { seen[$1]; requests[++panels] = $1 }
    key = $1 SUBSEP $2
    us[key] = $column["us"]; least[key] = $column["us_min"]; most[key] = $column["us_max"]; ratio[key] = $column["of_echo"]
    rows[$1]++
    if (most[key] + 0 > largest) largest = most[key] + 0
}
END {
    if (!panels) { print "draw: the table has no rows" > "/dev/stderr"; exit 1 }
    unit = largest > 16 ? 5 : largest > 8 ? 2 : 1
    top = (int(largest / unit) + 1) * unit
    scale = (width - left - right) / top
    height = 64
    for (p = 1; p <= panels; p++) height += 40 + rows[requests[p]] * step + 26
    height += 34
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\" aria-labelledby=\"t\">\n", width, height, width, height
    print "<title id=\"t\">Processor time for one answer, of Waypost, a bare UDP echo and Kamailio</title>"
    print "<style>"
    print "  svg { background: #ffffff; font-family: system-ui, sans-serif; font-size: 13px; fill: #1f2328 }"
    print "  .title { font-size: 16px; font-weight: 600 } .panel { font-weight: 600 } .note { font-size: 11px; fill: #59636e }"
    print "  .grid { stroke: #d1d9e0 } .axis { stroke: #59636e } .whisker { stroke: #1f2328; stroke-width: 1.5 }"
    print "  .echo { fill: #8c959f } .waypost { fill: #0969da } .other { fill: #bc4c00 }"
    print "  @media (prefers-color-scheme: dark) {"
    print "    svg { background: #0d1117; fill: #f0f6fc } .note { fill: #9198a1 }"
    print "    .grid { stroke: #3d444d } .axis { stroke: #9198a1 } .whisker { stroke: #f0f6fc }"
    print "    .echo { fill: #656c76 } .waypost { fill: #1f6feb } .other { fill: #bd561d }"
    print "  }"
    print "</style>"
    text(16, 28, "title", "Processor time of one thread for one answer, at saturation")
    text(16, 47, "note", "Microseconds; median of the rounds, whiskers from the least to the most; in parentheses, times the batched echo.")
    y = 64
    for (p = 1; p <= panels; p++) panel(requests[p])
    text(16, y + 12, "note", machine)
    text(16, y + 27, "note", run)
    print "</svg>"
}

function panel(request,    n, i, key, bottom, tick, x, class) {
    text(16, y + 22, "panel", request in title ? title[request] : request)
    y += 40
    bottom = y + rows[request] * step
    for (tick = 0; tick <= top; tick += unit) {
        x = left + tick * scale
        printf "<line class=\"%s\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>\n", tick ? "grid" : "axis", x, y - 4, x, bottom
        printf "<text class=\"note\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%d</text>\n", x, bottom + 14, tick
    }
    for (i = 1; i in order; i++) {
        key = request SUBSEP order[i]
        if (!(key in us)) continue
        class = order[i] ~ /^echo/ ? "echo" : order[i] ~ /^waypost/ ? "waypost" : "other"
        printf "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", left - 8, y + 13, label[order[i]]
        printf "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>\n", class, left, y, us[key] * scale, bar
        printf "<path class=\"whisker\" d=\"M%.1f %dV%dM%.1f %dH%.1fM%.1f %dV%d\"/>\n", left + least[key] * scale, y + 4, y + 12, \
            left + least[key] * scale, y + 8, left + most[key] * scale, left + most[key] * scale, y + 4, y + 12
        printf "<text x=\"%.1f\" y=\"%d\">%.2f <tspan class=\"note\">(%.2f)</tspan></text>\n", left + most[key] * scale + 8, y + 13, us[key], ratio[key]
        y += step
    }
    y = bottom + 26
}

function text(x, y, class, words) {
    gsub(/&/, "\\&amp;", words)
    gsub(/</, "\\&lt;", words)
    printf "<text class=\"%s\" x=\"%d\" y=\"%d\">%s</text>\n", class, x, y, words
}
