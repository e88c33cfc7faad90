// Claims on names, one configuration item each: which function a name is, and a mark by which every change of the claim
// knows whether another came before it.
//
// A name is a function's while the claim says so AND the function's row has that name: the row's write is what makes a
// change visible, and undoes what a claim without a fitting row says. So every prefix of these sequences is a valid
// state:
//   deploy a new one  claim the name · insert the row (visible) · confirm the claim
//   replace           change the row (visible)
//   rename            claim the new name · change the row (visible) · confirm the claim · drop the old name's
//   delete            remove the row (visible) · drop the claim
// A claim without a fitting row was left by a sequence that broke off, or by a program that knows no claims. Whoever
// wants the name takes it over, and an owner that was only slow hears of it when it confirms: the claim is then marked
// by another, and the owner takes its row back.
#pragma once

#include <optional>
#include <string>

#include "app/id_source.h"
#include "core/ids.h"
#include "ports/configuration_store.h"

namespace infra::app {

struct NameClaim {
  FunctionId function;
  std::string mark;
};

// Any event thread.
class NameClaims {
 public:
  // `store` may be null: there is none, and everything fails with configuration_absent.
  NameClaims(ConfigurationStore* store, IdSource& ids) : store_(store), ids_(ids) {}

  [[nodiscard]] bool possible() const { return store_ != nullptr && store_->exists(); }

  // As it is now. Nullopt: nobody claims the name.
  Task<Result<std::optional<NameClaim>>> read(std::string name);
  // In place of `seen`, which read() gave. `conflict` (code item_changed) if it is another by now.
  Task<Result<NameClaim>> take(std::string name, FunctionId function, std::optional<NameClaim> seen);
  // Marks it anew. False: another function has taken it over, or it is dropped. One that was taken for the same
  // function by another request will do.
  Task<Result<bool>> confirm(std::string name, NameClaim claim);
  // Unless it is another by now. What fails is only logged: a claim without a fitting row is in nobody's way.
  Task<void> drop(std::string name, NameClaim claim);

 private:
  ConfigurationStore* const store_;
  IdSource& ids_;
};

}  // namespace infra::app
