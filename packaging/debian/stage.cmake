# CPack runs this between the installation and the package: adds to the staged tree what has no place below its prefix, or is of
# Debian's packages alone.
set(root "${CPACK_TEMPORARY_INSTALL_DIRECTORY}")
set(here "${CMAKE_CURRENT_LIST_DIR}")
set(for_all OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)

# They may hold credentials: root reads them, systemd passes them on.
file(COPY "${here}/infra.env" "${here}/worker.env" DESTINATION "${root}/etc/infra" FILE_PERMISSIONS OWNER_READ OWNER_WRITE)
file(COPY "${here}/infra.service" "${here}/infra-worker.service" DESTINATION "${root}/lib/systemd/system"
  FILE_PERMISSIONS ${for_all})
file(COPY "${here}/copyright" DESTINATION "${root}/usr/share/doc/infra" FILE_PERMISSIONS ${for_all})
file(MAKE_DIRECTORY "${root}/usr/share/lintian/overrides")
configure_file("${here}/lintian-overrides" "${root}/usr/share/lintian/overrides/infra" COPYONLY FILE_PERMISSIONS ${for_all})
