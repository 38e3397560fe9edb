# shellcheck shell=bash
# One Elasticsearch node without security (HTTP on loopback only).

HOME_DIR=$STACK_DIR/elasticsearch

serve() {
  mkdir -p "$HOME_DIR"/{config/jvm.options.d,data,tmp}
  cp "$(elasticsearch_home)"/config/{jvm.options,log4j2.properties} "$HOME_DIR/config/"
  write_settings
  export ES_JAVA_HOME ES_PATH_CONF=$HOME_DIR/config ES_TMPDIR=$HOME_DIR/tmp
  ES_JAVA_HOME=$(java_home)
  # Two JVMs: the launcher needs next to nothing.
  export CLI_JAVA_OPTS="-Xmx32m -XX:+UseSerialGC -XX:TieredStopAtLevel=1"
  unset JAVA_HOME
  cd "$HOME_DIR" || exit
  exec_unprivileged "$HOME_DIR" -- "$(elasticsearch_home)/bin/elasticsearch"
}

write_settings() {
  printf -- '-Xms1g\n-Xmx1g\n' >"$HOME_DIR/config/jvm.options.d/heap.options"
  cat >"$HOME_DIR/config/elasticsearch.yml" <<EOF
cluster.name: distributary-stack
node.name: stack
discovery.type: single-node
network.host: 127.0.0.1
http.port: $ES_PORT
transport.port: $ES_TRANSPORT_PORT
path.data: "$HOME_DIR/data"
path.logs: "$HOME_DIR"
xpack.security.enabled: false
# A developer's disk is often 90 % full, and the node would then turn its indices read-only.
cluster.routing.allocation.disk.threshold_enabled: false
EOF
}

ready() { curl -sf -m 2 "http://127.0.0.1:$ES_PORT/_cluster/health?wait_for_status=yellow&timeout=1s"; }
