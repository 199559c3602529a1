#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
#
# Runs one command as N processes of one run on this machine, over the loopback:
#
#     docs/cluster/loopback.sh 2 perceiver-bench --mode=train --mesh=data:2 ...
#
# Each process gets the command with --coordinator, --num_processes and --process_id added. The exit
# code is 0 if all succeed, otherwise that of the first that failed. SIGTERM and SIGINT are passed
# on to all as SIGTERM.
#
# PORT   port of the coordinator; by default one that is free
# GRACE  seconds that the others have to end by themselves once one has failed (60); then they
#        get SIGTERM, and five seconds later SIGKILL
set -uo pipefail

complain() {
  echo "loopback.sh: $*" >&2
  exit 2
}

is_free() {
  ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

free_port() {
  local port
  for _ in {1..100}; do
    # Below the range from which outgoing connections take theirs.
    port=$((20000 + RANDOM % 10000))
    is_free "$port" && echo "$port" && return
  done
  return 1
}

running() {
  local ids
  ids=$(jobs -pr)
  [[ " ${ids//$'\n'/ } " == *" $1 "* ]]
}

send() {
  local process
  for process in "${processes[@]}"; do
    running "$process" && kill "-$1" "$process" 2>/dev/null
  done
}

[[ ${1:-} =~ ^[1-9][0-9]{0,2}$ && $# -ge 2 ]] || complain "usage: loopback.sh N COMMAND [ARGUMENT...]"
number=$1
shift
grace=${GRACE:-60}
[[ $grace =~ ^[0-9]{1,6}$ ]] || complain "GRACE=$grace: a number of seconds is due"
if [[ -n ${PORT:-} ]]; then
  [[ $PORT =~ ^[1-9][0-9]{0,4}$ ]] || complain "PORT=$PORT: a port is due"
  is_free "$PORT" || complain "PORT=$PORT: something listens there already"
  port=$PORT
else
  port=$(free_port) || complain "no free port found; name one with PORT"
fi

processes=()
trap 'send TERM' TERM INT
for ((id = 0; id < number; id++)); do
  "$@" --coordinator="127.0.0.1:$port" --num_processes="$number" --process_id="$id" &
  processes+=("$!")
  echo "loopback.sh: process $id has the process id $!" >&2
done

failure=0
while ((${#processes[@]})); do
  sleep 0.2
  left=()
  for process in "${processes[@]}"; do
    if running "$process"; then
      left+=("$process")
      continue
    fi
    wait "$process"
    code=$?
    if ((code != 0 && failure == 0)); then
      failure=$code
      deadline=$((SECONDS + grace))
      signal=TERM
    fi
  done
  processes=("${left[@]}")
  if ((failure != 0 && SECONDS >= deadline)); then
    send "$signal"
    signal=KILL
    deadline=$((SECONDS + 5))
  fi
done
exit "$failure"
