// The format is an INI file whose indented lines belong to the setting above them; those are none of ours.
#include "adapters/aws/auth/profile_credentials.h"

#include <fmt/format.h>

#include <array>

#include "adapters/aws/auth/variables.h"
#include "core/error_codes.h"
#include "core/text.h"

namespace infra::aws {
namespace {

using Settings = std::map<std::string, std::string, std::less<>>;

std::string_view without_comment(std::string_view value) {
  for (const std::string_view mark : {" #", " ;", "\t#", "\t;"}) value = value.substr(0, value.find(mark));
  return trim(value);
}

// The name in "[name]" or "[profile name]"; empty if the line is no such thing.
std::string_view section_name(std::string_view line) {
  if (!line.starts_with('[')) return {};
  auto name = trim(line.substr(1, line.find(']') - 1));
  if (name.starts_with("profile ") || name.starts_with("profile\t")) name = trim(name.substr(8));
  return name;
}

// Adds the profile's settings to `out`, where they are not yet; true if the profile is there.
bool read_profile(std::string_view text, std::string_view profile, Settings& out) {
  Settings found;
  bool inside = false;
  bool there = false;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const auto line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (trim(line).empty() || line.starts_with('#') || line.starts_with(';')) continue;
    if (line.starts_with(' ') || line.starts_with('\t')) continue;
    if (line.starts_with('[')) {
      inside = section_name(line) == profile;
      there = there || inside;
      continue;
    }
    const auto equals = line.find('=');
    if (!inside || equals == std::string_view::npos) continue;
    found[ascii_lower(trim(line.substr(0, equals)))] = without_comment(line.substr(equals + 1));
  }
  out.merge(found);
  return there;
}

std::string file_of(const Variables& variables, std::string_view override_name, std::string_view in_home) {
  if (auto named = variable(variables, override_name); !named.empty()) return named;
  const auto home = variable(variables, "HOME");
  return home.empty() ? std::string() : home + std::string(in_home);
}

}  // namespace

ProfileFiles profile_files(const Variables& variables) {
  return {.credentials = file_of(variables, "AWS_SHARED_CREDENTIALS_FILE", "/.aws/credentials"),
          .config = file_of(variables, "AWS_CONFIG_FILE", "/.aws/config")};
}

ProfileCredentials::ProfileCredentials(const Variables& variables, SmallFiles files)
    : files_(std::move(files)),
      profile_(variable(variables, "AWS_PROFILE")),
      profile_was_named_(!profile_.empty()),
      paths_(profile_files(variables)) {
  if (!profile_was_named_) profile_ = "default";
}

Task<Result<Credentials>> ProfileCredentials::fetch() {
  Settings settings;
  bool there = false;
  for (const auto& file : {paths_.credentials, paths_.config}) {
    if (file.empty()) continue;
    const auto text = co_await files_.read(file);
    if (text) {
      there = read_profile(*text, profile_, settings) || there;
    } else if (text.error().kind != ErrorKind::not_found) {
      co_return fail(text.error());
    }
  }
  if (!there && profile_was_named_)
    co_return fail(errors::no_credentials.as(ErrorKind::invalid),
                   fmt::format("AWS_PROFILE names the profile {}, which is in neither {} nor {}.", profile_,
                               paths_.credentials, paths_.config));
  const auto& id = settings["aws_access_key_id"];
  const auto& secret = settings["aws_secret_access_key"];
  if (!id.empty() && !secret.empty())
    co_return Credentials{
        .access_key_id = id, .secret_access_key = secret, .session_token = settings["aws_session_token"]};
  if (!id.empty() || !secret.empty())
    co_return fail(
        errors::no_credentials.as(ErrorKind::invalid),
        fmt::format("the profile {} has only one of aws_access_key_id and aws_secret_access_key.", profile_));
  for (const std::string_view way : {"credential_process", "sso_session", "sso_start_url", "role_arn"}) {
    if (!settings.contains(way)) continue;
    co_return fail(errors::no_credentials.as(ErrorKind::invalid),
                   fmt::format("the profile {} gets its keys by {}, which Infra does not read; give it keys, or set "
                               "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
                               profile_, way));
  }
  co_return fail(errors::no_credentials.as(ErrorKind::not_found), fmt::format("the profile {} has no keys.", profile_));
}

}  // namespace infra::aws
