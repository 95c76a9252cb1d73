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

# hooked_bundle DIR PLAN COMMAND...: a bundle whose only hook is ours: the program $HOOK, with this plan.
hooked_bundle() {
  local dir=$1 plan=$2
  make_bundle "$dir" "$F/rootfs" "${@:3}"
  install -m 0644 /dev/stdin "$dir/plan.json" <<<"$plan"
  edit_bundle "$dir" --arg hook "$HOOK" --arg plan "$dir/plan.json" '
    .hooks.createContainer = [{path: $hook, args: ["hami-hook", "create-container", "--plan", $plan],
                               env: ["PATH=/usr/bin"], timeout: 60}]'
}
