# OCI bundles.

# make_bundle DIR ROOTFS COMMAND...: a bundle with its own copy of the rootfs, no terminal, cgroups named after this run.
make_bundle() {
  local dir=$1 rootfs=$2
  shift 2
  mkdir -p "$dir"
  cp -a "$rootfs" "$dir/rootfs"
  (cd "$dir" && runc spec)
  edit_bundle "$dir" --arg cgroup "/$HAMI_TEST_NAME/$(basename "$dir")" '
    .process.args = $ARGS.positional | .process.terminal = false | .root.readonly = false |
    .linux.cgroupsPath = $cgroup | del(.process.rlimits)' --args -- "$@"
}

# edit_bundle DIR JQ_ARGUMENTS...: config.json through jq.
edit_bundle() {
  local config=$1/config.json
  shift
  # The file goes in by stdin: behind --args jq takes every word for an argument.
  jq "$@" <"$config" >"$config.new"
  mv "$config.new" "$config"
}

# annotate DIR KEY=VALUE...
annotate() {
  local dir=$1 pair
  shift
  for pair in "$@"; do
    edit_bundle "$dir" --arg key "${pair%%=*}" --arg value "${pair#*=}" '.annotations[$key] = $value'
  done
}
