# shellcheck shell=bash
# Paths, pins and messages that every part of the stack shares. Sourced, never run.

ROOT=$(cd "$HERE/../.." && pwd)
# The two repository-ignored folders: what the servers write, and what was downloaded.
# Another folder is another stack, with ports of its own: the fault run has one.
STACK_DIR=${STACK_DIR:-$ROOT/.stack}
# shellcheck disable=SC2034 # read by lib/install.sh and the server files
CACHE=${STACK_CACHE:-$ROOT/.cache}
LOGS=$STACK_DIR/logs
RUN=$STACK_DIR/run
# shellcheck disable=SC2034 # read by lib/ports.sh and the main script
ENV_FILE=$STACK_DIR/env

# In the order in which `status` lists them; all of them start at the same time.
# shellcheck disable=SC2034 # read by the sourcing script
SERVERS=(postgres kafka connect elasticsearch redis neo4j)

# Seconds that a server may take to become ready; generous, because the machine may be compiling meanwhile.
START_TIMEOUT=${START_TIMEOUT:-180}
STOP_TIMEOUT=${STOP_TIMEOUT:-30}

# shellcheck source=dev/stack/versions.env
source "$HERE/versions.env"

say() { printf '%s\n' "$*"; }

die() {
  printf 'stack: %s\n' "$*" >&2
  exit 1
}

# Only one command changes the stack of a checkout at a time. Servers are started without fd 9, or they would keep the lock.
lock_stack() {
  # A folder that root has left behind: refuse before anything is half done.
  if ! mkdir -p "$LOGS" "$RUN" 2>/dev/null || ! { exec 9>"$STACK_DIR/lock"; } 2>/dev/null; then
    die "cannot write to $STACK_DIR; another user (root?) ran the stack before. Delete that folder as that user."
  fi
  flock -w 600 9 || die "another stack command has held $STACK_DIR/lock for ten minutes"
}

as_root() {
  if ((EUID == 0)); then
    "$@"
  else
    sudo "$@"
  fi
}

server_exists() {
  [[ " ${SERVERS[*]} " == *" $1 "* ]] || die "no server is called '$1'; there are: ${SERVERS[*]}"
}
