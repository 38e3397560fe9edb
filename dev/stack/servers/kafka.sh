# shellcheck shell=bash
# One Kafka node, broker and controller in one process (KRaft).

HOME_DIR=$STACK_DIR/kafka

serve() {
  mkdir -p "$HOME_DIR"
  cd "$HOME_DIR" || exit
  write_properties
  # The property files of Kafka write every appender themselves; here everything goes to stdout, which is the log file.
  local java=("$(java_home)/bin/java" -cp "$(kafka_lib)/*" "-Dlog4j2.configurationFile=$HERE/servers/log4j2.properties")
  if [[ ! -e data/meta.properties ]]; then
    rm -rf data
    "${java[@]}" -XX:TieredStopAtLevel=1 kafka.tools.StorageTool format -c server.properties -t "$(cluster_id)"
  fi
  exec "${java[@]}" -Xms256m -Xmx512m kafka.Kafka server.properties
}

# 16 random bytes in URL-safe base64, as Kafka's own `random-uuid`, without the start of a JVM. It must not begin with '-'.
cluster_id() { echo "s$(head -c 15 /dev/urandom | base64 | tr '+/' 'AB' | cut -c1-19)Qw"; }

write_properties() {
  cat >server.properties <<EOF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$KAFKA_CONTROLLER_PORT
listeners=PLAINTEXT://127.0.0.1:$KAFKA_PORT,CONTROLLER://127.0.0.1:$KAFKA_CONTROLLER_PORT,SASL://127.0.0.1:$KAFKA_SASL_PORT
advertised.listeners=PLAINTEXT://127.0.0.1:$KAFKA_PORT,SASL://127.0.0.1:$KAFKA_SASL_PORT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT
# Users are made by who needs one, and must show their password again every few seconds.
sasl.enabled.mechanisms=SCRAM-SHA-256
listener.name.sasl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl.connections.max.reauth.ms=3000
log.dirs=data
# A topic is made by whoever means to, with the partitions it must have; a misspelt name must not make one.
auto.create.topics.enable=false
delete.topic.enable=true
# One node: internal topics have one replica, and few partitions, which load quickly.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
# Groups form at once, and tests may ask for short sessions.
group.coordinator.rebalance.protocols=classic,consumer
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
group.consumer.min.session.timeout.ms=1000
group.consumer.session.timeout.ms=10000
group.consumer.min.heartbeat.interval.ms=500
group.consumer.heartbeat.interval.ms=1000
# The default of 128 MiB would be a quarter of the heap.
log.cleaner.dedupe.buffer.size=16777216
log.cleaner.backoff.ms=1000
num.network.threads=2
num.io.threads=4
EOF
}

ready() {
  grep -q 'Kafka Server started' "$LOGS/kafka.log" && port_taken "$KAFKA_PORT"
}
