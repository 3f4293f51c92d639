#!/usr/bin/env bash
# Courant beside nginx: the same bytes, one core each in turn, the load on another core, rounds interleaved.
#
#   benches/compare.sh [ROUNDS] [SECONDS]
#
# Installs nothing. Prints requests per second as medians, and the ratio with its range over the rounds.
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-5} seconds=${2:-4} connections=32

for program in nginx wrk curl taskset python3; do
  command -v "$program" >/dev/null || { echo "SKIPPED: $program is missing" >&2; exit 3; }
done
cargo build --release --quiet

home=$(mktemp -d)
chmod 755 "$home" # nginx gives up root
stop() {
  [ -z "${courant:-}" ] || kill "$courant" 2>/dev/null || true
  [ -z "${nginx:-}" ] || kill "$nginx" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$home"
}
trap stop EXIT

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
here=$(free_port) there=$(free_port)

# An Atom feed of 8 articles (some 5 KB with gzip) and an RSS feed of 100 (some 50 KB).
sed -e "s/127.0.0.1:8080/127.0.0.1:$here/" -e 's/access_log = .*/access_log = "off"/' \
  -e 's/^import = .*//' feeds.toml >"$home/feeds.toml"
cat >>"$home/feeds.toml" <<'TOML'

[[feed]]
name = "small"
title = "Small"
newest = 8

[[feed]]
name = "large"
title = "Large"
newest = 100
TOML
program=$PWD/target/release/courant
(cd "$home" && "$program" import "$OLDPWD/examples/articles.ndjson" >/dev/null 2>&1)
(cd "$home" && exec taskset -c 0 "$program" >"$home/courant.log" 2>&1) &
courant=$!

mkdir "$home/files"
cat >"$home/nginx.conf" <<NGINX
worker_processes 1;
daemon off;
pid $home/nginx.pid;
error_log $home/error.log;
events { worker_connections 1024; }
http {
  access_log off;
  types { application/atom+xml atom; application/rss+xml rss; }
  sendfile on; tcp_nopush on; gzip_static on; gzip_vary on; keepalive_requests 1000000000;
  client_body_temp_path $home/a; proxy_temp_path $home/b; fastcgi_temp_path $home/c;
  uwsgi_temp_path $home/d; scgi_temp_path $home/e;
  server { listen 127.0.0.1:$there; root $home/files; add_header Cache-Control "public, max-age=300"; }
}
NGINX
for _ in $(seq 100); do curl -sf "http://127.0.0.1:$here/healthz" >/dev/null && break; sleep 0.1; done
for feed in small.atom large.rss; do
  curl -sf "http://127.0.0.1:$here/$feed" >"$home/files/$feed"
  curl -sf -H 'Accept-Encoding: gzip' "http://127.0.0.1:$here/$feed" >"$home/files/$feed.gz"
  touch -r "$home/files/$feed" "$home/files/$feed.gz"
done
taskset -c 0 nginx -e "$home/error.log" -c "$home/nginx.conf" &
nginx=$!
for _ in $(seq 100); do curl -sf "http://127.0.0.1:$there/small.atom" >/dev/null && break; sleep 0.1; done

tag() { curl -sI -H 'Accept-Encoding: gzip' "$1" | tr -d '\r' | sed -n 's/^[Ee][Tt]ag: //p'; }
status() { curl -s -o /dev/null -w '%{http_code} %{size_download}' -H 'Accept-Encoding: gzip' "${@:2}" "$1"; }
load() { taskset -c 1 wrk -t1 -c"$connections" -d"${seconds}s" -H 'Accept-Encoding: gzip' "${@:2}" "$1" | awk '/Requests\/sec/ {print $2}'; }

compare() { # name, path, conditional or not
  local ours=() theirs=() a=() b=()
  local one="http://127.0.0.1:$here/$2" other="http://127.0.0.1:$there/$2"
  if [ "$3" = conditional ]; then
    a=(-H "If-None-Match: $(tag "$one")") b=(-H "If-None-Match: $(tag "$other")")
  fi
  local said=("$(status "$one" "${a[@]}")" "$(status "$other" "${b[@]}")")
  [ "${said[0]}" = "${said[1]}" ] || { echo "$1: not the same: ${said[*]}" >&2; exit 1; }
  for _ in $(seq "$rounds"); do
    ours+=("$(load "$one" "${a[@]}")") theirs+=("$(load "$other" "${b[@]}")")
  done
  python3 - "$1" "${ours[*]}" "${theirs[*]}" <<'PYTHON'
import statistics, sys
name, ours, theirs = sys.argv[1], *[[float(n) for n in text.split()] for text in sys.argv[2:]]
ratios = [a / b for a, b in zip(ours, theirs)]
print(f"| {name} | {statistics.median(ours):,.0f} | {statistics.median(theirs):,.0f} "
      f"| {statistics.median(ratios):.2f} | {min(ratios):.2f}–{max(ratios):.2f} |")
PYTHON
}

echo "$("$program" --version), $(nginx -v 2>&1 | sed 's/.*: //'), $rounds rounds of $seconds s, $connections connections"
echo "| one core, keep-alive | courant, requests/s | nginx, requests/s | ratio | range |"
echo "|---|---:|---:|---:|---:|"
compare "304" small.atom conditional
compare "200, Atom, gzip, $(stat -c %s "$home/files/small.atom.gz") bytes" small.atom whole
compare "200, RSS, gzip, $(stat -c %s "$home/files/large.rss.gz") bytes" large.rss whole
