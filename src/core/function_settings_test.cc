// The table of settings: what its rows must hold, the rules at their edges, and what strangers have stored.
#include "core/function_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <set>

#include "core/limits.h"

namespace infra {
namespace {

using ::testing::HasSubstr;

// One with something in every field.
FunctionSettings all_set() {
  return {.name = "n",
          .description = "d \"q\"",
          .runtime = Runtime::go,
          .memory_mb = 512,
          .timeout = milliseconds{4321},
          .env = {{"A", "b"}},
          .network = Network::egress,
          .keep_warm = 2,
          .max_concurrency = 30};
}

template <typename T>
Result<T> read(T FunctionSettings::* setting, std::string_view text) {
  FunctionSettings settings;
  if (auto set = set_text(field_of(setting), settings, text); !set) return fail(set.error());
  return settings.*setting;
}

template <typename T>
void expect_refused(T FunctionSettings::* setting, std::string_view text) {
  const SettingField& field = field_of(setting);
  FunctionSettings settings = all_set();
  const auto refused = set_text(field, settings, text);
  ASSERT_FALSE(refused.has_value()) << field.name << ": " << text;
  EXPECT_EQ(refused.error().kind, ErrorKind::invalid);
  EXPECT_EQ(refused.error().code, field.refusal->code);
  EXPECT_THAT(refused.error().message, HasSubstr(std::string(field.name)));
  EXPECT_EQ(settings, all_set());
}

TEST(FunctionSettingsTest, EveryRowIsWholeAndHasNamesOfItsOwn) {
  std::set<std::string_view> names;
  std::set<std::string_view> columns;
  for (const auto& field : setting_fields()) {
    EXPECT_TRUE(names.insert(field.name).second) << field.name;
    EXPECT_TRUE(columns.insert(field.column).second) << field.name;
    EXPECT_TRUE(field.header.empty() || names.insert(field.header).second) << field.name;
    EXPECT_TRUE(field.alias.empty() || names.insert(field.alias).second) << field.name;
    EXPECT_EQ(&field_of(field.member), &field);
    EXPECT_EQ(field.type() == SettingType::choice, !field.choices.empty()) << field.name;
    EXPECT_EQ(field.type() == SettingType::environment, field.rule.empty()) << field.name;
    EXPECT_EQ(find_change_field(field.name).field, field.fixed ? nullptr : &field);
  }
  EXPECT_EQ(find_change_field("invocations").field, nullptr);
  EXPECT_EQ(change_field_names(), "name, description, memoryMb, timeoutMs, envVars, network, keepWarm, maxConcurrency");
}

TEST(FunctionSettingsTest, EveryMemberIsInTheTable) {
  SettingsChange change;
  const FunctionSettings wanted = all_set();
  for (const auto& field : setting_fields()) {
    std::visit([&](auto member) { change.set(member, wanted.*member); }, field.member);
  }
  FunctionSettings settings;
  change.apply_to(settings);
  EXPECT_EQ(settings, wanted);
}

TEST(FunctionSettingsTest, WhatIsWrittenAsTextNumberOrJsonIsReadAgain) {
  FunctionSettings from_text;
  FunctionSettings from_numbers;
  std::string json = "{";
  for (const auto& field : setting_fields()) {
    const bool whole = field.type() == SettingType::whole;
    const std::string text = whole ? std::to_string(number_of(field, all_set())) : text_of(field, all_set());
    EXPECT_TRUE(set_text(field, from_text, text)) << field.name;
    set_stored_text(field, from_numbers, text_of(field, all_set()));
    set_stored_environment(field, from_numbers, all_set().env);
    EXPECT_EQ(set_number(field, from_numbers, number_of(field, all_set())), whole || !field.choices.empty());
    append_json_member(json, field, all_set());
  }
  EXPECT_EQ(from_text, all_set());
  EXPECT_EQ(from_numbers, all_set());
  json.back() = '}';
  FunctionSettings from_json;
  for (const auto& [name, value] : boost::json::parse(json).as_object()) {
    for (const auto& field : setting_fields()) {
      if (name == field.name) EXPECT_TRUE(set_json(field, from_json, value)) << field.name;
    }
  }
  EXPECT_EQ(from_json, all_set());
}

TEST(FunctionSettingsTest, AChangeGivesWhatItNamesAlone) {
  SettingsChange change;
  EXPECT_FALSE(change.names_any());
  change.set(&FunctionSettings::keep_warm, 0);
  EXPECT_EQ(change.get(&FunctionSettings::keep_warm), 0);
  EXPECT_EQ(change.get(&FunctionSettings::max_concurrency), std::nullopt);
  FunctionSettings settings = all_set();
  change.apply_to(settings);
  FunctionSettings wanted = all_set();
  wanted.keep_warm = 0;
  EXPECT_EQ(settings, wanted);
}

TEST(FunctionSettingsTest, MemoryIsAWholeNumberInItsRange) {
  EXPECT_EQ(read(&FunctionSettings::memory_mb, "128"), 128);
  EXPECT_EQ(read(&FunctionSettings::memory_mb, "10240"), 10240);
  for (const char* text :
       {"", "127", "10241", "-128", "+128", "128.0", "1e3", " 256", "256 ", "0x100", "256MB", "99999999999999999999"}) {
    expect_refused(&FunctionSettings::memory_mb, text);
  }
}

TEST(FunctionSettingsTest, ChoicesAreReadAsTheyAreWritten) {
  for (const Network network : {Network::none, Network::egress}) {
    EXPECT_EQ(read(&FunctionSettings::network, to_string(network)), network);
  }
  for (const auto& runtime : kRuntimes) EXPECT_EQ(read(&FunctionSettings::runtime, runtime.name), runtime.runtime);
  for (const char* text : {"", "None", "all", "egress "}) expect_refused(&FunctionSettings::network, text);
  for (const char* text : {"", "Python", "ruby", "python "}) expect_refused(&FunctionSettings::runtime, text);
  FunctionSettings settings;
  EXPECT_EQ(set_text(field_of(&FunctionSettings::runtime), settings, "ruby").error().message,
            "runtime must be one of python, nodejs, cpp, go.");
}

TEST(FunctionSettingsTest, KeepWarmAndMaxConcurrencyAreWholeNumbersInTheirRanges) {
  EXPECT_EQ(read(&FunctionSettings::keep_warm, "0"), 0);
  EXPECT_EQ(read(&FunctionSettings::keep_warm, "16"), 16);
  for (const char* text : {"", "17", "-1", "1.0", "two"}) expect_refused(&FunctionSettings::keep_warm, text);
  EXPECT_EQ(read(&FunctionSettings::max_concurrency, "0"), 0);
  EXPECT_EQ(read(&FunctionSettings::max_concurrency, "1"), 1);
  EXPECT_EQ(read(&FunctionSettings::max_concurrency, "1000"), 1000);
  for (const char* text : {"", "1001", "-1", "1e2", "none"}) expect_refused(&FunctionSettings::max_concurrency, text);
}

TEST(FunctionSettingsTest, TimeoutIsAWholeNumberInItsRange) {
  EXPECT_EQ(read(&FunctionSettings::timeout, "100"), milliseconds{100});
  EXPECT_EQ(read(&FunctionSettings::timeout, "900000"), milliseconds{900000});
  for (const char* text : {"", "99", "900001", "1.5", "abc"}) expect_refused(&FunctionSettings::timeout, text);
}

TEST(FunctionSettingsTest, NamesAndDescriptionsAreBoundedText) {
  EXPECT_EQ(read(&FunctionSettings::name, std::string(256, 'n')), std::string(256, 'n'));
  EXPECT_EQ(read(&FunctionSettings::name, "W\xc3\xb6rter z\xc3\xa4hlen"), "W\xc3\xb6rter z\xc3\xa4hlen");
  for (const std::string& text : {std::string(), std::string(257, 'n'), std::string("a\nb"), std::string("a\0b", 3),
                                  std::string("\xff"), std::string("\x7f")}) {
    expect_refused(&FunctionSettings::name, text);
  }
  EXPECT_TRUE(read(&FunctionSettings::description, ""));
  EXPECT_TRUE(read(&FunctionSettings::description, "two\r\n\tlines"));
  EXPECT_TRUE(read(&FunctionSettings::description, std::string(4096, 'd')));
  for (const std::string& text : {std::string(4097, 'd'), std::string("\x1b[31m"), std::string("\xc3")}) {
    expect_refused(&FunctionSettings::description, text);
  }
}

TEST(FunctionSettingsTest, NullSetsWhatHasADefaultForIt) {
  FunctionSettings settings = all_set();
  EXPECT_TRUE(set_json(field_of(&FunctionSettings::max_concurrency), settings, nullptr));
  EXPECT_EQ(settings.max_concurrency, 0);
  for (const auto& field : setting_fields()) {
    if (!field.null_is_default) EXPECT_FALSE(set_json(field, settings, nullptr)) << field.name;
  }
}

TEST(FunctionSettingsTest, WhatOthersStoredBecomesTheNearestValueOrTheDefault) {
  FunctionSettings settings = all_set();
  const auto& memory = field_of(&FunctionSettings::memory_mb);
  for (const auto& [stored, wanted] : {std::pair{1.0, 128}, {300.4, 300}, {1e300, 10240}}) {
    set_stored_number(memory, settings, stored);
    EXPECT_EQ(settings.memory_mb, wanted);
  }
  set_stored_number(memory, settings, std::nullopt);
  EXPECT_EQ(settings.memory_mb, limits::kDefaultMemoryMb);
  set_stored_number(memory, settings, std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(settings.memory_mb, limits::kDefaultMemoryMb);
  set_stored_text(field_of(&FunctionSettings::runtime), settings, "ruby");
  EXPECT_EQ(settings.runtime, Runtime::python);
  const FunctionSettings before = settings;
  set_stored_text(memory, settings, "512");
  set_stored_number(field_of(&FunctionSettings::name), settings, 5);
  set_stored_environment(memory, settings, {{"X", "y"}});
  EXPECT_EQ(settings, before);
  EXPECT_FALSE(set_number(field_of(&FunctionSettings::network), settings, 2));
  EXPECT_FALSE(set_number(field_of(&FunctionSettings::runtime), settings, -1));
  EXPECT_EQ(settings, before);
}

TEST(FunctionSettingsTest, ADefaultThatRowsDidNotHaveIsNotWritten) {
  std::set<std::string_view> written;
  for (const auto& field : setting_fields()) {
    if (is_written(field, FunctionSettings{})) written.insert(field.name);
    EXPECT_TRUE(is_written(field, all_set())) << field.name;
  }
  EXPECT_EQ(written,
            (std::set<std::string_view>{"name", "description", "runtime", "memoryMb", "timeoutMs", "envVars"}));
}

}  // namespace
}  // namespace infra
