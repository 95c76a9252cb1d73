#!/bin/sh
# install.sh install|remove: puts the runtime on the node whose root file system is at $HOST, and into its containerd.
#
#   HOST      the node's root file system                        (/host)
#   PRODUCT   what to install, as `cmake --install` lays it out  (/product)
#   CONFIG    containerd's file, as the node names it            (hamictl's default; for k3s and RKE2 the template)
#   RESTART   command that makes containerd read its file again  (systemctl on the node, when the file changed)
#
# Files are replaced by renaming, so containers that start meanwhile find the old program or the new one.
set -eu

HOST=${HOST:-/host}
PRODUCT=${PRODUCT:-/product}
RESTART=${RESTART:-nsenter --target 1 --mount --uts --ipc --net -- systemctl restart containerd}
PLACES='usr/bin usr/lib/hami usr/libexec/hami usr/share/hami'

product_files() {
  for place in $PLACES; do
    [ ! -d "$PRODUCT/$place" ] || (cd "$PRODUCT" && find "$place" -type f -o -type l)
  done
}

copy_files() {
  product_files | while read -r path; do
    mkdir -p "$HOST/$(dirname "$path")"
    cp -dp "$PRODUCT/$path" "$HOST/$path.new"
    chown -h 0:0 "$HOST/$path.new"
    mv -f "$HOST/$path.new" "$HOST/$path"
  done
  # The node's own policy stays.
  mkdir -p "$HOST/etc/hami/vendors.d"
  [ -e "$HOST/etc/hami/config.toml" ] || cp "$PRODUCT/etc/hami/config.toml" "$HOST/etc/hami/config.toml"
}

# configure OPTION...: true when containerd must read its file again.
configure() {
  answer=$(chroot "$HOST" /usr/bin/hamictl configure --engine containerd ${CONFIG:+--config "$CONFIG"} "$@") || exit
  printf '%s\n' "$answer"
  case $answer in *': nothing to change') return 1 ;; esac
}

case ${1-} in
  install)
    copy_files
    if configure; then $RESTART; fi
    ;;
  remove)
    if configure --undo; then $RESTART; fi
    product_files | while read -r path; do rm -f "$HOST/$path"; done
    for place in usr/lib/hami/shim-path usr/lib/hami usr/libexec/hami usr/share/hami/vendors usr/share/hami/hooks.d usr/share/hami; do
      rmdir "$HOST/$place" 2>/dev/null || true
    done
    ;;
  *)
    echo "usage: install.sh install|remove" >&2
    exit 64
    ;;
esac
