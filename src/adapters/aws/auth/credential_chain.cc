// A source that has something but can't say what ends the walk: another source would have us act under another
// identity.
#include "adapters/aws/auth/credential_chain.h"

#include <fmt/format.h>

#include <algorithm>

#include "adapters/aws/auth/container_credentials.h"
#include "adapters/aws/auth/environment_credentials.h"
#include "adapters/aws/auth/instance_credentials.h"
#include "adapters/aws/auth/profile_credentials.h"
#include "adapters/aws/auth/variables.h"
#include "adapters/aws/auth/web_identity_credentials.h"
#include "core/error_codes.h"
#include "core/mutex.h"
#include "telemetry/log.h"
#include "telemetry/task_failures.h"

namespace infra::aws {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr minutes kRenewBefore{5};
constexpr seconds kTooShort{10};
constexpr minutes kBenefitOfDoubt{1};
constexpr seconds kFailFast{1};
constexpr seconds kMaxBackoff{30};
constexpr seconds kBetweenRenewals{30};
constexpr seconds kBetweenRefusals{5};

Error no_credentials(std::string why) {
  return {errors::no_credentials, std::move(why), seconds{1}};
}

}  // namespace

struct CredentialChain::State : std::enable_shared_from_this<State> {
  State(std::vector<std::unique_ptr<CredentialSource>> s, Executor& e, Clock& c)
      : sources(std::move(s)), executor(e), clock(c) {}

  // The first that has some.
  Task<Result<Credentials>> walk() {
    std::string tried;
    for (const auto& source : sources) {
      auto got = co_await source->fetch();
      if (got) co_return got;
      const auto because = fmt::format("{}: {}", source->name(), got.error().message);
      if (got.error().kind == ErrorKind::invalid)
        co_return fail(no_credentials("AWS credentials can't be used. " + because));
      tried.append(" ").append(because);
      if (got.error().kind != ErrorKind::not_found) break;
    }
    co_return fail(no_credentials("No AWS credentials were found, asked in this order." + tried));
  }

  static Task<void> renew(std::shared_ptr<State> state) {
    auto got = co_await state->walk();
    tell(state->take(std::move(got)));
  }

  static void tell(const std::vector<std::shared_ptr<Signal>>& waiting) {
    for (const auto& waiter : waiting) waiter->notify();
  }

  // Keeps what a fetch brought; gives the signals of those who wait for it.
  std::vector<std::shared_ptr<Signal>> take(Result<Credentials> got) {
    const MutexLock lock(mutex);
    fetching = false;
    const auto now = clock.steady_now();
    if (got) {
      failures = 0;
      fetched_at = now;
      next_renewal = now + kBetweenRenewals;
      current = std::move(*got);
      // If they look expired already, then our clock is wrong or the source has no better ones: the service will judge.
      if (current->expires_at) current->expires_at = std::max(*current->expires_at, clock.now() + kBenefitOfDoubt);
    } else {
      failures = std::min(failures + 1, 10);
      fail_until = now + kFailFast;
      next_renewal = now + std::min<seconds>(kMaxBackoff, seconds{1 << (failures - 1)});
      last_error = std::move(got.error());
      if (current) log::warn("AWS credentials could not be renewed", {{"reason", last_error.message}});
    }
    return std::exchange(waiters, {});
  }

  [[nodiscard]] bool good_for(std::chrono::milliseconds time) const INFRA_REQUIRES(mutex) {
    return current && (!current->expires_at || *current->expires_at > clock.now() + time);
  }

  // Starts a fetch unless one runs. The executor runs nothing inline.
  void start_fetch() INFRA_REQUIRES(mutex) {
    if (std::exchange(fetching, true)) return;
    const auto give_up = [self = shared_from_this()] { tell(self->take(fail(internal_error()))); };
    executor.spawn({"renewing AWS credentials", give_up}, renew(shared_from_this()));
  }

  const std::vector<std::unique_ptr<CredentialSource>> sources;
  Executor& executor;
  Clock& clock;

  Mutex mutex;
  std::optional<Credentials> current INFRA_GUARDED_BY(mutex);
  std::vector<std::shared_ptr<Signal>> waiters INFRA_GUARDED_BY(mutex);
  Error last_error INFRA_GUARDED_BY(mutex);
  bool fetching INFRA_GUARDED_BY(mutex) = false;
  int failures INFRA_GUARDED_BY(mutex) = 0;  // in a row
  std::optional<SteadyTime> fetched_at INFRA_GUARDED_BY(mutex);
  SteadyTime next_renewal INFRA_GUARDED_BY(mutex) = SteadyTime::min();
  SteadyTime fail_until INFRA_GUARDED_BY(mutex) = SteadyTime::min();
};

CredentialChain::CredentialChain(std::vector<std::unique_ptr<CredentialSource>> sources, Executor& executor,
                                 Clock& clock)
    : state_(std::make_shared<State>(std::move(sources), executor, clock)) {}

CredentialChain::~CredentialChain() = default;

Task<Result<Credentials>> CredentialChain::get(SteadyTime deadline) {
  const auto state = state_;
  std::shared_ptr<Signal> mine;
  {
    const MutexLock lock(state->mutex);
    const auto now = state->clock.steady_now();
    if (state->good_for(kTooShort)) {
      if (!state->good_for(kRenewBefore) && now >= state->next_renewal) state->start_fetch();
      co_return *state->current;
    }
    if (state->fetching || now >= state->fail_until) {
      mine = state->clock.make_signal();
      state->waiters.push_back(mine);
      state->start_fetch();
    }
  }
  const bool told = !mine || co_await mine->wait_until(deadline);
  const MutexLock lock(state->mutex);
  if (!told) std::erase(state->waiters, mine);
  if (state->good_for(milliseconds{0})) co_return *state->current;
  if (!told) co_return fail(no_credentials("AWS credentials did not come in time; try again in a moment."));
  co_return fail(state->last_error);
}

void CredentialChain::refused(const Credentials& credentials) {
  const MutexLock lock(state_->mutex);
  auto& current = state_->current;
  if (!current || current->access_key_id != credentials.access_key_id ||
      current->session_token != credentials.session_token)
    return;
  // Just fetched: the source has no better ones, and asking for every request would only load it.
  if (state_->fetched_at && state_->clock.steady_now() - *state_->fetched_at < kBetweenRefusals) return;
  current->expires_at = state_->clock.now();
}

std::unique_ptr<CredentialProvider> make_credential_chain(const Variables& variables, std::string_view region,
                                                          net::HttpClient& http, Executor& executor, Clock& clock,
                                                          OpenFile open) {
  const SmallFiles files(executor, std::move(open));
  std::vector<std::unique_ptr<CredentialSource>> sources;
  sources.push_back(std::make_unique<EnvironmentCredentials>(variables));
  sources.push_back(std::make_unique<WebIdentityCredentials>(variables, region, http, files));
  sources.push_back(std::make_unique<ProfileCredentials>(variables, files));
  sources.push_back(std::make_unique<ContainerCredentials>(variables, http, files));
  sources.push_back(std::make_unique<InstanceCredentials>(variables, http));
  return std::make_unique<CredentialChain>(std::move(sources), executor, clock);
}

std::vector<std::string> credential_files(const Variables& variables) {
  auto [credentials, config] = profile_files(variables);
  std::vector<std::string> files{variable(variables, "AWS_WEB_IDENTITY_TOKEN_FILE"), std::move(credentials),
                                 std::move(config), variable(variables, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")};
  std::erase(files, "");
  return files;
}

}  // namespace infra::aws
