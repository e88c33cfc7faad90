# Where an installation has what, below its prefix. The install rules (packaging/CMakeLists.txt) and the program, which looks for
# what belongs to it from where it is itself (src/main/install_paths.cc), both have it from here.
set(INFRA_INSTALL_BIN bin)
set(INFRA_INSTALL_SPAWNER libexec/infra/infra-spawner)
set(INFRA_INSTALL_NATIVE libexec/infra/native)
set(INFRA_INSTALL_ZYGOTE lib/infra/libinfra_zygote.so)
set(INFRA_INSTALL_RUNTIMES share/infra/runtimes)
set(INFRA_INSTALL_EXAMPLES share/infra/examples)  # not in share/doc, which small images leave out
set(INFRA_INSTALL_MONITORING share/infra)  # prometheus/ and grafana/
set(INFRA_INSTALL_DOC share/doc/infra)
