// Deploying: a received bundle is checked, stored and only then named by a function row, new or changed.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "app/id_source.h"
#include "core/api_key.h"
#include "core/function.h"
#include "ports/bundle_preparer.h"
#include "ports/bundle_reader.h"
#include "ports/code_store.h"
#include "ports/egress_check.h"
#include "ports/executor.h"
#include "ports/function_observer.h"
#include "ports/function_store.h"
#include "ports/staging.h"
#include "telemetry/event_ring.h"

namespace infra::app {

struct NewFunction : FunctionSettings {
  SettingsChange given;  // those that the client named, with their values
  std::string original_name;
  std::string sender;                  // the client's address: what is compiled for it waits for one another
  const FunctionList* only = nullptr;  // that the key may deploy: no other, and no new one; null: all
};

class DeployFunction {
 public:
  // `late_writes`: how long after its failure the function store may still carry a write out.
  DeployFunction(FunctionStore& functions, CodeStore& code, const BundleReader& bundles, Executor& executor,
                 Clock& clock, IdSource& ids, EventRing& events, BundlePreparer* preparer = nullptr,
                 EgressCheck* egress = nullptr, FunctionObserver* observer = nullptr, milliseconds late_writes = {})
      : functions_(functions),
        code_(code),
        bundles_(bundles),
        executor_(executor),
        clock_(clock),
        ids_(ids),
        events_(events),
        preparer_(preparer),
        egress_(egress),
        observer_(observer),
        late_writes_(late_writes) {}

  // What has to be done between the bundle and the row that names it; what it fails with, the change does. May be
  // empty.
  using BeforeRow = std::function<Task<Result<void>>(const FunctionId&)>;

  // `bundle` is finished. Refusals are `invalid`, `too_large` or `unusable` and leave nothing behind.
  Task<Result<Function>> create(NewFunction wanted, StagedFile& bundle, BeforeRow before_row = {});
  Task<Result<Function>> create(NewFunction wanted, std::unique_ptr<StagedFile> bundle);

  // Changes a function, its code too if `bundle` is not null. The row changes at once or not at all; the code it named
  // before is retired. `not_found`.
  Task<Result<void>> update(FunctionId id, FunctionChange change, StagedFile* bundle, std::string sender = {},
                            BeforeRow before_row = {});
  Task<Result<void>> update(FunctionId id, FunctionChange change, std::unique_ptr<StagedFile> bundle,
                            std::string sender = {});

  // Gives the row as it was. `not_found`.
  Task<Result<Function>> remove(FunctionId id);

 private:
  // The stored `code` (its key is empty if there is none) is retired if the row will not name it.
  Task<Result<void>> prepare_row(const BeforeRow& before_row, const FunctionId& id, const CodeRef& code);
  // Whether the row names this code: asked when the store failed, since it may have written the row all the same. The
  // code is retired if it certainly does not, and never will.
  Task<bool> is_named_after_all(FunctionId id, CodeRef code, const Error& failure);
  Task<void> look_again(FunctionId id, CodeRef code);
  Task<void> tell(FunctionId id);
  Task<Result<void>> check_network(Network network);
  Task<Result<CodeRef>> store_bundle(const FunctionId& id, Runtime runtime, StagedFile& bundle, std::string sender);

  FunctionStore& functions_;
  CodeStore& code_;
  const BundleReader& bundles_;
  Executor& executor_;
  Clock& clock_;
  IdSource& ids_;
  EventRing& events_;
  BundlePreparer* preparer_;    // null: code is made ready by the workers that run it
  EgressCheck* egress_;         // null: whether there is egress is the workers' affair
  FunctionObserver* observer_;  // null: no observer
  const milliseconds late_writes_;
};

}  // namespace infra::app
