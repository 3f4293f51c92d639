#!/usr/bin/env bash
# Counts the user instructions (callgrind) and system calls (strace) of a request. Counts repeat to about 1 % on any machine,
# whatever else it is doing.
#
# Each figure is the difference of two runs with different numbers of requests, so that the start and the end of the process
# cancel out. 20 clients send requests at the same time, so that the service is never idle.
#
#   benches/instructions.sh [--check]
#
# "bare" is `benches/bare.rs`: the same answers without time-outs, limits and counters. With --check, exits with 1 when a
# count exceeds its limit in the table. Builds the profile dist first: up to 15 minutes from an empty target folder on two
# cores.
set -euo pipefail
cd "$(dirname "$0")/.."
few=1000 many=5000

for program in valgrind python3; do
  command -v "$program" >/dev/null || { echo "SKIPPED: $program is missing" >&2; exit 3; }
done
echo "building the profile dist" >&2
# The program that cargo builds beside a benchmark; it differs from a release by the features of hyper that the tests use.
# Linking it a second time would take minutes.
executable() {
  cargo bench --profile dist --bench bare --no-run --quiet --message-format json | python3 -c 'import json, sys
for built in map(json.loads, sys.stdin):
    if built.get("target", {}).get("name") == sys.argv[1] and built.get("executable"):
        print(built["executable"])' "$1"
}
bare=$(executable bare) program=$(executable courant)
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
