# Pods on our own containerd, by its CRI plugin: what the kubelet would ask for.

# start_cri PAUSE_IMAGE: containerd with the handler as `hamictl configure` writes it. Pods have the host's network, so
# that no network plugin is needed; nothing may ask for a negative oom_score_adj, which needs a capability.
start_cri() {
  need protoc
  need_built bin/hamictl
  [ -x "$HAMI_BUILD_DIR/bin/cri-client" ] || {
    echo "$HAMI_BUILD_DIR/bin/cri-client is missing; install libgrpc++-dev and libprotobuf-dev, configure and build" >&2
    return 1
  }
  CONTAINERD_NAMESPACE=k8s.io
  protoc --proto_path="$HAMI_SOURCE_DIR/tests/system/cri" --descriptor_set_out="$F/cri.desc" cri.proto
  containerd_config
  cat >>"$F/containerd/config.toml" <<TOML
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "$1"
  restrict_oom_score_adj = true
  disable_hugetlb_controller = true
  disable_apparmor = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
TOML
  "$HAMI_BUILD_DIR/bin/hamictl" configure --engine containerd --config "$F/containerd/config.toml" \
    --state-dir "$F/containerd/configure" --runtime-path "$HAMI" >"$F/containerd/configure.log"
  start_containerd
  wait_for 30 cri ListPodSandbox '{}'
}

# cri METHOD REQUEST: the answer, as JSON.
cri() {
  "$HAMI_BUILD_DIR/bin/cri-client" "$CONTAINERD_SOCKET" "$F/cri.desc" "$1" <<<"$2"
}

# import_cri_image ROOTFS NAME [VARIABLE=VALUE...]: containerd tells its CRI plugin of a new image some time later.
import_cri_image() {
  import_ctr_image "$@"
  wait_for 30 has_cri_image "$2"
}

has_cri_image() { cri ListImages '{}' | jq -e --arg name "$1" 'any(.images[]?.repo_tags[]?; . == $name)'; }

# run_sandbox NAME [KEY=VALUE...]: a Pod with these annotations; its id is in $sandbox, its configuration in $T/NAME.pod.
run_sandbox() {
  local answer
  mkdir -p "$T/$1.logs"
  jq -n --arg name "$1" --arg logs "$T/$1.logs" --arg cgroup "/$HAMI_TEST_NAME" '{
    metadata: {name: $name, uid: ("uid-" + $name), namespace: "default"}, log_directory: $logs,
    annotations: ([$ARGS.positional[] | capture("^(?<key>[^=]*)=(?<value>.*)$")] | from_entries),
    linux: {cgroup_parent: $cgroup, security_context: {namespace_options: {network: "NODE", pid: "CONTAINER"}}}}' \
    --args -- "${@:2}" >"$T/$1.pod"
  answer=$(cri RunPodSandbox "$(jq '{config: ., runtime_handler: "hami"}' "$T/$1.pod")")
  sandbox=$(jq -r .pod_sandbox_id <<<"$answer")
}

# create_container POD CONTAINER IMAGE [VARIABLE=VALUE...]: of the sandbox that run_sandbox made last; its id is in
# $container.
create_container() {
  local answer
  answer=$(cri CreateContainer "$(jq --arg sandbox "$sandbox" --arg name "$2" --arg image "$3" '{
    pod_sandbox_id: $sandbox, sandbox_config: ., config: {
      metadata: {name: $name}, image: {image: $image}, command: ["sleep", "100000"], log_path: ($name + ".log"),
      envs: [$ARGS.positional[] | capture("^(?<key>[^=]*)=(?<value>.*)$")],
      linux: {security_context: {namespace_options: {network: "NODE", pid: "CONTAINER"}}}}}' \
    --args -- "${@:4}" <"$T/$1.pod")")
  container=$(jq -r .container_id <<<"$answer")
}

start_cri_container() { cri StartContainer "$(jq -n --arg id "$1" '{container_id: $id}')"; }

# cri_exec CONTAINER COMMAND...: what it prints; fails with its exit status.
cri_exec() {
  local answer
  answer=$(cri ExecSync "$(jq -n --arg id "$1" '{container_id: $id, cmd: $ARGS.positional, timeout: 30}' \
    --args -- "${@:2}")")
  jq -r '(.stdout // "" | @base64d), (.stderr // "" | @base64d)' <<<"$answer"
  return "$(jq '.exit_code // 0' <<<"$answer")"
}

# remove_pods: every container and sandbox there is.
remove_pods() {
  local id
  for id in $(cri ListContainers '{}' | jq -r '.containers[]?.id'); do
    cri StopContainer "{\"container_id\": \"$id\"}"
    cri RemoveContainer "{\"container_id\": \"$id\"}"
  done
  for id in $(cri ListPodSandbox '{}' | jq -r '.items[]?.id'); do
    cri StopPodSandbox "{\"pod_sandbox_id\": \"$id\"}"
    cri RemovePodSandbox "{\"pod_sandbox_id\": \"$id\"}"
  done
}
