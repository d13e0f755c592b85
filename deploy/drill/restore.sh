#!/bin/sh
# Restores a backup of Redis into a server of its own on this machine, and checks that Bestframe could continue with it. Nothing of
# production is touched, no worker starts, and nothing is paid. docs/operations/disaster-drill.md says when to run this.
#
#   restore.sh <dump.rdb> [keys.txt]    keys.txt: your own keys, one per line, as for `bestframe reconcile`
#
# Needs redis-server, redis-cli and bestframe on PATH, and from the environment the settings of the deployment that Redis does not
# hold: BESTFRAME_NAMESPACE (or _FILE), and BESTFRAME_KEY_RING and BESTFRAME_PREFIX if they are set in production. DRILL_PORT: default
# 16379. Exit codes: 0 the backup can be used, 1 it cannot, 2 wrong use.
set -eu

fail() {
  echo "FAILED: $1" >&2
  exit 1
}

[ $# -ge 1 ] && [ -r "$1" ] || {
  echo 'usage: restore.sh <dump.rdb> [keys.txt]' >&2
  exit 2
}
port=${DRILL_PORT:-16379}
dir=$(mktemp -d)
server=
stop() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  [ -z "$server" ] || wait "$server" 2>/dev/null || true
  rm -rf "$dir"
}
trap stop EXIT
trap 'exit 1' INT TERM

# The copy has personal data, so the server takes connections of this machine alone, and with a password.
password=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
cp "$1" "$dir/dump.rdb"
(umask 077 && echo "requirepass $password" >"$dir/redis.conf")
export REDISCLI_AUTH="$password"
redis-server "$dir/redis.conf" --dir "$dir" --port "$port" --bind 127.0.0.1 --appendonly no --save '' >"$dir/log" 2>&1 &
server=$!

began=$(date +%s)
until [ "$(redis-cli -p "$port" ping 2>/dev/null)" = PONG ]; do
  kill -0 "$server" 2>/dev/null || fail "redis-server ended: $(tail -n 3 "$dir/log")"
  sleep 0.2
done
echo "restored in $(($(date +%s) - began)) s: $(redis-cli -p "$port" dbsize) keys"
echo "memory needed: $(redis-cli -p "$port" info memory | sed -n 's/^used_memory_human:\([^\r]*\).*/\1/p')"

export BESTFRAME_REDIS_URL="redis://:$password@127.0.0.1:$port" BESTFRAME_AUDIT="$dir/audit"
unset BESTFRAME_REDIS_CA_FILE REDIS_URL
unusable='bestframe cannot use the backup: the message above says whether namespace, key ring or prefix is another one'
bestframe list --limit 1 --json >"$dir/list" || fail "$unusable"
# Any subject will do: what counts is that the secret is the one of the backup. Exit code 1 means that nothing is stored about it.
code=0
bestframe export --subject disaster-drill --by drill --why drill >"$dir/export" || code=$?
[ "$code" -le 1 ] || fail "$unusable"
bestframe keys list --json >"$dir/keys" || fail 'the API keys cannot be read'
echo 'namespace, key ring and API keys fit the backup'

if [ $# -ge 2 ]; then
  bestframe reconcile --all-tenants "$2" >"$dir/missing" || true
  echo "keys that would have to be enqueued again: $(wc -l <"$dir/missing" | tr -d ' ')"
fi
echo 'the backup can be used'
