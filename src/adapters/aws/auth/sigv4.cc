// The steps are those of "Create a signed AWS API request": canonical request, string to sign, key, signature.
#include "adapters/aws/auth/sigv4.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <map>
#include <new>
#include <span>
#include <vector>

#include "core/text.h"

namespace infra::aws {
namespace {

using Digest = std::array<unsigned char, 32>;
using SortedHeaders = std::multimap<std::string, std::string>;  // those of one name stay in their order

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

// What proxies on the way may change.
constexpr std::array<std::string_view, 6> kUnsigned{"authorization", "connection",        "expect",
                                                    "user-agent",    "transfer-encoding", "x-amzn-trace-id"};

std::string hex(std::span<const unsigned char> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const unsigned char byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

Digest hmac(std::span<const unsigned char> key, std::string_view text) {
  Digest digest;
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
           text.size(), digest.data(), nullptr) == nullptr)
    throw std::bad_alloc();
  return digest;
}

Digest signing_key(std::string_view secret, std::string_view date, const SigningScope& scope) {
  const std::string start = "AWS4" + std::string(secret);
  const Digest of_date = hmac({reinterpret_cast<const unsigned char*>(start.data()), start.size()}, date);
  return hmac(hmac(hmac(of_date, scope.region), scope.service), "aws4_request");
}

// "20150830T123600Z"; its first eight characters are the date.
std::string amz_time(WallTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{std::chrono::floor<std::chrono::seconds>(time - day)};
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count());
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string normalized(std::string_view path) {
  std::vector<std::string_view> kept;
  for (const auto part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      kept.push_back(part);
    } else if (!kept.empty()) {
      kept.pop_back();
    }
  }
  std::string result;
  for (const auto part : kept) result.append("/").append(part);
  if (result.empty() || path.ends_with('/')) result += '/';
  return result;
}

std::string canonical_path(std::string_view path, SigningRules rules) {
  std::string whole = rules.normalize_path ? normalized(path) : std::string(path);
  if (!rules.encode_path) return whole;
  std::string encoded;
  for (const auto part : split(whole, '/')) {
    if (part.data() != whole.data()) encoded += '/';
    encoded += net::percent_encode(part);
  }
  return encoded;
}

// Parameters are decoded first, so that two ways to write one are signed alike.
std::string canonical_query(std::string_view query) {
  const auto encoded = [](std::string_view text) {
    const auto decoded = net::percent_decode(text);
    return net::percent_encode(decoded ? std::string_view(*decoded) : text);
  };
  std::vector<std::pair<std::string, std::string>> parameters;
  for (const auto part : split(query, '&')) {
    if (part.empty()) continue;
    const auto equals = std::min(part.find('='), part.size());
    parameters.emplace_back(encoded(part.substr(0, equals)), encoded(part.substr(std::min(equals + 1, part.size()))));
  }
  std::ranges::sort(parameters);
  std::string text;
  for (const auto& [name, value] : parameters) {
    if (!text.empty()) text += '&';
    text.append(name).append("=").append(value);
  }
  return text;
}

// Trimmed, each run of spaces one space.
std::string canonical_value(std::string_view value) {
  std::string text;
  bool gap = false;
  for (const char c : value) {
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      gap = !text.empty();
      continue;
    }
    if (gap) text += ' ';
    gap = false;
    text += c;
  }
  return text;
}

void collect(const net::Headers& headers, bool sign_token, SortedHeaders& out) {
  for (const auto& [name, value] : headers.all()) {
    auto lower = ascii_lower(name);
    if (std::ranges::find(kUnsigned, lower) != kUnsigned.end()) continue;
    if (!sign_token && lower == "x-amz-security-token") continue;
    out.emplace(std::move(lower), canonical_value(value));
  }
}

struct CanonicalHeaders {
  std::string lines;  // "host:example.com\n…"
  std::string names;  // "host;x-amz-date"
};

CanonicalHeaders canonical_headers(const net::Headers& given, const net::Headers& added, bool sign_token) {
  SortedHeaders headers;
  collect(given, sign_token, headers);
  collect(added, sign_token, headers);
  CanonicalHeaders text;
  std::string_view last;
  for (const auto& [name, value] : headers) {
    if (name == last) {
      text.lines.back() = ',';
    } else {
      text.lines.append(name).append(":");
      if (!text.names.empty()) text.names += ';';
      text.names += name;
    }
    text.lines.append(value).append("\n");
    last = name;
  }
  return text;
}

}  // namespace

SigningRules signing_rules(std::string_view service) {
  if (service != "s3") return {};
  return {.normalize_path = false, .encode_path = false, .send_payload_hash = true};
}

Signature sign(const RequestToSign& request, const Credentials& credentials, const SigningScope& scope,
               SigningRules rules) {
  Signature signature;
  const std::string time = amz_time(scope.time);
  const std::string_view date = std::string_view(time).substr(0, 8);
  if (!credentials.session_token.empty()) signature.headers.add("X-Amz-Security-Token", credentials.session_token);
  signature.headers.add("X-Amz-Date", time);
  if (rules.send_payload_hash && !request.headers.find("x-amz-content-sha256"))
    signature.headers.add("x-amz-content-sha256", std::string(request.payload_hash));

  const auto headers = canonical_headers(request.headers, signature.headers, rules.sign_token);
  signature.canonical_request =
      fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, canonical_path(request.path, rules),
                  canonical_query(request.query), headers.lines, headers.names, request.payload_hash);
  const std::string credential_scope = fmt::format("{}/{}/{}/aws4_request", date, scope.region, scope.service);
  signature.string_to_sign =
      fmt::format("{}\n{}\n{}\n{}", kAlgorithm, time, credential_scope, sha256_hex(signature.canonical_request));
  const auto key = signing_key(credentials.secret_access_key, date, scope);
  signature.hex = hex(hmac(key, signature.string_to_sign));
  signature.headers.add("Authorization",
                        fmt::format("{} Credential={}/{}, SignedHeaders={}, Signature={}", kAlgorithm,
                                    credentials.access_key_id, credential_scope, headers.names, signature.hex));
  return signature;
}

std::string sha256_hex(std::string_view bytes) {
  Digest digest;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_sha256(), nullptr) != 1)
    throw std::bad_alloc();
  return hex(digest);
}

}  // namespace infra::aws
