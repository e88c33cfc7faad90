#include "worker/instances/instance_source.h"

#include <utility>

#include "core/error_codes.h"

namespace infra::worker {

Task<Result<InstancePtr>> InstanceSource::obtain(const Job& job, const Use& use, Aside& aside) {
  auto sha256 = co_await deps_.code.identify(job.code);
  if (!sha256) co_return fail(sha256.error());
  InstanceKey key = key_of(job, std::move(*sha256));
  if (deps_.learns_from_jobs) deps_.pool.keep_for_jobs(job.function_id, job.keep_warm);
  co_await deps_.places.end(deps_.pool.supersede(key));
  InstancePtr warm = deps_.pool.take(key);
  while (true) {
    while (warm && !warm->reusable()) {
      co_await deps_.places.end(std::move(warm));
      warm = deps_.pool.take(key);
    }
    if (warm) co_return warm;
    auto code = co_await acquire(job, key.sha256, aside);
    if (!code) co_return fail(code.error());
    auto reserved = co_await deps_.places.reserve_or_take(key, aside);
    if (!reserved) co_return fail(reserved.error());
    warm = std::move(*reserved);
    if (warm) continue;
    auto started = co_await start(key, std::move(*code), use);
    // An idle instance has as many descriptors as a new one needs.
    if (started || started.error().code != errors::no_descriptors || !co_await deps_.places.end_one_idle())
      co_return started;
  }
}

// A compiler may take as long as many runs, and waits for memory itself.
Task<Result<CodeClaim>> InstanceSource::acquire(const Job& job, const std::string& sha256, Aside& aside) {
  const bool waits = is_compiled(job.runtime) && !deps_.code.is_ready(sha256, job.runtime);
  if (waits) aside.step_aside();
  auto code = co_await deps_.code.acquire(job.code, sha256, job.runtime, job.function_id.value);
  if (waits) {
    if (auto back = co_await aside.come_back(); !back && code) co_return fail(std::move(back.error()));
  }
  co_return code;
}

Task<Result<InstancePtr>> InstanceSource::start(InstanceKey key, CodeClaim code, const Use& use) {
  HeldPlace place(deps_.places, key);
  Result<InstancePtr> started;
  co_await deps_.executor.offload([&] {
    started = Instance::start(std::move(key), std::move(code), deps_.launcher, deps_.clock, deps_.ai);
    if (started && use) use(*started);
  });
  if (started) place.taken();
  co_return started;
}

}  // namespace infra::worker
