#!/usr/bin/env bash
# What a request takes, counted instead of timed: nearly the same number each time, whatever else the machine is doing.
# User instructions by callgrind, system calls by strace. Two runs that differ in their number of requests, so that starting
# and stopping cancel out; 20 clients ask at once, so that the service always has something to do.
#
#   benches/instructions.sh [--check | --build]
#
# "bare" is `benches/bare.rs`: the same answers without time-outs, limits and counters. With --check, ends with 1 when one of
# the limits in the table is passed. With --build, ends when what is counted is there.
set -euo pipefail
cd "$(dirname "$0")/.."
few=1000 many=5000

for program in valgrind python3; do
  command -v "$program" >/dev/null || { echo "SKIPPED: $program is missing" >&2; exit 3; }
done
# The program as a bench has it beside itself, which differs from a release by features of hyper that only tests use: to link
# it once more takes minutes.
executable() {
  cargo bench --bench bare --no-run --quiet --message-format json | python3 -c 'import json, sys
for built in map(json.loads, sys.stdin):
    if built.get("target", {}).get("name") == sys.argv[1] and built.get("executable"):
        print(built["executable"])' "$1"
}
bare=$(executable bare) program=$(executable courant)
[ "${1:-}" != --build ] || exit 0
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
sed -e 's/127.0.0.1:8080/127.0.0.1:0/' -e 's/access_log = .*/access_log = "off"/' -e 's/^import = .*//' \
  -e 's/newest = 40/newest = 8/' feeds.toml >"$home/feeds.toml"
(cd "$home" && "$program" import "$OLDPWD/examples/articles.ndjson" >/dev/null 2>&1)

# Starts a program under a counter, asks so many times, stops it, prints what was counted.
count() { # callgrind or strace, program, requests, kind
  python3 - "$home" "$@" <<'PYTHON'
import re, signal, socket, subprocess, sys, time
home, counter, program, requests, kind = sys.argv[1:]
counters = {
    "callgrind": (["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"], r"Collected : (\d+)"),
    "strace": (["strace", "-f", "-c", "-U", "calls,name"], r"(\d+) total"),
}
command, result = counters[counter]
server = subprocess.Popen(command + [program], cwd=home, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
for line in server.stdout:
    if "serves" in line:
        port = int(re.search(r":(\d+)/", line).group(1))
        break

def connect():
    client = socket.create_connection(("127.0.0.1", port), timeout=60)
    return client, client.makefile("rb")

def ask(client, fields):
    client.sendall(b"GET /all.atom HTTP/1.1\r\nHost: localhost\r\nUser-Agent: reader/1.0\r\n"
                   b"Accept: */*\r\nAccept-Encoding: gzip\r\n" + fields + b"\r\n")

def answer(reader):
    status, tag, length, is_dated = int(reader.readline().split()[1]), b"", 0, False
    while (line := reader.readline().strip()):
        name, value = line.split(b": ", 1)
        if name.lower() == b"etag":
            tag = value
        if name.lower() == b"content-length":
            length = int(value)
        is_dated |= name.lower() == b"last-modified"
    reader.read(length)
    return status, tag, is_dated

def close(clients):
    for client, reader in clients:
        reader.close()
        client.close()

clients = [connect() for _ in range(20)]
# Until the second of the newest write is over, answers have one field less; the first start writes.
ask(clients[0][0], b"")
answer(clients[0][1])
time.sleep(3)
ask(clients[0][0], b"")
status, tag, is_dated = answer(clients[0][1])
assert is_dated
is_conditional, is_new = "304" in kind, "new" in kind
fields, expected = (b"If-None-Match: " + tag + b"\r\n", 304) if is_conditional else (b"", 200)
for _ in range(int(requests) // len(clients)):
    if is_new:
        close(clients)
        clients = [connect() for _ in clients]
    for client, _ in clients:
        ask(client, fields)
    for _, reader in clients:
        assert answer(reader)[0] == expected
close(clients)
server.stdin.close()
if counter == "callgrind":
    server.send_signal(signal.SIGTERM)
else:
    children = open(f"/proc/{server.pid}/task/{server.pid}/children").read().split()
    subprocess.run(["kill", *children], check=True)
server.stdin = None
print(re.search(result, server.communicate()[1]).group(1))
PYTHON
}

each() { # counter, program, kind; to a hundredth
  local more fewer
  more=$(count "$1" "$2" $many "$3") fewer=$(count "$1" "$2" $few "$3")
  python3 -c "print(f'{($more - $fewer) / ($many - $few):.2f}')"
}

verdict=0
row() { # name, count, limit
  printf '| %s | %s | %s |\n' "$1" "$2" "$3"
  python3 -c "raise SystemExit($2 > $3)" || { echo "too many: $1" >&2; verdict=1; }
}

echo "| a request takes | counted | limit |"
echo "|---|---:|---:|"
row "304, bare: user instructions" "$(each callgrind "$bare" 304)" 14000
row "200, gzip, bare: user instructions" "$(each callgrind "$bare" 200)" 14000
row "304: user instructions" "$(each callgrind "$program" 304)" 15000
row "200, gzip: user instructions" "$(each callgrind "$program" 200)" 15000
row "304 on a new connection: user instructions" "$(each callgrind "$program" "new 304")" 23500
if command -v strace >/dev/null; then
  row "304: system calls" "$(each strace "$program" 304)" 2.5
else
  echo "SKIPPED: system calls, because strace is missing" >&2
fi
[ "${1:-}" != --check ] || exit $verdict
