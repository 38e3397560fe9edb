# shellcheck shell=bash
# Registers Debezium connectors with the Connect worker and says why one failed.

connect_api() { # method, path, curl options
  local method=$1 path=$2
  shift 2
  curl -sS -m 30 -X "$method" -H 'Content-Type: application/json' "$@" "http://127.0.0.1:$CONNECT_PORT$path"
}

connector_command() { # register|status|delete, name, file
  local action=${1:-} name=${2:-ecommerce} file=${3:-$ROOT/connectors/${2:-ecommerce}.json}
  case $action in
  register) connector_register "$name" "$file" ;;
  status) connect_api GET "/connectors/$name/status" | jq . ;;
  delete) connect_api DELETE "/connectors/$name" -f && say "connector $name is deleted; its offsets, slot and topics remain" ;;
  *) die "usage: stack connector register|status|delete [NAME] [FILE]" ;;
  esac
}

# PUT creates or replaces, so registering twice is harmless. 409 means that the worker is rebalancing: ask again.
connector_register() {
  local name=$1 file=$2 deadline=$((SECONDS + START_TIMEOUT)) answer code
  [[ -r $file ]] || die "no connector configuration at $file"
  while :; do
    answer=$(connect_api PUT "/connectors/$name/config" --data-binary "@$file" -w '\n%{http_code}') ||
      die "the Connect worker does not answer; is the stack up? (make stack-up)"
    code=${answer##*$'\n'}
    answer=${answer%$'\n'*}
    [[ $code != 409 ]] && break
    ((SECONDS < deadline)) || die "connector $name: the Connect worker is still rebalancing"
    sleep 0.5
  done
  [[ $code == 20[01] ]] || die "connector $name was refused ($code): $(jq -r '.message // .' <<<"$answer" 2>/dev/null || echo "$answer")"
  connector_wait "$name" "$deadline"
}

# A connector can be RUNNING while its only task has FAILED; both must run.
connector_wait() {
  local name=$1 deadline=$2 status states
  while :; do
    status=$(connect_api GET "/connectors/$name/status")
    states=$(jq -r '[.connector.state, .tasks[]?.state] | join(" ")' <<<"$status" 2>/dev/null)
    case $states in
    *FAILED*)
      jq -r '[.connector, .tasks[]] | map(.trace // empty) | unique[]' <<<"$status" >&2
      die "connector $name failed; the trace is above, the worker's log is $LOGS/connect.log"
      ;;
    "RUNNING RUNNING"*) break ;;
    esac
    ((SECONDS < deadline)) || die "connector $name is not running in time; its state: ${states:-unknown}; the worker's log is $LOGS/connect.log"
    sleep 0.2
  done
  say "connector $name is running"
}
