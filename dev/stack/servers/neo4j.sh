# shellcheck shell=bash
# Neo4j community with bolt only.

HOME_DIR=$STACK_DIR/neo4j

serve() {
  mkdir -p "$HOME_DIR/conf"
  cd "$HOME_DIR" || exit
  write_settings
  local java
  java=$(java_home)/bin/java
  if [[ ! -e data/dbms/auth.ini && ! -e data/databases/system ]]; then
    NEO4J_HOME=$HOME_DIR NEO4J_CONF=$HOME_DIR/conf "$java" -XX:TieredStopAtLevel=1 -cp "$(neo4j_lib)/*" \
      org.neo4j.cli.AdminTool dbms set-initial-password "$NEO4J_PASSWORD"
  fi
  # Opened packages as in the server's own neo4j.conf, for its off-heap memory and Netty.
  exec "$java" -Xms256m -Xmx512m -cp "$(neo4j_lib)/*" \
    --add-opens=java.base/java.nio=ALL-UNNAMED --add-opens=java.base/java.io=ALL-UNNAMED \
    --add-opens=java.base/sun.nio.ch=ALL-UNNAMED --add-opens=java.base/java.util.concurrent=ALL-UNNAMED \
    -Dio.netty.tryReflectionSetAccessible=true \
    org.neo4j.server.CommunityEntryPoint --home-dir="$HOME_DIR" --config-dir="$HOME_DIR/conf"
}

write_settings() {
  cat >conf/neo4j.conf <<EOF
server.default_listen_address=127.0.0.1
server.bolt.listen_address=127.0.0.1:$NEO4J_PORT
server.bolt.enabled=true
server.http.enabled=false
server.https.enabled=false
server.memory.pagecache.size=128m
# A client frozen in the middle of a transaction must not hold its locks for ever.
db.transaction.timeout=60s
${NEO4J_TRANSACTION_MEMORY:+db.memory.transaction.max=$NEO4J_TRANSACTION_MEMORY}
db.tx_log.rotation.retention_policy=100M size
dbms.usage_report.enabled=false
EOF
}

# The bolt handshake: the magic number and four proposed versions; the server answers with the one it chose.
ready() {
  local answer
  exec 3<>"/dev/tcp/127.0.0.1/$NEO4J_PORT" || return
  printf '\x60\x60\xb0\x17\x00\x04\x04\x05\x00\x00\x00\x04\x00\x00\x00\x03\x00\x00\x00\x00' >&3
  answer=$(head -c 4 <&3 | od -An -tu1)
  exec 3>&-
  [[ -n $answer && $answer != *" 0   0   0   0"* ]]
}
