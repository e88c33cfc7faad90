#include "worker/instances/instance_source.h"

#include <utility>

#include "core/error_codes.h"

namespace infra::worker {

Task<Result<InstancePtr>> InstanceSource::obtain(const Job& job, const Use& use) {
  auto sha256 = co_await deps_.code.identify(job.code);
  if (!sha256) co_return fail(sha256.error());
  InstanceKey key = key_of(job, std::move(*sha256));
  if (deps_.learns_from_jobs) deps_.pool.keep_for_jobs(job.function_id, job.keep_warm);
  co_await deps_.places.end(deps_.pool.supersede(key));
  while (InstancePtr warm = deps_.pool.take(key)) {
    if (warm->reusable()) co_return warm;
    co_await deps_.places.end(std::move(warm));
  }
  auto code = co_await deps_.code.acquire(job.code, key.sha256, job.runtime, job.function_id.value);
  if (!code) co_return fail(code.error());
  while (true) {
    if (auto reserved = co_await deps_.places.reserve(key); !reserved) co_return fail(reserved.error());
    auto started = co_await start(key, *code, use);
    // An idle instance has as many descriptors as a new one needs.
    if (started || started.error().code != errors::no_descriptors || !co_await deps_.places.end_one_idle())
      co_return started;
  }
}

Task<Result<InstancePtr>> InstanceSource::start(InstanceKey key, CodeClaim code, const Use& use) {
  HeldPlace place(deps_.places, key);
  Result<InstancePtr> started;
  co_await deps_.executor.offload([&] {
    started = Instance::start(std::move(key), std::move(code), deps_.launcher, deps_.ai);
    if (started && use) use(*started);
  });
  if (started) place.taken();
  co_return started;
}

}  // namespace infra::worker
