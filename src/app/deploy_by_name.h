// Making, replacing, renaming and removing functions with regard to their names' claims, in the sequences that
// app/name_claims.h speaks of.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "app/deploy_function.h"
#include "app/name_claims.h"

namespace infra::app {

struct Deployed {
  Function function;
  bool created = false;  // else it took the place of what had the name
};

class DeployByName {
 public:
  DeployByName(DeployFunction& deploy, NameClaims& claims, FunctionStore& functions, const Clock& clock)
      : deploy_(deploy), claims_(claims), functions_(functions), clock_(clock) {}

  // Makes the function of this name, or replaces the code and the settings that `wanted` was given of the one that
  // there is. Refusals are create()'s, and `invalid` for a name that can't be claimed or another runtime than the
  // function has; `forbidden` (code key_not_allowed) for what is none of its `only`; `conflict` (code name_taken) while
  // others go on changing the name.
  Task<Result<Deployed>> deploy(NewFunction wanted, std::unique_ptr<StagedFile> bundle);

  // As DeployFunction::update(). A new name moves the claim of a function that has one; with `claim` one that has none
  // claims its name. `invalid` if it can't be, `conflict` (code name_taken) if another has it.
  Task<Result<void>> update(FunctionId id, FunctionChange change, std::unique_ptr<StagedFile> bundle,
                            std::string sender, bool claim);

  // As DeployFunction::remove(), and frees the name.
  Task<Result<void>> remove(FunctionId id);

 private:
  struct Renaming {
    Function row;                   // as it was
    std::optional<NameClaim> held;  // its name's
    std::string name;               // the new one
  };

  // The row that the name resolves to by this claim; nullopt if none does.
  Task<Result<std::optional<Function>>> holder(std::string name, std::optional<NameClaim> claim);
  Task<Result<void>> take(std::string name, FunctionId id, std::optional<NameClaim> seen,
                          std::optional<NameClaim>& mine);
  Task<Result<Deployed>> create(NewFunction wanted, StagedFile& bundle, std::optional<NameClaim> seen);
  Task<Result<Deployed>> replace(Function function, NewFunction wanted, StagedFile& bundle);
  // The claim on the function's name, if it is the function's.
  Task<Result<std::optional<NameClaim>>> held_by(FunctionId id, std::string name);
  Task<Result<void>> rename(Renaming renaming, FunctionChange change, StagedFile* bundle, std::string sender);
  Task<void> take_back(Renaming renaming);

  DeployFunction& deploy_;
  NameClaims& claims_;
  FunctionStore& functions_;
  const Clock& clock_;
};

}  // namespace infra::app
