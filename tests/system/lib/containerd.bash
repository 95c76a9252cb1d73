# A containerd of our own: private root, state and socket. Without its CRI plugin, unless lib/cri adds it.

CONTAINERD_SOCKET=$F/containerd/containerd.sock
CONTAINERD_NAMESPACE=$HAMI_TEST_NAME

# containerd_config [LINE...]: its configuration, with these lines among those of the whole file.
containerd_config() {
  mkdir -p "$F/containerd"
  {
    printf '%s\n' 'version = 2' "$@"
    cat <<TOML
root = "$F/containerd/root"
state = "$F/containerd/state"
[grpc]
  address = "$CONTAINERD_SOCKET"
[plugins."io.containerd.internal.v1.opt"]
  path = "$F/containerd/opt"
TOML
  } >"$F/containerd/config.toml"
}

start_containerd() {
  need containerd ctr
  [ -e "$F/containerd/config.toml" ] || containerd_config 'disabled_plugins = ["io.containerd.grpc.v1.cri"]'
  background "$F/containerd/log" containerd --config "$F/containerd/config.toml"
  echo $! >"$F/containerd/pid"
  wait_for 30 private_ctr version
}

stop_containerd() {
  local pid
  pid=$(<"$F/containerd/pid")
  kill "$pid"
  wait_for 20 process_ended "$pid"
}

private_ctr() {
  ctr --address "$CONTAINERD_SOCKET" --namespace "$CONTAINERD_NAMESPACE" "$@"
}

# import_ctr_image ROOTFS NAME [VARIABLE=VALUE...]: an image of one layer, as an OCI archive, with the words of
# $IMAGE_COMMAND as its command.
import_ctr_image() {
  local dir=$F/oci-image layer config manifest
  mkdir -p "$dir/blobs/sha256"
  tar -C "$1" -cf "$dir/layer" .
  layer=$(add_blob "$dir" "$dir/layer")
  jq -n --arg layer "sha256:$layer" --arg command "${IMAGE_COMMAND-sh}" '{architecture: "amd64", os: "linux",
    config: {Cmd: ($command | split(" ")),
    Env: (["PATH=/usr/local/bin:/usr/bin:/bin:/sbin:/usr/sbin"] + $ARGS.positional)},
    rootfs: {type: "layers", diff_ids: [$layer]}}' --args -- "${@:3}" >"$dir/config"
  config=$(add_blob "$dir" "$dir/config")
  jq -n --arg layer "sha256:$layer" --arg config "sha256:$config" \
    --argjson layer_size "$(stat -c %s "$dir/blobs/sha256/$layer")" \
    --argjson config_size "$(stat -c %s "$dir/blobs/sha256/$config")" '{schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: {mediaType: "application/vnd.oci.image.config.v1+json", digest: $config, size: $config_size},
    layers: [{mediaType: "application/vnd.oci.image.layer.v1.tar", digest: $layer, size: $layer_size}]}' >"$dir/manifest"
  manifest=$(add_blob "$dir" "$dir/manifest")
  jq -n --arg digest "sha256:$manifest" --arg name "$2" --argjson size "$(stat -c %s "$dir/blobs/sha256/$manifest")" \
    '{schemaVersion: 2, manifests: [{mediaType: "application/vnd.oci.image.manifest.v1+json", digest: $digest,
    size: $size, annotations: {"io.containerd.image.name": $name}}]}' >"$dir/index.json"
  echo '{"imageLayoutVersion": "1.0.0"}' >"$dir/oci-layout"
  tar -C "$dir" -cf "$F/image.tar" blobs index.json oci-layout
  private_ctr image import "$F/image.tar" >/dev/null
}

# add_blob LAYOUT FILE: moves the file among the blobs and prints its digest.
add_blob() {
  local digest
  digest=$(sha256sum "$2" | cut -d' ' -f1)
  mv "$2" "$1/blobs/sha256/$digest"
  echo "$digest"
}
