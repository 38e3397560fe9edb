# shellcheck shell=bash
# PostgreSQL with logical decoding. TCP only: a socket's path is limited to 107 bytes, which a deep checkout exceeds.

PG_BIN=/usr/lib/postgresql/$POSTGRES_MAJOR/bin
HOME_DIR=$STACK_DIR/postgres

serve() {
  mkdir -p "$HOME_DIR"
  chmod 700 "$HOME_DIR"
  exec_unprivileged "$HOME_DIR" -- "$HERE/servers/postgres-main" "$PG_BIN" "$HOME_DIR" "$PG_PORT" "$PG_USER" "$PG_PASSWORD"
}

query() { # database, statement
  PGPASSWORD=$PG_PASSWORD PGCONNECT_TIMEOUT=2 psql -XAtq -h 127.0.0.1 -p "$PG_PORT" -U "$PG_USER" -d "$1" -c "$2"
}

ready() { query postgres 'SELECT 1'; }

once_ready() {
  [[ $(query postgres "SELECT 1 FROM pg_database WHERE datname = '$PG_DATABASE'") == 1 ]] ||
    query postgres "CREATE DATABASE \"$PG_DATABASE\""
}
