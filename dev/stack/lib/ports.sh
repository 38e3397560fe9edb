# shellcheck shell=bash
# Chooses the ports of this checkout and writes the one file that the demo, tests and benchmarks read.
# Ports are PORT_BASE plus a fixed number, so that the base alone says everything; it is kept in .stack/port-base.

PORT_COUNT=10
# Below the kernel's ephemeral ports (32768 and up), where a client's port could be in the way.
PORT_FIRST=20000
PORT_BASES=600

# shellcheck disable=SC2034 # the server files read them
set_ports() { # from PORT_BASE
  KAFKA_PORT=$PORT_BASE
  KAFKA_CONTROLLER_PORT=$((PORT_BASE + 1))
  CONNECT_PORT=$((PORT_BASE + 2))
  PG_PORT=$((PORT_BASE + 3))
  ES_PORT=$((PORT_BASE + 4))
  ES_TRANSPORT_PORT=$((PORT_BASE + 5))
  REDIS_PORT=$((PORT_BASE + 6))
  NEO4J_PORT=$((PORT_BASE + 7))
  KAFKA_SASL_PORT=$((PORT_BASE + 8))
}

# A listener on any address counts, whoever owns it; /proc is read because it needs neither a tool nor rights.
port_taken() {
  local hex files=(/proc/net/tcp)
  hex=$(printf '%04X' "$1")
  [[ ! -e /proc/net/tcp6 ]] || files+=(/proc/net/tcp6)
  grep -qE "^ *[0-9]+: [0-9A-F]+:$hex [0-9A-F]+:[0-9A-F]+ 0A " "${files[@]}"
}

taken_port() { # prints the first taken port of a base
  local port
  for ((port = $1; port < $1 + PORT_COUNT; port++)); do
    if port_taken "$port"; then
      echo "$port"
      return
    fi
  done
  return 1
}

# Starts at a place that depends on the stack's folder: two that start at one moment rarely ask for the same one.
free_base() {
  local start i base
  start=$(($(cksum <<<"$STACK_DIR" | cut -d' ' -f1) % PORT_BASES))
  for ((i = 0; i < PORT_BASES; i++)); do
    base=$((PORT_FIRST + (start + i) % PORT_BASES * PORT_COUNT))
    if ! taken_port "$base" >/dev/null; then
      echo "$base"
      return
    fi
  done
  die "no $PORT_COUNT free ports in a row from $PORT_FIRST on"
}

# While a server of this checkout runs, the base is the one it was started with.
choose_ports() {
  local wanted=${PORT_BASE:-} kept="" port
  [[ ! -e $STACK_DIR/port-base ]] || kept=$(<"$STACK_DIR/port-base")
  [[ -z $wanted || $wanted =~ ^[0-9]+$ && $wanted -gt 1023 && $wanted -le 65500 ]] || die "PORT_BASE is '$wanted'; it must be a number from 1024 to 65500"

  if any_alive; then
    [[ -z $wanted || $wanted == "$kept" ]] || die "servers of this checkout run on PORT_BASE $kept; 'make stack-down' first to move them to $wanted"
    PORT_BASE=$kept
  elif [[ -n $wanted ]]; then
    ! port=$(taken_port "$wanted") || die "PORT_BASE=$wanted: port $port is used by another program; choose another base (it takes $PORT_COUNT ports) or leave PORT_BASE out"
    PORT_BASE=$wanted
  elif [[ -n $kept ]] && ! taken_port "$kept" >/dev/null; then
    PORT_BASE=$kept
  else
    PORT_BASE=$(free_base)
  fi
  echo "$PORT_BASE" >"$STACK_DIR/port-base"
  set_ports
  write_env
}

load_ports() { # for commands that change nothing
  [[ -e $STACK_DIR/port-base ]] || die "no stack here yet; start it with: make stack-up"
  PORT_BASE=$(<"$STACK_DIR/port-base")
  set_ports
}

# Everything listens on loopback only, so the passwords guard nothing; they are there because the real ones will be.
PG_USER=postgres
PG_PASSWORD=postgres
PG_DATABASE=ecommerce
NEO4J_USER=neo4j
NEO4J_PASSWORD=distributary

write_env() {
  cat >"$ENV_FILE.part" <<EOF
# Written by dev/stack at each start; changes are lost. Read it with: set -a; . .stack/env
KAFKA_BROKERS=127.0.0.1:$KAFKA_PORT
KAFKA_SASL_BROKERS=127.0.0.1:$KAFKA_SASL_PORT
CONNECT_URL=http://127.0.0.1:$CONNECT_PORT
PG_HOST=127.0.0.1
PG_PORT=$PG_PORT
PG_USER=$PG_USER
PG_PASSWORD=$PG_PASSWORD
PG_DATABASE=$PG_DATABASE
PG_URL=postgresql://$PG_USER:$PG_PASSWORD@127.0.0.1:$PG_PORT/$PG_DATABASE
ES_URL=http://127.0.0.1:$ES_PORT
REDIS_URL=redis://127.0.0.1:$REDIS_PORT
NEO4J_URI=bolt://127.0.0.1:$NEO4J_PORT
NEO4J_USER=$NEO4J_USER
NEO4J_PASSWORD=$NEO4J_PASSWORD
STACK_COMMAND=$(printf %q "$HERE/stack")
STACK_LOGS=$(printf %q "$LOGS")
STACK_PIDS=$(printf %q "$RUN")
EOF
  mv "$ENV_FILE.part" "$ENV_FILE"
}
