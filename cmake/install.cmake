# Where everything goes on a system. Run by `cmake --install`, and through it by the Debian package.
set(HAMI_LIBDIR /usr/lib/hami)
set(HAMI_LIBEXECDIR /usr/libexec/hami)
set(HAMI_DATADIR /usr/share/hami)

foreach(program hami-runtime hami-hook hamictl containerd-shim-hami-v2)
  if(TARGET ${program})
    install(TARGETS ${program} RUNTIME DESTINATION /usr/bin)
  endif()
endforeach()
if(TARGET hami-probe)
  install(TARGETS hami-probe RUNTIME DESTINATION ${HAMI_LIBEXECDIR})
endif()
if(TARGET vgpu)
  # A private directory, off the loader's path: only containers that own a slice load it.
  install(TARGETS vgpu LIBRARY DESTINATION ${HAMI_LIBDIR})
endif()
install(DIRECTORY vendors/ DESTINATION ${HAMI_DATADIR}/vendors FILES_MATCHING PATTERN "*.yaml"
        PATTERN "probe" EXCLUDE)
install(FILES vendors/recipe.schema.json DESTINATION ${HAMI_DATADIR})
install(FILES runtime-shim/config.toml DESTINATION /etc/hami OPTIONAL)
# A directory of its own: CRI-O loads nothing from a hooks.d that has a file with podman's precreate stage.
install(FILES packaging/hooks.d/hami.json DESTINATION ${HAMI_DATADIR}/hooks.d)
# What containerd-shim-hami-v2 puts first into the shim's PATH.
install(CODE "file(MAKE_DIRECTORY \$ENV{DESTDIR}${HAMI_LIBDIR}/shim-path)
  file(CREATE_LINK /usr/bin/hami-runtime \$ENV{DESTDIR}${HAMI_LIBDIR}/shim-path/runc SYMBOLIC)")
