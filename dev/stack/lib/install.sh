# shellcheck shell=bash
# Installs what is missing: Debian packages and Maven artefacts. Quick when everything is there.
# Debian's server packages start their services and create a default database cluster; here they must do neither, because
# the stack runs servers of its own and leaves the system as quiet as it was.

install_all() {
  install_debian
  install_java
  install_maven_artefacts
}

# --- Debian ---------------------------------------------------------------------------------------------------------

missing_packages() {
  local package
  for package in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || echo "$package"
  done
}

install_debian() {
  command -v dpkg-query >/dev/null || die "not a Debian system; install what provides: $DEBIAN_PACKAGES, and run again with the same commands on PATH"
  local missing
  # shellcheck disable=SC2086 # a list of words
  mapfile -t missing < <(missing_packages $DEBIAN_PACKAGES)
  command -v java >/dev/null || [[ -n ${JAVA_HOME:-} ]] || missing+=("$DEBIAN_JAVA_PACKAGE")
  command -v mvn >/dev/null || missing+=("$DEBIAN_MAVEN_PACKAGE")
  ((${#missing[@]})) || return 0

  ((EUID == 0)) || command -v sudo >/dev/null || die "these Debian packages are missing and neither root nor sudo is here: apt-get install ${missing[*]}"
  say "installing ${missing[*]}"
  local log
  log=$(mktemp)
  if ! as_root bash "$HERE/apt-quietly" "${missing[@]}" >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    die "apt could not install ${missing[*]} (whole log: $log)"
  fi
  rm -f "$log"
}

# --- Java -----------------------------------------------------------------------------------------------------------

java_home() { # the folder of the JDK that runs the servers
  if [[ -n ${JAVA_HOME:-} ]]; then
    echo "$JAVA_HOME"
  else
    local java
    java=$(readlink -f "$(command -v java)")
    echo "${java%/bin/java}"
  fi
}

install_java() {
  local release major
  release=$(java_home)/release
  major=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$release" 2>/dev/null)
  # Kafka 4 and Debezium 3 need 17; Neo4j 5.26 supports 17 and 21 only.
  [[ $major == 17 || $major == 21 ]] || die "Java 17 or 21 is needed, $(java_home) is ${major:-unknown}; set JAVA_HOME"
}

# --- Maven ----------------------------------------------------------------------------------------------------------

kafka_lib() { echo "$CACHE/kafka-$KAFKA_VERSION-log4j-$LOG4J_VERSION"; }
plugins_dir() { echo "$CACHE/connect-plugins-$DEBEZIUM_VERSION"; }
elasticsearch_home() { echo "$CACHE/elasticsearch-$ELASTICSEARCH_VERSION"; }
neo4j_lib() { echo "$CACHE/neo4j-$NEO4J_VERSION"; }

# Two checkouts may share a cache (STACK_CACHE), so each folder appears in one rename, under a lock.
install_maven_artefacts() {
  mkdir -p "$CACHE"
  (
    exec 8>"$CACHE/lock"
    flock 8
    fetch_folder "$(kafka_lib)" "Kafka $KAFKA_VERSION" fetch_kafka
    fetch_folder "$(plugins_dir)" "Debezium $DEBEZIUM_VERSION" fetch_debezium
    fetch_folder "$(elasticsearch_home)" "Elasticsearch $ELASTICSEARCH_VERSION" fetch_elasticsearch
    fetch_folder "$(neo4j_lib)" "Neo4j $NEO4J_VERSION" fetch_neo4j
  ) || exit 1
}

fetch_folder() { # folder, name for people, function that fills the folder given to it
  local folder=$1 name=$2 fill=$3
  [[ -d $folder ]] && return
  say "fetching $name"
  rm -rf "$folder.part"
  mkdir -p "$folder.part"
  "$fill" "$folder.part" >"$CACHE/fetch.log" 2>&1 || {
    tail -n 20 "$CACHE/fetch.log" >&2
    die "could not fetch $name; whole log: $CACHE/fetch.log"
  }
  mv "$folder.part" "$folder"
}

maven() { # goal of the dependency plugin, options
  local goal=$1
  shift
  # A repository of our own, so that nothing outside the checkout changes; settings (mirrors) are still the user's.
  mvn -B -q -Dstyle.color=never -Dmaven.repo.local="$CACHE/m2" \
    "org.apache.maven.plugins:maven-dependency-plugin:$MAVEN_DEPENDENCY_PLUGIN_VERSION:$goal" "$@"
}

fetch_kafka() {
  maven copy-dependencies -f "$HERE/maven/kafka.xml" -DincludeScope=runtime -DoutputDirectory="$1" \
    -Dkafka.version="$KAFKA_VERSION" -Dlog4j.version="$LOG4J_VERSION"
}

fetch_debezium() {
  maven copy -Dartifact="io.debezium:debezium-connector-postgres:$DEBEZIUM_VERSION:tar.gz:plugin" -DoutputDirectory="$1" &&
    tar -xzf "$1"/*.tar.gz -C "$1" && rm "$1"/*.tar.gz
}

# The official server with few modules: no scripts, no reindex, no machine learning.
fetch_elasticsearch() {
  maven copy -Dartifact="org.elasticsearch.distribution.integ-test-zip:elasticsearch:$ELASTICSEARCH_VERSION:zip" -DoutputDirectory="$1" &&
    unzip -q "$1"/*.zip -d "$1" && rm "$1"/*.zip && mv "$1"/elasticsearch-*/* "$1" && rmdir "$1/elasticsearch-$ELASTICSEARCH_VERSION"
}

fetch_neo4j() {
  maven copy-dependencies -f "$HERE/maven/neo4j.xml" -DincludeScope=runtime -DoutputDirectory="$1" -Dneo4j.version="$NEO4J_VERSION"
}
