# shellcheck shell=bash
# Starts, finds and signals the servers of this checkout. A server is the process in .stack/run/<server>.pid and all that
# descend from it (Elasticsearch has a launcher, Postgres one process for each connection).

# Field 22 of /proc/<pid>/stat; with the pid it names one process for good, so a recycled pid is never signalled.
start_time() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return
  stat=${stat##*) }
  awk '{print $20}' <<<"$stat"
}

state_of() { # R, S, T (stopped), Z … of a pid
  sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null
}

pid_of() { # prints the pid if the server is running (or paused)
  local pid started
  [[ -e $RUN/$1.pid ]] || return
  read -r pid started <"$RUN/$1.pid" || return
  [[ -n $started && $(start_time "$pid") == "$started" && $(state_of "$pid") != Z ]] || return
  echo "$pid"
}

alive() { pid_of "$1" >/dev/null; }

any_alive() {
  local server
  for server in "${SERVERS[@]}"; do
    ! alive "$server" || return 0
  done
  return 1
}

family() { # a pid and its descendants
  local child
  echo "$1"
  for child in $(pgrep -P "$1"); do
    family "$child"
  done
}

spawn() { # server; returns at once
  local server=$1 pid
  [[ ! -e $LOGS/$server.log ]] || mv "$LOGS/$server.log" "$LOGS/$server.log.1"
  setsid "$HERE/stack" exec-server "$server" >"$LOGS/$server.log" 2>&1 </dev/null 9>&- &
  pid=$!
  echo "$pid $(start_time "$pid")" >"$RUN/$server.pid"
}

# Runs a command as somebody who is not root, which Postgres and Elasticsearch insist on, and who can still reach the
# checkout: its owner if that is not root; otherwise root's own files seen from a user namespace in which root is called
# `daemon` (so a checkout in a folder closed to others works); where namespaces are forbidden, `daemon` itself.
exec_unprivileged() { # folders it must own, --, command
  local folders=() owner user
  while [[ $1 != -- ]]; do
    folders+=("$1")
    shift
  done
  shift
  ((EUID == 0)) || exec "$@"

  owner=$(stat -c %u "$ROOT")
  user=$(id -u daemon)
  if ((owner == 0)) && unshare --user --map-user="$user" --map-group="$user" true 2>/dev/null; then
    exec unshare --user --map-user="$user" --map-group="$user" "$@"
  fi
  ((owner == 0)) || user=$owner
  chown -R "$user" "${folders[@]}"
  exec setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups "$@"
}

signal_family() { # signal, server
  local pid pids
  pid=$(pid_of "$2") || die "$2 is not running"
  mapfile -t pids < <(family "$pid")
  # A process of the family may have ended between the listing and the signal.
  kill "-$1" "${pids[@]}" 2>/dev/null || alive "$2" || true
}

wait_gone() { # server, pids of its family before it was told to go
  local server=$1 deadline=$((SECONDS + STOP_TIMEOUT))
  shift
  while :; do
    local left=() pid
    for pid in "$@"; do
      [[ -e /proc/$pid && $(state_of "$pid") != Z ]] && left+=("$pid")
    done
    ((${#left[@]})) || break
    if ((SECONDS >= deadline)); then
      say "$server did not stop within ${STOP_TIMEOUT}s and is killed"
      kill -KILL "${left[@]}" 2>/dev/null || true
      deadline=$((SECONDS + STOP_TIMEOUT))
    fi
    sleep 0.1
  done
  rm -f "$RUN/$server.pid"
}

stop_server() { # the server's own orderly stop, then patience, then SIGKILL
  local server=$1 pid pids signal
  pid=$(pid_of "$server") || {
    rm -f "$RUN/$server.pid"
    return 0
  }
  mapfile -t pids < <(family "$pid")
  # Postgres: INT is a "fast" shutdown; TERM would wait for every client to leave.
  signal=TERM
  [[ $server != postgres ]] || signal=INT
  kill "-$signal" "$pid" 2>/dev/null || true
  # A paused server takes the signal only when it goes on.
  kill -CONT "${pids[@]}" 2>/dev/null || true
  wait_gone "$server" "${pids[@]}"
}

kill_server() {
  local pid pids
  pid=$(pid_of "$1") || die "$1 is not running"
  mapfile -t pids < <(family "$pid")
  kill -KILL "${pids[@]}" 2>/dev/null || true
  wait_gone "$1" "${pids[@]}"
}

fail_start() { # server, what happened
  printf 'stack: %s %s. The last lines of %s:\n' "$1" "$2" "$LOGS/$1.log" >&2
  tail -n 25 "$LOGS/$1.log" | sed 's/^/    /' >&2
  return 1
}

wait_ready() { # server, SECONDS at which patience ends
  while ! ask_server "$1" ready >/dev/null 2>&1; do
    alive "$1" || { fail_start "$1" "stopped while starting" || return; }
    ((SECONDS < $2)) || { fail_start "$1" "was not ready in time (START_TIMEOUT=$START_TIMEOUT seconds)" || return; }
    sleep 0.2
  done
  # Another program on the same port must not pass for the server.
  alive "$1" || fail_start "$1" "stopped while starting"
}

# Each file in servers/ defines: serve (prepares its folder, then execs the server), ready, and if needed once_ready.
ask_server() { # server, function
  (
    # shellcheck source=/dev/null
    source "$HERE/servers/$1.sh"
    ! declare -F "$2" >/dev/null || "$2"
  )
}
