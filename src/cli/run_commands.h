// The commands' bodies, each in a file of its name.
#pragma once

#include "cli/failure.h"

namespace infra::cli {

class Session;

// Each gives the exit status of what was no failure, or the failure, which the caller prints.
[[nodiscard]] Outcome<Exit> run_advice(Session& session);
[[nodiscard]] Outcome<Exit> run_completion(Session& session);
[[nodiscard]] Outcome<Exit> run_deploy(Session& session);
[[nodiscard]] Outcome<Exit> run_describe(Session& session);
[[nodiscard]] Outcome<Exit> run_files(Session& session);
[[nodiscard]] Outcome<Exit> run_init(Session& session);
[[nodiscard]] Outcome<Exit> run_invoke(Session& session);
[[nodiscard]] Outcome<Exit> run_keys(Session& session);
[[nodiscard]] Outcome<Exit> run_list(Session& session);
[[nodiscard]] Outcome<Exit> run_login(Session& session);
[[nodiscard]] Outcome<Exit> run_logs(Session& session);
[[nodiscard]] Outcome<Exit> run_man(Session& session);
[[nodiscard]] Outcome<Exit> run_models(Session& session);
[[nodiscard]] Outcome<Exit> run_remove(Session& session);
[[nodiscard]] Outcome<Exit> run_status(Session& session);
[[nodiscard]] Outcome<Exit> run_update(Session& session);
[[nodiscard]] Outcome<Exit> run_watch(Session& session);
[[nodiscard]] Outcome<Exit> run_workers(Session& session);

}  // namespace infra::cli
