#!/usr/bin/env bash
# A container engine of one's own, in a network of its own, that shares nothing with any other engine of the machine.
#   tools/container-engine.sh start <folder> [docker|mapped-docker|podman]
#                                                              prints its socket; needs root, nsenter, ip, curl, and
#                                                              dockerd, or podman with runc; under `mapped-docker` root
#                                                              in a container is nobody outside
#   tools/container-engine.sh stop <folder>                    ends what `start` has started there, and removes the folder
set -euo pipefail

folder=${2:?"usage: $0 start|stop <folder> [docker|mapped-docker|podman]"}
engine=${3:-docker}
network="dcx-engine-$(basename "$folder" | tr -cd 'A-Za-z0-9')"

start() {
  mkdir -p "$folder"
  # Its bridge and firewall rules stay in this network. `ip netns exec` would hide the control groups.
  ip netns add "$network"
  nsenter "--net=/run/netns/$network" ip link set lo up
  "start_${engine//-/_}" </dev/null >"$folder/engine.log" 2>&1 &
  local pid=$!
  echo "$pid" >"$folder/engine.pid"
  for _ in $(seq 300); do
    if curl -fsS --max-time 2 --unix-socket "$folder/engine.sock" http://engine/_ping >/dev/null 2>&1; then
      echo "$folder/engine.sock"
      return 0
    fi
    if ! kill -0 "$pid" 2>/dev/null; then
      break
    fi
    sleep 0.1
  done
  echo "the container engine did not start:" >&2
  tail -n 20 "$folder/engine.log" >&2
  stop
  return 1
}

start_docker() {
  exec nsenter "--net=/run/netns/$network" dockerd --host "unix://$folder/engine.sock" --data-root "$folder/data" \
    --exec-root "$folder/exec" --pidfile "$folder/docker.pid"
}

# The ranges of users are those of its own mount namespace; what others mount shows there too.
start_mapped_docker() {
  # Who root becomes has to get to its data through a folder that may be its owner's alone.
  chmod a+x "$folder"
  printf 'nobody:200000:65536\nnogroup:200000:65536\n' >"$folder/ranges"
  # shellcheck disable=SC2016
  exec nsenter "--net=/run/netns/$network" unshare --mount --propagation slave sh -c '
    mount --bind "$1/ranges" /etc/subuid && mount --bind "$1/ranges" /etc/subgid &&
      exec dockerd --host "unix://$1/engine.sock" --data-root "$1/data" --exec-root "$1/exec" \
        --pidfile "$1/docker.pid" --userns-remap nobody:nogroup' sh "$folder"
}

# Without limits of its own on files and processes it asks for none that this machine may not grant.
start_podman() {
  cat >"$folder/containers.conf" <<CONFIGURATION
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
log_driver = "k8s-file"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_config_dir = "$folder/networks"
CONFIGURATION
  cat >"$folder/storage.conf" <<CONFIGURATION
[storage]
driver = "overlay"
graphroot = "$folder/data"
runroot = "$folder/run"
CONFIGURATION
  mkdir -p "$folder/networks" "$folder/tmp"
  export CONTAINERS_CONF="$folder/containers.conf" CONTAINERS_STORAGE_CONF="$folder/storage.conf"
  # What runs containers leaves a file where it is when one of them takes too much memory.
  cd "$folder"
  exec nsenter "--net=/run/netns/$network" podman --tmpdir "$folder/tmp" system service --time=0 "unix://$folder/engine.sock"
}

stop() {
  local pid
  pid=$(cat "$folder/engine.pid" 2>/dev/null || true)
  # The pid may be another process's by now.
  if [ -n "$pid" ] && tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF "$folder"; then
    kill "$pid" || true
    for _ in $(seq 300); do
      [ -d "/proc/$pid" ] || break
      sleep 0.1
    done
  fi
  # What has watched a command in one of Podman's containers waits for minutes, to look after a folder that is gone then.
  grep -lsaF "$folder/" /proc/[0-9]*/cmdline | cut -d/ -f3 | while read -r pid; do
    if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = conmon ]; then kill -KILL "$pid" || true; fi
  done || true
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
