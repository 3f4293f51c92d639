#!/usr/bin/env bash
# User instructions per request over 20 connections kept alive, counted by callgrind: nearly the same number each time,
# whatever else the machine is doing. Two runs that differ in their number of requests, so that starting and stopping cancel out.
#
#   benches/instructions.sh [LIMIT]
#
# Ends with 1 if a 304 takes more than LIMIT instructions.
set -euo pipefail
cd "$(dirname "$0")/.."
limit=${1:-} few=1000 many=5000

for program in valgrind python3; do
  command -v "$program" >/dev/null || { echo "SKIPPED: $program is missing" >&2; exit 3; }
done
cargo build --release --quiet
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
program=$PWD/target/release/courant
sed -e 's/127.0.0.1:8080/127.0.0.1:0/' -e 's/access_log = .*/access_log = "off"/' -e 's/^import = .*//' \
  -e 's/newest = 40/newest = 8/' feeds.toml >"$home/feeds.toml"
(cd "$home" && "$program" import "$OLDPWD/examples/articles.ndjson" >/dev/null 2>&1)

# Starts the service under callgrind, asks so many times, stops it, prints what it took.
count() { # requests, conditional or not
  python3 - "$program" "$home" "$1" "$2" <<'PYTHON'
import re, signal, socket, subprocess, sys
program, home, requests, kind = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program]
server = subprocess.Popen(command, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
for line in server.stdout:
    if "serves" in line:
        port = int(re.search(r":(\d+)/", line).group(1))
        break
clients = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(20)]
readers = [client.makefile("rb") for client in clients]

def ask(client, fields):
    client.sendall(b"GET /all.atom HTTP/1.1\r\nHost: localhost\r\nUser-Agent: reader/1.0\r\n"
                   b"Accept: */*\r\nAccept-Encoding: gzip\r\n" + fields + b"\r\n")

def answer(reader):
    status, tag, length = int(reader.readline().split()[1]), b"", 0
    while (line := reader.readline().strip()):
        name, value = line.split(b": ", 1)
        if name.lower() == b"etag":
            tag = value
        if name.lower() == b"content-length":
            length = int(value)
    reader.read(length)
    return status, tag

ask(clients[0], b"")
status, tag = answer(readers[0])
fields, expected = (b"If-None-Match: " + tag + b"\r\n", 304) if kind == "304" else (b"", 200)
for _ in range(requests // len(clients)):
    for client in clients:
        ask(client, fields)
    for reader in readers:
        assert answer(reader)[0] == expected
for client in clients:
    client.close()
server.send_signal(signal.SIGTERM)
print(re.search(r"Collected : (\d+)", server.communicate()[1]).group(1))
PYTHON
}

verdict=0
for kind in 304 "gzip 200"; do
  each=$((($(count $many "$kind") - $(count $few "$kind")) / (many - few)))
  echo "$kind: $each instructions"
  if [ "$kind" = 304 ] && [ -n "$limit" ] && [ "$each" -gt "$limit" ]; then
    echo "a 304 may take $limit" >&2
    verdict=1
  fi
done
exit $verdict
