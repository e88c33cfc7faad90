#include "adapters/sqlite/row_codec.h"

#include <fmt/format.h>

#include <utility>

namespace infra {
namespace {

bool is_in(SettingsOf row, const SettingField& field) {
  return row == SettingsOf::function || field.in_job;
}

bool is_number(const SettingField& field) {
  return field.type() == SettingType::whole || field.type() == SettingType::choice;
}

template <typename Part>
std::string list_of(SettingsOf row, const Part& part) {
  std::string list;
  for (const auto& field : setting_fields()) {
    if (is_in(row, field)) list.append(list.empty() ? "" : ", ").append(part(field));
  }
  return list;
}

}  // namespace

std::string setting_columns(SettingsOf row) {
  return list_of(row, [](const SettingField& field) { return field.column; });
}
std::string setting_places(SettingsOf row) {
  return list_of(row, [](const SettingField&) { return "?"; });
}
std::string setting_assignments(SettingsOf row) {
  return list_of(row, [](const SettingField& field) { return std::string(field.column) + "=?"; });
}

SettingTexts::SettingTexts(const FunctionSettings& settings) {
  for (const auto& field : setting_fields()) texts_.push_back(is_number(field) ? "" : text_of(field, settings));
}

std::string_view SettingTexts::of(const SettingField& field) const {
  return texts_[static_cast<std::size_t>(&field - setting_fields().data())];
}

void bind_settings(sqlite::Statement& statement, SettingsOf row, const FunctionSettings& settings,
                   const SettingTexts& texts) {
  for (const auto& field : setting_fields()) {
    if (!is_in(row, field)) continue;
    if (is_number(field)) {
      statement.bind(number_of(field, settings));
    } else {
      statement.bind(texts.of(field));
    }
  }
}

Result<void> read_settings(const sqlite::Statement& statement, int first, SettingsOf row, FunctionSettings& settings) {
  int column = first;
  for (const auto& field : setting_fields()) {
    if (!is_in(row, field)) continue;
    const int here = column++;
    bool meant = true;
    if (is_number(field)) {
      meant = set_number(field, settings, statement.integer(here));
    } else if (field.type() == SettingType::text) {
      set_stored_text(field, settings, statement.text(here));
    } else if (auto env = parse_environment(statement.text(here))) {
      set_stored_environment(field, settings, std::move(*env));
    } else {
      meant = false;
    }
    if (!meant)
      return fail(errors::engine_unavailable, fmt::format("A row of the database has an unreadable {}.", field.name));
  }
  return {};
}

}  // namespace infra
