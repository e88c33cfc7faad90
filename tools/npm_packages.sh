# What comes from npm, as lock files pin it: a part of `dev`, whose functions it uses. Lock files name no host, so that whoever has a
# registry of their own gets it from there.
# shellcheck shell=bash

# ensure_npm <what> <MiB> <sources> <folder> <node> <file>: what sources' package-lock.json pins, in folder/node_modules, `file` (a pattern)
# among it. Where the machine's Node.js is older than `node` (0: none is needed) the pinned one comes along.
ensure_npm() {
  local options=(--ignore-scripts --no-audit --no-fund --no-update-notifier)
  (($5 == 0)) || ! has_node "$5" || options+=(--omit=optional)
  cmp -s "$3/package-lock.json" "$4/node_modules/.installed" &&
    { { (($5 > 0)) && has_node "$5"; } || compgen -G "$4/node_modules/$6" >/dev/null; } && return
  command -v npm >/dev/null || ensure_packages npm
  need_disk . "$2" "$1"
  mkdir -p "$4" build
  run_step "Installing $1" "up to 20 seconds" install_npm "$3" "$4" "${options[@]}" || explain_npm "$1"
}

install_npm() {  # install_npm <sources> <folder> <options...>
  local sources=$1 folder=$2
  shift 2
  [[ $folder -ef $sources ]] || cp "$sources"/package.json "$sources"/package-lock.json "$folder"
  (cd "$folder" && { npm ci "$@" || { sleep 3; npm ci "$@"; }; }) >build/npm.log 2>&1 &&
    cp "$sources/package-lock.json" "$folder/node_modules/.installed"
}

# The AWS stand-ins of the tests and of `./dev run fleet`.
ensure_peers() { ensure_npm "the test peers" 300 tests/peers build/peers 20 'node-linux-*/bin/node'; }
# What the dashboard is bundled with; and what its types and pages are tried with.
ensure_web() { ensure_npm "the dashboard's libraries" 30 src/web src/web 0 '@esbuild/linux-*/bin/esbuild'; }
ensure_web_tests() { ensure_npm "the dashboard's tests" 300 tests/web build/web 22 'node-linux-*/bin/node'; }
# The types of the interface, and what checks them; it runs on the peers' Node.js.
ensure_typescript() { ensure_npm "the TypeScript client" 100 clients/typescript build/typescript 0 'typescript/bin/tsc'; }

explain_npm() {
  tail -n 5 build/npm.log >&2
  if grep -qE 'ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNREFUSED|ENETUNREACH' build/npm.log; then
    die "no network: the npm registry does not answer. Check the connection (and the registry in ~/.npmrc), then try again."
  elif grep -q ENOSPC build/npm.log; then
    die "too little disk for $1."
  fi
  die "installing $1 failed; build/npm.log has all of npm's words."
}
