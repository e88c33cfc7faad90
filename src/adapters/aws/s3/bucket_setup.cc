#include "adapters/aws/s3/bucket_setup.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "adapters/aws/s3/s3_bucket.h"
#include "core/sha256.h"

namespace infra::aws {
namespace {

using State = ResourceReport::State;

constexpr milliseconds kPatience{10'000};

// docs/aws.md has them with their reasons.
struct Rule {
  std::string_view id;
  std::string_view filter;
  std::string_view action;
};
constexpr std::array kRules{Rule{"results", "<Prefix>results/</Prefix>", "<Expiration><Days>2</Days></Expiration>"},
                            Rule{"payloads", "<Prefix>payloads/</Prefix>", "<Expiration><Days>15</Days></Expiration>"},
                            Rule{"outputs", "<Prefix>outputs/</Prefix>", "<Expiration><Days>30</Days></Expiration>"},
                            Rule{"retired-code", "<Tag><Key>infra</Key><Value>retired</Value></Tag>",
                                 "<Expiration><Days>15</Days></Expiration>"},
                            Rule{"uploads", "<Prefix></Prefix>",
                                 "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation>"
                                 "</AbortIncompleteMultipartUpload>"}};

std::string document() {
  std::string xml = R"(<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">)";
  for (const Rule& rule : kRules) {
    xml += fmt::format("<Rule><ID>{}</ID><Filter>{}</Filter><Status>Enabled</Status>{}</Rule>", rule.id, rule.filter,
                       rule.action);
  }
  return xml + "</LifecycleConfiguration>";
}

std::size_t count(std::string_view text, std::string_view word) {
  std::size_t found = 0;
  for (auto at = text.find(word); at != std::string_view::npos; at = text.find(word, at + word.size())) ++found;
  return found;
}

// A rule is known by its name.
bool has(std::string_view xml, const Rule& rule) {
  return xml.contains(fmt::format("<ID>{}</ID>", rule.id));
}

std::string lacking(std::string_view xml) {
  std::string words;
  for (const Rule& rule : kRules) {
    if (!has(xml, rule)) words += fmt::format("{}{}", words.empty() ? "" : ", ", rule.id);
  }
  return words;
}

// S3 takes this document only with a checksum of it.
std::string checksum(std::string_view body) {
  std::array<unsigned char, 32> hash{};
  EVP_Digest(body.data(), body.size(), hash.data(), nullptr, EVP_sha256(), nullptr);
  std::array<unsigned char, 45> text{};
  const int size = EVP_EncodeBlock(text.data(), hash.data(), static_cast<int>(hash.size()));
  return {text.begin(), text.begin() + size};
}

class Bucket {
 public:
  Bucket(AwsClient& s3, const std::string& name)
      : s3_(s3), path_(is_bucket_host(s3.service().endpoint, name) ? "/" : "/" + name) {}

  Task<Result<net::Response>> call(std::string method, std::string query, std::string body = "") {
    AwsRequest request{.method = std::move(method), .path = path_, .query = std::move(query)};
    request.repeat = Repeat::safe;  // each of them says how it is to be, once more makes no difference
    request.timeout = request.attempt_timeout = kPatience;
    if (!body.empty()) {
      request.headers.set("content-type", "application/xml");
      request.headers.set("x-amz-checksum-sha256", checksum(body));
    }
    request.body = std::move(body);
    return s3_.call(std::move(request));
  }

  // The region where S3 makes buckets that name none is not to be named.
  Task<Result<net::Response>> make() {
    const std::string& region = s3_.service().region;
    if (region == "us-east-1") return call("PUT", "");
    return call("PUT", "",
                fmt::format(R"(<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">)"
                            "<LocationConstraint>{}</LocationConstraint></CreateBucketConfiguration>",
                            region));
  }

 private:
  AwsClient& s3_;
  const std::string path_;
};

Task<ResourceReport> set_up_rules(Bucket& bucket, std::string name, OnMissing how) {
  ResourceReport report{.kind = "s3 lifecycle rules", .name = std::move(name)};
  const auto failed = [&](State state, const Error& error) {
    report.state = state;
    report.detail = error.message;
    return report;
  };
  auto known = co_await bucket.call("GET", "lifecycle");
  if (!known && known.error().kind != ErrorKind::not_found) co_return failed(State::unknown, known.error());
  const std::string xml = known ? known->body : "";
  const std::string words = lacking(xml);
  if (words.empty()) co_return report;
  const std::size_t rules = count(xml, "<Rule>");
  const auto ours = std::ranges::count_if(kRules, [&](const Rule& rule) { return has(xml, rule); });
  if (rules != static_cast<std::size_t>(ours)) {
    report.state = State::differs;
    report.detail = fmt::format("It has rules of others, which are left alone. Add these (docs/aws.md): {}.", words);
    co_return report;
  }
  report.state = rules == 0 ? State::missing : State::differs;
  report.detail = fmt::format("Objects that nobody needs stay for ever. Rules that it lacks: {}.", words);
  if (how == OnMissing::check) co_return report;
  if (const auto set = co_await bucket.call("PUT", "lifecycle", document()); !set)
    co_return failed(State::failed, set.error());
  const auto now = co_await bucket.call("GET", "lifecycle");
  if (!now || !lacking(now->body).empty()) {  // some stand-ins take them and keep none
    report.state = State::unknown;
    report.detail = "They were taken, and are not there.";
    co_return report;
  }
  report.state = rules == 0 ? State::made : State::changed;
  report.detail.clear();
  co_return report;
}

}  // namespace

Task<std::vector<ResourceReport>> set_up_bucket(AwsClient& s3, std::string name, OnMissing how) {
  std::vector<ResourceReport> reports{{.kind = "s3 bucket", .name = name}};
  Bucket bucket(s3, name);
  const auto failed = [&](const Error& error) {
    reports.front().state = State::failed;
    reports.front().detail = error.message;
    return reports;
  };
  if (const auto known = co_await bucket.call("HEAD", ""); !known) {
    if (known.error().kind != ErrorKind::not_found) co_return failed(known.error());
    reports.front().state = State::missing;
    if (how == OnMissing::check) co_return reports;
    if (const auto made = co_await bucket.make(); !made) co_return failed(made.error());
    reports.front().state = State::made;
  }
  reports.push_back(co_await set_up_rules(bucket, std::move(name), how));
  co_return reports;
}

}  // namespace infra::aws
