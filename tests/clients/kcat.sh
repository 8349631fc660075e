#!/usr/bin/env bash
# kcat against a cluster. Usage: kcat.sh BOOTSTRAP PREFIX; capabilities are defined in README.md. Topics are created by use.
set -uo pipefail
bootstrap=$1 prefix=$2
work=$(mktemp -d)
trap 'rm -rf "$work"; kill $(jobs -p) 2>/dev/null' EXIT

capability() { # capability NAME: runs the function of that name in a shell that ends at the first failure
  # Not in a condition, where set -e would mean nothing.
  (set -e; "$1") >"$work/$1.out" 2>"$work/$1.err"
  local status=$?
  if [ "$status" -eq 0 ]; then
    printf '%s\tok\t%s\n' "$1" "$(tail -n 1 "$work/$1.out")"
  else
    printf '%s\tno\t%s\n' "$1" "$(tail -q -n 3 "$work/$1.out" "$work/$1.err" | tr '\n\t' '  ')"
  fi
}
client() { timeout 40 kcat -b "$bootstrap" "$@"; }
same() { [ "$1" = "$2" ] || { echo "found $1, wanted $2"; return 1; }; }
everything() { client -C -t "$1" -o beginning -e -q "${@:2}"; }
until_found() { # until_found COUNT PATTERN FILE…
  for _ in $(seq 300); do
    [ "$(cat "${@:3}" | grep -c "$2")" -ge "$1" ] && return
    read -rt 0.1 <> <(:) || :
  done
  echo "never $1 of $2"; return 1
}

produce() {
  for codec in none gzip snappy lz4 zstd; do
    for acks in 0 1 all; do
      seq 20 | sed "s/.*/$codec:$codec-$acks-&/" |
        client -P -t "$prefix-produce" -z "$codec" -X "acks=$acks" -K : -H "codec=$codec"
    done
  done
  same "$(everything "$prefix-produce" | sort -u | wc -l)" 300
  # key, value and header name the same codec
  same "$(everything "$prefix-produce" -f '%k %s %h\n' | grep -cE '^([a-z0-9]+) \1-(0|1|all)-[0-9]+ codec=\1$')" 300
  echo 'codecs none gzip snappy lz4 zstd'
}

member() { # member NAME: a member of the group in the background, which can be told to end
  exec timeout 40 kcat -b "$bootstrap" -G "$topic" -X auto.offset.reset=earliest -X session.timeout.ms=6000 -u "$topic" \
    >"$work/$1" 2>"$work/$1.err"
}
group() {
  topic=$prefix-group
  seq 400 | client -P -t "$topic"
  member one &
  local one=$!
  until_found 1 'assigned: ' "$work/one.err"
  member two &
  local two=$!
  until_found 1 'assigned: ' "$work/two.err"
  until_found 2 'assigned: ' "$work/one.err"
  kill -TERM "$two" && { wait "$two" || :; }
  until_found 3 'assigned: ' "$work/one.err"
  until_found 400 '' "$work/one" "$work/two"
  kill -TERM "$one" && { wait "$one" || :; }
  same "$(sort -u "$work/one" "$work/two" | wc -l)" 400
  echo range
}

resume() {
  local topic=$prefix-resume
  seq 100 | client -P -t "$topic" -p 0
  for first in 1 51; do
    client -G "$topic" -X auto.offset.reset=earliest -c 50 -q "$topic" >"$work/$first"
    same "$(head -n 1 "$work/$first") $(tail -n 1 "$work/$first")" "$first $((first + 49))"
  done
}

idempotent() {
  seq 500 | client -P -t "$prefix-idempotent" -p 0 -X enable.idempotence=true
  same "$(everything "$prefix-idempotent" | tr '\n' ' ')" "$(seq 500 | tr '\n' ' ')"
}

transactions() {
  seq 10 | client -P -t "$prefix-transactions" -p 0 -X "transactional.id=$prefix-writer"
  for level in read_committed read_uncommitted; do
    same "$(everything "$prefix-transactions" -X isolation.level=$level | tr '\n' ' ')" "$(seq 10 | tr '\n' ' ')"
  done
  echo 'commits only'
}

printf 'version\t%s\n' "$(kcat -V | sed -n 's/^Version \([0-9.]*\).* librdkafka \([0-9.]*\) .*/\1 (librdkafka \2)/p')"
for name in produce group resume idempotent transactions; do
  capability "$name"
done
printf 'admin\t-\tonly lists what there is\n'
