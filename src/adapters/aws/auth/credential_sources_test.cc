// Each place that credentials come from, against files and servers of the test's own.
#include <fstream>

#include "adapters/aws/auth/container_credentials.h"
#include "adapters/aws/auth/environment_credentials.h"
#include "adapters/aws/auth/instance_credentials.h"
#include "adapters/aws/auth/profile_credentials.h"
#include "adapters/aws/auth/test_peer.h"
#include "adapters/aws/auth/web_identity_credentials.h"
#include "support/temp_folder.h"

namespace infra::aws {
namespace {

constexpr std::string_view kJson =
    R"({"Code":"Success","AccessKeyId":"AKID","SecretAccessKey":"S3CRET","Token":"TOKEN","Expiration":"2026-11-23T06:00:00Z"})";

class CredentialSourcesTest : public PeerTest {
 protected:
  std::string file(const std::string& name, std::string_view content) {
    const auto path = folder_.path() / name;
    std::ofstream(path, std::ios::binary) << content;
    return path.string();
  }
  template <typename Source>
  Result<Credentials> fetch(Source source) {
    return run(source.fetch());
  }
  void expect_temporary(const Result<Credentials>& got) {
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(got->access_key_id, "AKID");
    EXPECT_EQ(got->secret_access_key, "S3CRET");
    EXPECT_EQ(got->session_token, "TOKEN");
    EXPECT_EQ(got->expires_at, parse_iso8601("2026-11-23T06:00:00Z"));
  }
  void expect_error(const Result<Credentials>& got, ErrorKind kind, std::string_view words = "") {
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().kind, kind) << got.error().message;
    EXPECT_NE(got.error().message.find(words), std::string::npos) << got.error().message;
    for (const auto* secret : {"S3CRET", "TOKEN\"", "PROOF"})
      EXPECT_EQ(got.error().message.find(secret), std::string::npos) << got.error().message;
  }

  testing::TempFolder folder_;
};

TEST_F(CredentialSourcesTest, Environment) {
  const auto fetch_from = [&](const Variables& variables) { return fetch(EnvironmentCredentials(variables)); };
  const auto whole = fetch_from({{"AWS_ACCESS_KEY_ID", "AKID"}, {"AWS_SECRET_ACCESS_KEY", "S3CRET"}});
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->access_key_id, "AKID");
  EXPECT_EQ(whole->secret_access_key, "S3CRET");
  EXPECT_EQ(whole->session_token, "");
  EXPECT_FALSE(whole->expires_at);
  EXPECT_EQ(fetch_from({{"AWS_ACCESS_KEY_ID", "A"}, {"AWS_SECRET_ACCESS_KEY", "S"}, {"AWS_SESSION_TOKEN", "T"}})
                .value()
                .session_token,
            "T");
  expect_error(fetch_from({}), ErrorKind::not_found);
  expect_error(fetch_from({{"AWS_ACCESS_KEY_ID", ""}}), ErrorKind::not_found);
  expect_error(fetch_from({{"AWS_SECRET_ACCESS_KEY", "S3CRET"}}), ErrorKind::invalid, "set both");
}

TEST_F(CredentialSourcesTest, ProfileOutOfTheCredentialsFile) {
  const auto credentials =
      file("credentials",
           "# a comment\n[default]\naws_access_key_id = AKID  # mine\nAWS_SECRET_ACCESS_KEY=S3CRET\r\n"
           "\n[ other ]\naws_access_key_id=OTHER\naws_secret_access_key = S=/+=\n"
           "s3 =\n  aws_access_key_id = NESTED\naws_session_token = T\n");
  Variables variables{{"AWS_SHARED_CREDENTIALS_FILE", credentials}, {"AWS_CONFIG_FILE", "/nonexistent/config"}};
  const auto standard = fetch(ProfileCredentials(variables, executor_));
  ASSERT_TRUE(standard) << standard.error().message;
  EXPECT_EQ(standard->access_key_id, "AKID");
  EXPECT_EQ(standard->secret_access_key, "S3CRET");
  EXPECT_EQ(standard->session_token, "");
  variables["AWS_PROFILE"] = "other";
  const auto other = fetch(ProfileCredentials(variables, executor_));
  ASSERT_TRUE(other) << other.error().message;
  EXPECT_EQ(other->access_key_id, "OTHER");
  EXPECT_EQ(other->secret_access_key, "S=/+=");
  EXPECT_EQ(other->session_token, "T");
}

TEST_F(CredentialSourcesTest, ProfileInHomeAndInTheConfigFile) {
  std::filesystem::create_directory(folder_.path() / ".aws");
  file(".aws/config",
       "[default]\nregion = x\n[profile work]\naws_access_key_id = FROM_CONFIG\naws_secret_access_key = S\n");
  Variables variables{{"HOME", folder_.path().string()}, {"AWS_PROFILE", "work"}};
  EXPECT_EQ(fetch(ProfileCredentials(variables, executor_)).value().access_key_id, "FROM_CONFIG");
  file(".aws/credentials", "[work]\naws_access_key_id = FROM_CREDENTIALS\naws_secret_access_key = S\n");
  EXPECT_EQ(fetch(ProfileCredentials(variables, executor_)).value().access_key_id, "FROM_CREDENTIALS");
}

TEST_F(CredentialSourcesTest, ProfileSaysWhatItCannotUse) {
  expect_error(fetch(ProfileCredentials({}, executor_)), ErrorKind::not_found);
  expect_error(fetch(ProfileCredentials({{"HOME", folder_.path().string()}}, executor_)), ErrorKind::not_found);
  expect_error(fetch(ProfileCredentials({{"HOME", folder_.path().string()}, {"AWS_PROFILE", "missing"}}, executor_)),
               ErrorKind::invalid, "missing");
  const auto with = [&](std::string_view content) {
    return fetch(ProfileCredentials({{"AWS_SHARED_CREDENTIALS_FILE", file("credentials", content)}}, executor_));
  };
  expect_error(with("[default]\ncredential_process = /bin/S3CRET\n"), ErrorKind::invalid, "credential_process");
  expect_error(with("[default]\nrole_arn = a\nsource_profile = b\n"), ErrorKind::invalid, "role_arn");
  expect_error(with("[default]\naws_secret_access_key = S3CRET\n"), ErrorKind::invalid, "only one");
  expect_error(with("[default]\nregion = x\n"), ErrorKind::not_found);
  expect_error(with("[broken\n=\n]\naws_access_key_id"), ErrorKind::not_found);
  expect_error(with(std::string(2 << 20, '#')), ErrorKind::unavailable);
}

TEST_F(CredentialSourcesTest, ContainerAsksWithItsToken) {
  peer_.say(reply(200, std::string(kJson)));
  const auto token_file = file("token", "PROOF1\n");
  Variables variables{{"AWS_CONTAINER_CREDENTIALS_FULL_URI", peer_.url() + "/v1/credentials?x=1"},
                      {"AWS_CONTAINER_AUTHORIZATION_TOKEN", "PROOF0"}};
  expect_temporary(fetch(ContainerCredentials(variables, http_, executor_)));
  EXPECT_EQ(peer_.seen(0).path, "/v1/credentials");
  EXPECT_EQ(peer_.seen(0).query, "x=1");
  EXPECT_EQ(peer_.seen(0).header("authorization"), "PROOF0");

  variables["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = token_file;
  ContainerCredentials source(variables, http_, executor_);
  expect_temporary(run(source.fetch()));
  EXPECT_EQ(peer_.seen(1).header("authorization"), "PROOF1");
  file("token", "PROOF2");
  expect_temporary(run(source.fetch()));
  EXPECT_EQ(peer_.seen(2).header("authorization"), "PROOF2");
  std::filesystem::remove(token_file);
  expect_error(run(source.fetch()), ErrorKind::unavailable, token_file);
}

TEST_F(CredentialSourcesTest, ContainerTellsNoStranger) {
  const auto url = [](std::string full) {
    return container_url({{"AWS_CONTAINER_CREDENTIALS_FULL_URI", std::move(full)}});
  };
  EXPECT_EQ(container_url({{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x"}}), "http://169.254.170.2/v2/x");
  EXPECT_EQ(container_url({{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "@evil/"}}).error().kind, ErrorKind::invalid);
  EXPECT_EQ(container_url({}).error().kind, ErrorKind::not_found);
  for (const auto* good : {"https://example.com/x", "http://127.0.0.1:80/x", "http://[::1]/", "http://localhost/x",
                           "http://169.254.170.2/x", "http://169.254.170.23/v1/credentials", "http://[fd00:ec2::23]/x"})
    EXPECT_TRUE(url(good)) << good;
  for (const auto* bad : {"http://example.com/x", "http://169.254.169.254/x", "http://127.0.0.1@example.com/x",
                          "http://127.0.0.1.example.com/", "http://169.254.170.2%2eexample.com/",
                          "http://127.0.0.1:80@example.com/", "ftp://127.0.0.1/", "file:///etc/passwd", "nonsense"}) {
    const auto refused = url(bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().kind, ErrorKind::invalid) << bad;
  }
}

TEST_F(CredentialSourcesTest, ContainerThatCannotSay) {
  const Variables variables{{"AWS_CONTAINER_CREDENTIALS_FULL_URI", peer_.url()}};
  const auto with = [&](net::Response response) {
    peer_.say(std::move(response));
    return fetch(ContainerCredentials(variables, http_, executor_));
  };
  expect_error(with(reply(403)), ErrorKind::unavailable, "403");
  EXPECT_EQ(peer_.count(), 1u);
  expect_error(with(reply(500)), ErrorKind::unavailable, "500");
  EXPECT_EQ(peer_.count(), 2u);
  for (const auto* body : {"", "[]", "{}", R"({"AccessKeyId":"A","SecretAccessKey":7})",
                           R"({"Code":"Failed","AccessKeyId":"A","SecretAccessKey":"S3CRET"})",
                           R"({"AccessKeyId":"A","SecretAccessKey":"S3CRET","Expiration":"soon"})"})
    expect_error(with(reply(200, body)), ErrorKind::unavailable);
  peer_.say([](const Seen&, std::size_t index) { return index == 0 ? reply(503) : reply(200, std::string(kJson)); });
  expect_temporary(fetch(ContainerCredentials(variables, http_, executor_)));
}

class InstanceCredentialsTest : public CredentialSourcesTest {
 protected:
  Result<Credentials> ask() {
    return fetch(InstanceCredentials({{"AWS_EC2_METADATA_SERVICE_ENDPOINT", peer_.url() + "/"}}, http_));
  }
};

TEST_F(InstanceCredentialsTest, ShowsATokenForEverything) {
  peer_.say([](const Seen& seen, std::size_t) {
    if (seen.path == "/latest/api/token") {
      const bool good = seen.method == "PUT" && seen.header("x-aws-ec2-metadata-token-ttl-seconds") == "21600";
      return good ? reply(200, "PROOF") : reply(400);
    }
    if (seen.header("x-aws-ec2-metadata-token") != "PROOF") return reply(401);
    if (seen.path == "/latest/meta-data/iam/security-credentials/") return reply(200, "the role\nanother\n");
    if (seen.path == "/latest/meta-data/iam/security-credentials/the%20role") return reply(200, std::string(kJson));
    return reply(404);
  });
  expect_temporary(ask());
  EXPECT_EQ(peer_.count(), 3u);
}

TEST_F(InstanceCredentialsTest, SaysWhatIsMissing) {
  expect_error(fetch(InstanceCredentials(
                   {{"AWS_EC2_METADATA_DISABLED", "TRUE"}, {"AWS_EC2_METADATA_SERVICE_ENDPOINT", peer_.url()}}, http_)),
               ErrorKind::not_found);
  EXPECT_EQ(peer_.count(), 0u);
  peer_.say([](const Seen& seen, std::size_t) { return reply(seen.method == "PUT" ? 200 : 404, "PROOF"); });
  expect_error(ask(), ErrorKind::not_found, "no role");
  peer_.say(reply(403));
  expect_error(ask(), ErrorKind::unavailable, "403");
  EXPECT_EQ(peer_.count(), 1u);
  peer_.close();
  expect_error(ask(), ErrorKind::unavailable);
}

TEST_F(InstanceCredentialsTest, GivesUpOnSilenceSoon) {
  peer_.say(reply(0));
  const auto start = std::chrono::steady_clock::now();
  expect_error(ask(), ErrorKind::unavailable);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds{4});
  EXPECT_EQ(peer_.count(), 2u);
}

class WebIdentityTest : public CredentialSourcesTest {
 protected:
  Result<Credentials> exchange() { return fetch(WebIdentityCredentials(variables_, "eu-west-1", http_, executor_)); }

  Variables variables_{{"AWS_WEB_IDENTITY_TOKEN_FILE", file("jwt", "PROOF.+/=\n")},
                       {"AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/infra"},
                       {"AWS_ENDPOINT_URL_STS", peer_.url()}};
};

TEST_F(WebIdentityTest, ExchangesTheTokenUnsigned) {
  peer_.say(reply(200,
                  "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"
                  "<AssumeRoleWithWebIdentityResult><Credentials><SessionToken>TOKEN</SessionToken>"
                  "<SecretAccessKey>S3CRET</SecretAccessKey><Expiration>2026-11-23T06:00:00Z</Expiration>"
                  "<AccessKeyId>AKID</AccessKeyId></Credentials></AssumeRoleWithWebIdentityResult>"
                  "</AssumeRoleWithWebIdentityResponse>"));
  expect_temporary(exchange());
  const auto seen = peer_.seen(0);
  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.header("authorization"), "(none)");
  EXPECT_EQ(seen.header("content-type"), "application/x-www-form-urlencoded");
  EXPECT_EQ(net::query_value(seen.body, "Action"), "AssumeRoleWithWebIdentity");
  EXPECT_EQ(net::query_value(seen.body, "Version"), "2011-06-15");
  EXPECT_EQ(net::query_value(seen.body, "RoleArn"), "arn:aws:iam::123456789012:role/infra");
  EXPECT_EQ(net::query_value(seen.body, "RoleSessionName"), "infra");
  EXPECT_EQ(net::query_value(seen.body, "WebIdentityToken"), "PROOF.+/=");
  variables_["AWS_ROLE_SESSION_NAME"] = "worker-7";
  expect_temporary(exchange());
  EXPECT_EQ(net::query_value(peer_.seen(1).body, "RoleSessionName"), "worker-7");
}

TEST_F(WebIdentityTest, SaysWhatIsMissing) {
  peer_.say(reply(
      400,
      "<ErrorResponse><Error><Code>InvalidIdentityToken</Code><Message>No provider</Message></Error></ErrorResponse>"));
  expect_error(exchange(), ErrorKind::unavailable, "InvalidIdentityToken No provider");
  EXPECT_EQ(peer_.count(), 1u);
  peer_.say(reply(200, "<Credentials><AccessKeyId>A</AccessKeyId></Credentials>"));
  expect_error(exchange(), ErrorKind::unavailable);
  variables_["AWS_ROLE_ARN"] = "";
  expect_error(exchange(), ErrorKind::invalid, "AWS_ROLE_ARN");
  variables_["AWS_ROLE_ARN"] = "arn";
  variables_["AWS_WEB_IDENTITY_TOKEN_FILE"] = "/nonexistent/jwt";
  expect_error(exchange(), ErrorKind::unavailable, "/nonexistent/jwt");
  variables_["AWS_WEB_IDENTITY_TOKEN_FILE"] = "";
  expect_error(exchange(), ErrorKind::not_found);
}

TEST(StsEndpoint, IsTheRegionsUnlessToldOtherwise) {
  EXPECT_EQ(sts_endpoint({}, "eu-west-1"), "https://sts.eu-west-1.amazonaws.com");
  EXPECT_EQ(sts_endpoint({}, "cn-north-1"), "https://sts.cn-north-1.amazonaws.com.cn");
  EXPECT_EQ(sts_endpoint({{"AWS_STS_REGIONAL_ENDPOINTS", "legacy"}}, "eu-west-1"), "https://sts.amazonaws.com");
  EXPECT_EQ(sts_endpoint({{"AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1/"}}, "eu-west-1"), "http://127.0.0.1:1");
}

}  // namespace
}  // namespace infra::aws
