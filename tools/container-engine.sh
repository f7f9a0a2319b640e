#!/usr/bin/env bash
# A Docker engine of one's own, in a network of its own, that shares nothing with any other engine of the machine.
#   tools/container-engine.sh start <folder>    prints its socket; needs root, dockerd, nsenter and ip
#   tools/container-engine.sh stop <folder>     ends what `start` has started there, and removes the folder
set -euo pipefail

folder=${2:?"usage: $0 start|stop <folder>"}
network="dcx-engine-$(basename "$folder" | tr -cd 'A-Za-z0-9')"

start() {
  mkdir -p "$folder"
  # Its bridge and firewall rules stay in this network. `ip netns exec` would hide the control groups.
  ip netns add "$network"
  nsenter "--net=/run/netns/$network" ip link set lo up
  local log="$folder/dockerd.log"
  nsenter "--net=/run/netns/$network" dockerd --host "unix://$folder/docker.sock" --data-root "$folder/data" \
    --exec-root "$folder/exec" --pidfile "$folder/docker.pid" </dev/null >"$log" 2>&1 &
  local pid=$!
  for _ in $(seq 300); do
    if curl -fsS --max-time 2 --unix-socket "$folder/docker.sock" http://engine/_ping >/dev/null 2>&1; then
      echo "$folder/docker.sock"
      return 0
    fi
    if ! kill -0 "$pid" 2>/dev/null; then
      break
    fi
    sleep 0.1
  done
  echo "the container engine did not start:" >&2
  tail -n 20 "$log" >&2
  stop
  return 1
}

stop() {
  local pid
  pid=$(cat "$folder/docker.pid" 2>/dev/null || true)
  # The pid may be another process's by now.
  if [ -n "$pid" ] && tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF "$folder"; then
    kill "$pid" || true
    for _ in $(seq 300); do
      [ -d "/proc/$pid" ] || break
      sleep 0.1
    done
  fi
  # Mounts that an engine leaves behind would be emptied with the folder.
  awk -v folder="$folder/" 'index($2, folder) == 1 { print $2 }' /proc/mounts | sort -r | while read -r place; do
    umount -l "$place" || true
  done
  ip netns delete "$network" 2>/dev/null || true
  rm -rf "$folder"
}

case "$1" in
  start | stop) "$1" ;;
  *) echo "usage: $0 start|stop <folder>" >&2 && exit 2 ;;
esac
