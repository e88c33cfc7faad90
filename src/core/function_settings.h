// A function's settings: what a client can set beside the code. A function has them, a job takes them along, a change
// names some of them; forms, JSON bodies, answers, rows and messages are read and written by the one table of fields.
// A new one is a member here, a row of the table, a column (adapters/sqlite/database_schema.cc), and its effect.
#pragma once

#include <bitset>
#include <boost/json/value.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "core/environment.h"
#include "core/error.h"
#include "core/limits.h"
#include "core/runtime.h"
#include "core/time.h"

namespace infra {

// The network that a function has by itself; the AI node is reached through the AI proxy either way.
enum class Network : std::uint8_t {
  none,
  egress,  // outbound connections to public addresses
};
template <>
inline constexpr Network kLastOf<Network> = Network::egress;

[[nodiscard]] std::string_view to_string(Network network);

struct FunctionSettings {
  std::string name;
  std::string description;
  Runtime runtime = Runtime::python;
  int memory_mb = limits::kDefaultMemoryMb;
  milliseconds timeout = limits::kDefaultTimeout;
  Environment env;
  Network network = Network::none;
  int keep_warm = 0;        // instances a worker keeps, whether they are called or not
  int max_concurrency = 0;  // runs at once over the whole platform; 0: no limit of its own

  bool operator==(const FunctionSettings&) const = default;
  [[nodiscard]] FunctionSettings& settings() { return *this; }
  [[nodiscard]] const FunctionSettings& settings() const { return *this; }
};

using SettingMember =
    std::variant<std::string FunctionSettings::*, Runtime FunctionSettings::*, int FunctionSettings::*,
                 milliseconds FunctionSettings::*, Environment FunctionSettings::*, Network FunctionSettings::*>;

enum class SettingType : std::uint8_t { text, choice, whole, environment };

struct SettingField {
  std::string_view name;      // in forms and JSON, in DynamoDB's rows and the queue's messages
  std::string_view header{};  // that says the same in an upload or change; empty: none does
  std::string_view column;    // in SQLite's rows
  SettingMember member;       // its default is a new FunctionSettings'
  const ErrorEntry* refusal;
  std::string_view rule{};  // as a sentence: {0} is `least`, {1} `most`, {2} the choices
  std::int64_t least = 0;   // of a number; of a text's bytes
  std::int64_t most = 0;
  std::span<const std::string_view> choices{};  // by number
  std::string_view controls{};                  // control characters that a text may have
  // The reference platform's name for it in changes, where a number below `least` means that.
  std::string_view alias{};
  std::string_view alias_rule{};

  bool fixed = false;   // by the upload: no change has it
  bool in_job = true;   // a worker has to know it
  bool shown = true;    // in what GET says of a function
  bool sparse = false;  // as its default it is not written, so that rows and messages without it stay as they were
  bool null_is_default = false;  // in JSON
  bool percent_encoded = false;  // in forms and headers

  [[nodiscard]] SettingType type() const;
};

// In the order in which they are written.
[[nodiscard]] std::span<const SettingField> setting_fields();
[[nodiscard]] const SettingField& field_of(const SettingMember& member);

// The field of a change that has this name; null if no change has it.
struct ChangeField {
  const SettingField* field = nullptr;
  bool by_alias = false;
};
[[nodiscard]] ChangeField find_change_field(std::string_view name);
// "name, description, …": what a change may have.
[[nodiscard]] std::string change_field_names();

// What clients send. An `invalid` error says what is allowed, and leaves `settings` as they are.
[[nodiscard]] Result<void> set_text(const SettingField& field, FunctionSettings& settings, std::string_view text,
                                    bool by_alias = false);
[[nodiscard]] Result<void> set_json(const SettingField& field, FunctionSettings& settings,
                                    const boost::json::value& value, bool by_alias = false);

// What is stored, or sent by another program: a number out of its range becomes the nearest one, what is absent or
// means nothing the default. Each does nothing for a field of another type.
void set_stored_number(const SettingField& field, FunctionSettings& settings, std::optional<double> number);
void set_stored_text(const SettingField& field, FunctionSettings& settings, std::string text);
void set_stored_environment(const SettingField& field, FunctionSettings& settings, Environment env);
// A number, or that of a choice, as number_of() gave it; false if it means nothing.
[[nodiscard]] bool set_number(const SettingField& field, FunctionSettings& settings, std::int64_t number);

// Of a whole number or a choice; 0 for the others.
[[nodiscard]] std::int64_t number_of(const SettingField& field, const FunctionSettings& settings);
// Of a text, a choice, or the environment as JSON; empty for the others.
[[nodiscard]] std::string text_of(const SettingField& field, const FunctionSettings& settings);
// Whether rows and messages have it.
[[nodiscard]] bool is_written(const SettingField& field, const FunctionSettings& settings);
// Appends `"name":value,`.
void append_json_member(std::string& json, const SettingField& field, const FunctionSettings& settings);

// Some settings and their new values.
class SettingsChange {
 public:
  template <typename T>
  void set(T FunctionSettings::* setting, std::type_identity_t<T> value) {
    change(field_of(setting)).*setting = std::move(value);
  }
  // Nullopt if the change does not name it.
  template <typename T>
  [[nodiscard]] std::optional<T> get(T FunctionSettings::* setting) const {
    return names(field_of(setting)) ? std::optional(values_.*setting) : std::nullopt;
  }

  [[nodiscard]] bool names(const SettingField& field) const { return named_.test(index_of(field)); }
  [[nodiscard]] bool names_any() const { return named_.any(); }
  [[nodiscard]] const FunctionSettings& values() const { return values_; }
  // From now on the change names the field, and its value is set in what this returns.
  [[nodiscard]] FunctionSettings& change(const SettingField& field);
  void apply_to(FunctionSettings& settings) const;

 private:
  static constexpr std::size_t kMostFields = 32;
  [[nodiscard]] static std::size_t index_of(const SettingField& field);

  FunctionSettings values_;
  std::bitset<kMostFields> named_;
};

}  // namespace infra
