# shellcheck shell=bash
# Redis as a cache: nothing is written to disk, a restart is an empty cache.

serve() {
  mkdir -p "$STACK_DIR/redis"
  exec redis-server --port "$REDIS_PORT" --bind 127.0.0.1 --save '' --appendonly no --dir "$STACK_DIR/redis" --daemonize no
}

ready() { [[ $(redis-cli -h 127.0.0.1 -p "$REDIS_PORT" ping) == PONG ]]; }
