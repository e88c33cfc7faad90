// The whole platform on one machine, wired: engines, use cases, HTTP interface and the worker inside. Everything that a
// component needs is handed to it here and nowhere else.
#pragma once

#include <memory>

#include "core/holding.h"
#include "main/platform.h"
#include "main/program.h"
#include "sandbox/launcher.h"

namespace infra {

class EmbeddedPlatform final : public Platform {
 public:
  // Opens the engines in the program's folder. Referenced objects must outlive the platform. The error is a sentence
  // for the operator.
  static Result<std::unique_ptr<EmbeddedPlatform>> open(Program& program, sandbox::Launcher& launcher);
  ~EmbeddedPlatform() override;

  Result<std::uint16_t> start(const std::string& address) override;
  void shut_down() override;
  // Of all its parts; any thread.
  [[nodiscard]] Holdings holdings() const;

 private:
  struct Parts;
  explicit EmbeddedPlatform(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace infra
