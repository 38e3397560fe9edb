# shellcheck shell=bash
# A distributed Kafka Connect worker with the Debezium plugin. It starts beside the broker and waits for it.

HOME_DIR=$STACK_DIR/connect

serve() {
  mkdir -p "$HOME_DIR"
  cd "$HOME_DIR" || exit
  write_properties
  # What connectors may read as ${env:NAME}; see connectors/README.md.
  export PG_HOST=127.0.0.1 PG_PORT PG_USER PG_PASSWORD PG_DATABASE
  exec "$(java_home)/bin/java" -Xms128m -Xmx512m -cp "$(kafka_lib)/*" "-Dlog4j2.configurationFile=$HERE/servers/log4j2.properties" \
    org.apache.kafka.connect.cli.ConnectDistributed worker.properties
}

write_properties() {
  cat >worker.properties <<EOF
bootstrap.servers=127.0.0.1:$KAFKA_PORT
group.id=connect
listeners=http://127.0.0.1:$CONNECT_PORT
plugin.path=$(plugins_dir)
# Plugins that say in a manifest what they are; reading every class instead takes seconds.
plugin.discovery=service_load
key.converter=org.apache.kafka.connect.json.JsonConverter
key.converter.schemas.enable=false
value.converter=org.apache.kafka.connect.json.JsonConverter
value.converter.schemas.enable=false
config.providers=env
config.providers.env.class=org.apache.kafka.common.config.provider.EnvVarConfigProvider
config.providers.env.param.allowlist.pattern=PG_.*
config.storage.topic=connect-configs
config.storage.replication.factor=1
offset.storage.topic=connect-offsets
offset.storage.replication.factor=1
offset.storage.partitions=1
status.storage.topic=connect-status
status.storage.replication.factor=1
status.storage.partitions=1
# After a crash little is sent twice, and a restarted worker takes its tasks back at once.
offset.flush.interval.ms=1000
scheduled.rebalance.max.delay.ms=0
topic.creation.enable=true
EOF
}

ready() { curl -sf -m 2 "http://127.0.0.1:$CONNECT_PORT/connectors"; }
