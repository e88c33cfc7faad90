// Configuration items in memory, and what they share with the other fakes under the same use cases: a budget of writes,
// beyond which everything fails, as if the program had been cut off there; and a moment at which another comes between.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "core/error_codes.h"
#include "core/operator_error_codes.h"
#include "ports/configuration_store.h"
#include "support/fake_ports.h"

namespace infra::fakes {

struct WriteBudget {
  static constexpr int kUnlimited = 1'000'000;
  int left = kUnlimited;
  bool answer_lost = false;            // the last write is carried out, and fails all the same
  std::function<void()> another = {};  // runs before the call after so many
  int calls_before_another = 0;

  // Of every call of a store, first.
  void reach() {
    if (another && calls_before_another-- == 0) std::exchange(another, {})();
  }

  // Whether the write is carried out; then whether its caller hears so.
  [[nodiscard]] bool take() {
    if (left == 0) return false;
    --left;
    return true;
  }
  [[nodiscard]] bool is_heard() const { return left > 0 || !answer_lost; }
  static std::unexpected<Error> cut() { return fail(errors::engine_unavailable, "cut off"); }
};

class FakeConfiguration : public ConfigurationStore {
 public:
  explicit FakeConfiguration(WriteBudget& budget) : budget_(budget) {}
  std::map<std::pair<std::string, std::string>, ConfigurationItem> items;
  int reads = 0;

  Task<Result<std::optional<ConfigurationItem>>> get(const ConfigurationKey& key) override {
    budget_.reach();
    ++reads;
    if (budget_.left == 0) co_return WriteBudget::cut();
    const auto found = items.find({key.partition, key.sort});
    co_return found == items.end() ? std::nullopt : std::optional(found->second);
  }
  Task<Result<void>> put_new(const ConfigurationItem& item) override {
    budget_.reach();
    if (items.contains(place_of(item.key))) co_return changed();
    co_return write([&] { items[place_of(item.key)] = item; });
  }
  Task<Result<void>> replace(const ConfigurationItem& item, const ConfigurationCondition& condition) override {
    budget_.reach();
    if (!holds(item.key, condition)) co_return changed();
    co_return write([&] { items[place_of(item.key)] = item; });
  }
  Task<Result<void>> remove(const ConfigurationKey& key, const ConfigurationCondition& condition) override {
    budget_.reach();
    if (!holds(key, condition)) co_return changed();
    co_return write([&] { items.erase(place_of(key)); });
  }
  Task<Result<ConfigurationPage>> query(const std::string& partition, const std::string& after, int limit) override {
    ConfigurationPage page;
    for (auto next = items.upper_bound({partition, after}); next != items.end() && next->first.first == partition;
         ++next) {
      if (std::cmp_equal(page.items.size(), limit)) {
        page.next = page.items.back().key.sort;
        break;
      }
      page.items.push_back(next->second);
    }
    co_return page;
  }

 private:
  static std::pair<std::string, std::string> place_of(const ConfigurationKey& key) { return {key.partition, key.sort}; }
  static std::unexpected<Error> changed() { return fail(errors::item_changed, "changed"); }
  [[nodiscard]] bool holds(const ConfigurationKey& key, const ConfigurationCondition& condition) const {
    const auto found = items.find(place_of(key));
    if (found == items.end()) return false;
    const auto attribute = found->second.attributes.find(condition.attribute);
    return attribute != found->second.attributes.end() && attribute->second == condition.value;
  }
  template <typename Change>
  Result<void> write(Change change) {
    if (!budget_.take()) return WriteBudget::cut();
    change();
    if (!budget_.is_heard()) return WriteBudget::cut();
    return {};
  }

  WriteBudget& budget_;
};

// Function rows under the same budget.
class BudgetedFunctions : public FakeFunctions {
 public:
  BudgetedFunctions(Journal& journal, WriteBudget& budget) : FakeFunctions(journal), budget_(budget) {}

  Task<Result<void>> insert(const Function& function) override {
    if (auto ok = begin(); !ok) co_return ok;
    co_return ended(co_await FakeFunctions::insert(function));
  }
  Task<Result<Function>> find(const FunctionId& id) override {
    budget_.reach();
    if (budget_.left == 0) co_return WriteBudget::cut();
    co_return co_await FakeFunctions::find(id);
  }
  Task<Result<Function>> update(const FunctionId& id, const FunctionChange& change, WallTime now) override {
    if (auto ok = begin(); !ok) co_return fail(ok.error());
    co_return ended(co_await FakeFunctions::update(id, change, now));
  }
  Task<Result<Function>> remove(const FunctionId& id) override {
    if (auto ok = begin(); !ok) co_return fail(ok.error());
    co_return ended(co_await FakeFunctions::remove(id));
  }

 private:
  Result<void> begin() {
    budget_.reach();
    if (!budget_.take()) return WriteBudget::cut();
    return {};
  }
  template <typename T>
  Result<T> ended(Result<T> result) const {
    if (result && !budget_.is_heard()) return WriteBudget::cut();
    return result;
  }

  WriteBudget& budget_;
};

}  // namespace infra::fakes
