// What a simulated function is: a lambda of the test, which is told of a call and says what the function does then.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/time.h"

namespace infra::sim {

// A call as a runner hears of it.
struct FunctionCall {
  std::string function{};  // its id
  std::string request{};   // empty: the code is loaded ahead of a call
  std::string input{};     // JSON
  std::string code{};      // the word that it is known by
  int number = 0;          // of this instance's calls, from 0
  bool loads = false;
  WallTime deadline{};
};

// What becomes of it, in the order of the members.
struct FunctionPlan {
  milliseconds takes{1};
  std::string prints{};                                      // to stdout
  std::string complains{};                                   // to stderr
  std::vector<std::pair<std::string, std::string>> files{};  // output files: name and content
  std::int64_t peak_bytes = std::int64_t{20} * 1024 * 1024;
  std::int64_t cpu_us = 900;
  int processes_left = 0;  // beside the runner, when it answers

  enum class End : std::uint8_t {
    value,            // `text` is the result, as JSON
    error,            // the handler threw; `text` is its message
    import_error,     // the code can't be loaded
    exit,             // the runner ends with `code`
    killed,           // by the signal `code`
    out_of_memory,    // by the kernel
    hang,             // no answer ever
    close,            // the socket is closed, and the process goes on
    garbage,          // `text` in place of a frame
    another_request,  // an answer to a call that was never made
  };
  End end = End::value;
  std::string text = "null";
  int code = 0;
  bool reusable = true;

  // What it does when nobody has asked, after so much time; below zero: nothing.
  milliseconds ends_after{-1};    // exits
  milliseconds speaks_after{-1};  // says a frame
};

using FunctionCode = std::function<FunctionPlan(const FunctionCall&)>;

// The functions of a world, by the word that their bundles' entry files hold.
class MemoryFunctions {
 public:
  void add(std::string name, FunctionCode code) { all_[std::move(name)] = std::move(code); }
  // For words that have none of their own.
  void add_for_others(FunctionCode code) { others_ = std::move(code); }
  // Code that is not there fails to load.
  [[nodiscard]] FunctionPlan call(const std::string& name, const FunctionCall& call) const {
    const auto found = all_.find(name);
    if (found == all_.end() && others_) return others_(call);
    if (found == all_.end()) return {.end = FunctionPlan::End::import_error, .text = "no such function"};
    return found->second(call);
  }
  // Told when a call has done its work, or its process is gone, before anybody else can know.
  void watch_ends(std::function<void(const FunctionCall&)> over) { over_ = std::move(over); }
  void over(const FunctionCall& call) const {
    if (over_) over_(call);
  }
  // A line of source in any language whose comments don't matter here.
  [[nodiscard]] static std::string source(std::string_view name) { return "behaves as " + std::string(name) + "\n"; }

 private:
  std::map<std::string, FunctionCode> all_;
  FunctionCode others_;
  std::function<void(const FunctionCall&)> over_;
};

}  // namespace infra::sim
