#include "app/deploy_function.h"

#include <fmt/format.h>

#include "core/bundle_rules.h"
#include "core/executable.h"
#include "core/object_keys.h"
#include "telemetry/log.h"

namespace infra::app {
namespace {

constexpr std::chrono::minutes kLookAgain{1};

Result<void> check_file(const BundleReader& bundles, const std::filesystem::path& path, Runtime runtime) {
  const auto entries = bundles.list(path);
  if (!entries) return fail(entries.error());
  const auto entry_file = check_bundle(*entries, runtime);
  if (!entry_file) return fail(entry_file.error());
  if (auto ok = bundles.verify(path); !ok) return ok;
  if (*entry_file != kReadyBinary) return {};
  const auto start = bundles.read_start(path, kReadyBinary, kExecutableStart);
  if (!start) return fail(start.error());
  return check_executable(*start);
}

}  // namespace

Task<Result<CodeRef>> DeployFunction::store_bundle(const FunctionId& id, Runtime runtime, StagedFile& bundle,
                                                   std::string sender) {
  Result<void> checked;
  const auto& path = bundle.path();
  co_await executor_.offload([&] { checked = check_file(bundles_, path, runtime); });
  if (!checked) co_return fail(checked.error());
  if (preparer_ != nullptr) {
    const auto prepared = co_await preparer_->prepare(path, bundle.sha256(), runtime, std::move(sender));
    if (!prepared && prepared.error().kind == ErrorKind::unusable) co_return fail(prepared.error());
    if (!prepared) log::warn("code was not made ready at its upload", {{"code", prepared.error().code}});
  }

  CodeRef code{.key = bundle_key(id, ids_.request_id().value), .sha256 = bundle.sha256()};
  if (auto put = co_await code_.put_bundle(code, path); !put) co_return fail(put.error());
  co_return code;
}

Task<Result<void>> DeployFunction::check_network(Network network) {
  if (network != Network::egress || egress_ == nullptr) co_return Result<void>{};
  co_return co_await egress_->check_egress();
}

Task<Result<void>> DeployFunction::prepare_row(const BeforeRow& before_row, const FunctionId& id, const CodeRef& code) {
  if (!before_row) co_return Result<void>{};
  auto ready = co_await before_row(id);
  if (!ready && !code.key.empty()) co_await code_.retire_bundle(code);
  co_return ready;
}

Task<bool> DeployFunction::is_named_after_all(FunctionId id, CodeRef code, const Error& failure) {
  const auto row = co_await functions_.find(id);
  if (row && row->code == code) co_return true;
  const bool certain = row || row.error().kind == ErrorKind::not_found;
  if (failure.kind == ErrorKind::unavailable && late_writes_.count() > 0) {
    executor_.spawn("looking for a late write", look_again(std::move(id), std::move(code)));
  } else if (certain) {
    co_await code_.retire_bundle(code);
  }
  co_return false;
}

// A program that ends before that leaves code that nobody names, and takes none that somebody does.
Task<void> DeployFunction::look_again(FunctionId id, CodeRef code) {
  co_await clock_.sleep_until(clock_.steady_now() + late_writes_);
  while (true) {
    const auto row = co_await functions_.find(id);
    if (row && row->code == code) co_return;
    if (row || row.error().kind == ErrorKind::not_found) break;
    co_await clock_.sleep_until(clock_.steady_now() + kLookAgain);
  }
  co_await code_.retire_bundle(code);
}

Task<Result<Function>> DeployFunction::create(NewFunction wanted, std::unique_ptr<StagedFile> bundle) {
  co_return co_await create(std::move(wanted), *bundle);
}

Task<Result<Function>> DeployFunction::create(NewFunction wanted, StagedFile& bundle, BeforeRow before_row) {
  if (auto possible = co_await check_network(wanted.network); !possible) co_return fail(possible.error());
  const FunctionId id = ids_.function_id();
  auto code = co_await store_bundle(id, wanted.runtime, bundle, std::move(wanted.sender));
  if (!code) co_return fail(code.error());
  if (auto ready = co_await prepare_row(before_row, id, *code); !ready) co_return fail(ready.error());

  const WallTime now = clock_.now();
  Function function;
  function.id = id;
  function.settings() = std::move(wanted.settings());
  function.original_name = std::move(wanted.original_name);
  function.code = *code;
  function.uploaded_at = now;
  function.updated_at = now;
  if (auto inserted = co_await functions_.insert(function);
      !inserted && !co_await is_named_after_all(id, *code, inserted.error())) {
    co_return fail(inserted.error());
  }
  events_.uploaded(id);
  if (observer_ != nullptr) observer_->deployed(function);
  co_return function;
}

// The row as it is by now: of two changes at once the later one counts.
Task<void> DeployFunction::tell(FunctionId id) {
  if (observer_ == nullptr) co_return;
  const auto function = co_await functions_.find(id);
  if (function) observer_->deployed(*function);
}

Task<Result<void>> DeployFunction::update(FunctionId id, FunctionChange change, std::unique_ptr<StagedFile> bundle,
                                          std::string sender) {
  co_return co_await update(std::move(id), std::move(change), bundle.get(), std::move(sender));
}

Task<Result<void>> DeployFunction::update(FunctionId id, FunctionChange change, StagedFile* bundle, std::string sender,
                                          BeforeRow before_row) {
  if (auto possible = co_await check_network(change.get(&FunctionSettings::network).value_or(Network::none)); !possible)
    co_return fail(possible.error());
  CodeRef old_code;
  if (bundle != nullptr) {
    const auto current = co_await functions_.find(id);
    if (!current) co_return fail(current.error());
    old_code = current->code;
    auto code = co_await store_bundle(id, current->runtime, *bundle, std::move(sender));
    if (!code) co_return fail(code.error());
    change.code = *code;
  }
  if (auto ready = co_await prepare_row(before_row, id, change.code.value_or(CodeRef{})); !ready)
    co_return fail(ready.error());
  const auto before = co_await functions_.update(id, change, clock_.now());
  if (before) {
    old_code = before->code;
  } else if (!change.code || !co_await is_named_after_all(id, *change.code, before.error())) {
    co_return fail(before.error());
  }
  events_.updated(id);
  co_await tell(id);
  if (change.code && old_code != *change.code) co_await code_.retire_bundle(old_code);
  co_return Result<void>{};
}

Task<Result<Function>> DeployFunction::remove(FunctionId id) {
  const auto before = co_await functions_.remove(id);
  if (!before) co_return fail(before.error());
  events_.deleted(id);
  if (observer_ != nullptr) observer_->removed(id);
  co_await code_.retire_bundle(before->code);
  co_return before;
}

}  // namespace infra::app
