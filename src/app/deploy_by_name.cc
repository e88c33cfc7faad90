#include "app/deploy_by_name.h"

#include <fmt/format.h>

#include <utility>
#include <variant>

#include "core/error_codes.h"
#include "core/function_name.h"
#include "core/operator_error_codes.h"
#include "telemetry/log.h"

namespace infra::app {
namespace {

constexpr int kTries = 4;  // where others change the same name

std::unexpected<Error> goes_on_changing(std::string_view name) {
  return fail(
      errors::name_taken,
      fmt::format("Others are changing the function of the name \"{}\" at the same time; send the request again.",
                  name));
}

std::unexpected<Error> taken(std::string_view name) {
  return fail(
      errors::name_taken,
      fmt::format("Another function has the name \"{}\"; choose another, or replace that function by POST /upload "
                  "with deploy=true.",
                  name));
}

// What an upload says of a function that is there: the name is, and the runtime stays.
FunctionChange change_of(const NewFunction& wanted) {
  FunctionChange change;
  for (const auto& field : setting_fields()) {
    if (field.fixed || !wanted.given.names(field) || &field == &field_of(&FunctionSettings::name)) continue;
    auto& settings = change.change(field);
    std::visit([&](auto member) { settings.*member = wanted.given.values().*member; }, field.member);
  }
  change.original_name = wanted.original_name;
  return change;
}

bool changed_meanwhile(const Error& error) {
  return error.code == errors::item_changed;
}

}  // namespace

Task<Result<std::optional<Function>>> DeployByName::holder(std::string name, std::optional<NameClaim> claim) {
  if (!claim) co_return std::nullopt;
  auto row = co_await functions_.find_current(claim->function);
  if (!row && row.error().kind != ErrorKind::not_found) co_return fail(row.error());
  if (!row || row->name != name) co_return std::nullopt;
  co_return std::optional(std::move(*row));
}

Task<Result<void>> DeployByName::take(std::string name, FunctionId id, std::optional<NameClaim> seen,
                                      std::optional<NameClaim>& mine) {
  auto claim = co_await claims_.take(std::move(name), std::move(id), std::move(seen));
  if (!claim) co_return fail(claim.error());
  mine = std::move(*claim);
  co_return Result<void>{};
}

Task<Result<Deployed>> DeployByName::deploy(NewFunction wanted, std::unique_ptr<StagedFile> bundle) {
  if (auto ok = check_claimable(wanted.name); !ok) co_return fail(ok.error());
  for (int tries = 0; tries < kTries; ++tries) {
    const auto seen = co_await claims_.read(wanted.name);
    if (!seen) co_return fail(seen.error());
    const auto found = co_await holder(wanted.name, *seen);
    if (!found) co_return fail(found.error());
    if (wanted.only != nullptr && (!*found || !is_among(wanted.only, (*found)->id)))
      co_return fail(function_not_allowed());
    if (*found) {
      auto replaced = co_await replace(**found, wanted, *bundle);
      if (replaced || replaced.error().kind != ErrorKind::not_found) co_return replaced;
    } else {
      auto created = co_await create(wanted, *bundle, *seen);
      if (created || !changed_meanwhile(created.error())) co_return created;
    }
  }
  co_return goes_on_changing(wanted.name);
}

Task<Result<Deployed>> DeployByName::create(NewFunction wanted, StagedFile& bundle, std::optional<NameClaim> seen) {
  const std::string name = wanted.name;
  std::optional<NameClaim> mine;
  auto created = co_await deploy_.create(std::move(wanted), bundle,
                                         [&](const FunctionId& id) { return take(name, id, seen, mine); });
  if (!created) co_return fail(created.error());
  const auto confirmed = co_await claims_.confirm(name, *mine);
  if (!confirmed) co_return fail(confirmed.error());
  if (!*confirmed) {
    // Somebody saw the claim before the row, and took it over. Or the function was removed since, and was there.
    const auto removed = co_await deploy_.remove(created->id);
    if (removed) co_return fail(errors::item_changed, "Another has taken the claim over.");
    if (removed.error().kind != ErrorKind::not_found) co_return fail(removed.error());
  }
  co_return Deployed{.function = std::move(*created), .created = true};
}

Task<Result<Deployed>> DeployByName::replace(Function function, NewFunction wanted, StagedFile& bundle) {
  const auto runtime = wanted.given.get(&FunctionSettings::runtime);
  if (runtime && *runtime != function.runtime) {
    co_return fail(
        errors::invalid_runtime,
        fmt::format("The function \"{}\" is of the runtime {}, which stays; leave runtime out, choose another "
                    "name, or remove the function first.",
                    function.name, to_string(function.runtime)));
  }
  const FunctionChange change = change_of(wanted);
  if (auto done = co_await deploy_.update(function.id, change, &bundle, std::move(wanted.sender)); !done)
    co_return fail(done.error());
  function = apply(std::move(function), change, clock_.now());
  function.code.sha256 = bundle.sha256();
  co_return Deployed{.function = std::move(function), .created = false};
}

Task<Result<std::optional<NameClaim>>> DeployByName::held_by(FunctionId id, std::string name) {
  if (!is_claimable_name(name)) co_return std::nullopt;
  auto claim = co_await claims_.read(std::move(name));
  if (claim && *claim && (*claim)->function != id) co_return std::nullopt;
  co_return claim;
}

Task<Result<void>> DeployByName::update(FunctionId id, FunctionChange change, std::unique_ptr<StagedFile> bundle,
                                        std::string sender, bool claim) {
  const auto wanted = change.get(&FunctionSettings::name);
  if (!claim && (!wanted || !claims_.possible()))
    co_return co_await deploy_.update(std::move(id), std::move(change), bundle.get(), std::move(sender));
  for (int tries = 0; tries < kTries; ++tries) {
    const auto row = co_await functions_.find_current(id);
    if (!row) co_return fail(row.error());
    const auto held = co_await held_by(id, row->name);
    if (!held) co_return fail(held.error());
    if (!*held) {  // a renaming may have come between the two reads
      const auto again = co_await functions_.find_current(id);
      if (!again) co_return fail(again.error());
      if (again->name != row->name) continue;
    }
    const std::string name = wanted.value_or(row->name);
    if (held->has_value() ? name == row->name : !claim)
      co_return co_await deploy_.update(id, std::move(change), bundle.get(), std::move(sender));
    auto done = co_await rename({.row = *row, .held = *held, .name = name}, change, bundle.get(), sender);
    if (done || !changed_meanwhile(done.error())) co_return done;
  }
  co_return goes_on_changing(wanted.value_or(""));
}

Task<Result<void>> DeployByName::rename(Renaming renaming, FunctionChange change, StagedFile* bundle,
                                        std::string sender) {
  const FunctionId id = renaming.row.id;
  const std::string name = renaming.name;
  if (auto ok = check_claimable(name); !ok) co_return ok;
  const auto seen = co_await claims_.read(name);
  if (!seen) co_return fail(seen.error());
  const auto found = co_await holder(name, *seen);
  if (!found) co_return fail(found.error());
  if (*found && (*found)->id != id) co_return taken(name);

  change.set(&FunctionSettings::name, name);
  std::optional<NameClaim> mine;
  auto done = co_await deploy_.update(id, std::move(change), bundle, std::move(sender),
                                      [&](const FunctionId& changed) { return take(name, changed, *seen, mine); });
  if (!done) {
    if (mine && done.error().kind == ErrorKind::not_found) co_await claims_.drop(name, *mine);
    co_return done;
  }
  const auto confirmed = co_await claims_.confirm(name, *mine);
  if (!confirmed) co_return fail(confirmed.error());
  if (!*confirmed) {
    co_await take_back(std::move(renaming));
    co_return taken(name);
  }
  if (renaming.held && renaming.row.name != name) co_await claims_.drop(renaming.row.name, *renaming.held);
  co_return Result<void>{};
}

Task<void> DeployByName::take_back(Renaming renaming) {
  const auto row = co_await functions_.find_current(renaming.row.id);
  if (!row || row->name != renaming.name) co_return;
  FunctionChange back;
  back.set(&FunctionSettings::name, renaming.row.name);
  if (const auto done = co_await deploy_.update(renaming.row.id, std::move(back), nullptr); !done) {
    log::warn("a function could not take its name back",
              {{"functionId", renaming.row.id.value}, {"code", done.error().code}});
  }
}

Task<Result<void>> DeployByName::remove(FunctionId id) {
  const auto removed = co_await deploy_.remove(id);
  if (!removed) co_return fail(removed.error());
  if (!claims_.possible()) co_return Result<void>{};
  const auto held = co_await held_by(id, removed->name);
  if (held && *held) co_await claims_.drop(removed->name, **held);
  co_return Result<void>{};
}

}  // namespace infra::app
