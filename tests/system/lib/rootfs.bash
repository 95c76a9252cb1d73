# Root file systems of containers, made of what is installed here: nothing is downloaded.

# make_glibc_rootfs ROOT PROGRAM...: busybox, the programs in /usr/local/bin, and the host's C library.
make_glibc_rootfs() {
  need busybox
  "$HAMI_SOURCE_DIR/scripts/mkrootfs" "$@"
}

# make_busybox_rootfs ROOT: one static program and its links, no C library.
make_busybox_rootfs() {
  need busybox
  "$HAMI_SOURCE_DIR/scripts/mkrootfs" "$1"
}
