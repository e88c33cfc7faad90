#include "main/system_network.h"

#include <utility>

#include "adapters/ollama/ollama_ai_proxy.h"
#include "net/http/beast_http_server.h"
#include "net/http/curl_http_client.h"
#include "net/redis/hiredis_client.h"
#include "net/redis/hiredis_subscriber.h"

namespace infra {

std::unique_ptr<net::HttpClient> SystemNetwork::http_client() {
  return std::make_unique<net::CurlHttpClient>(loops_);
}

std::unique_ptr<net::RedisClient> SystemNetwork::redis_client(const net::RedisOptions& options) {
  return std::make_unique<net::HiredisClient>(loops_, options);
}

std::unique_ptr<net::RedisSubscriber> SystemNetwork::redis_subscriber(const net::RedisOptions& options,
                                                                      net::RedisSubscription wanted) {
  return std::make_unique<net::HiredisSubscriber>(loops_, options, std::move(wanted));
}

std::unique_ptr<net::HttpServer> SystemNetwork::http_server(net::HttpServerOptions options, net::Handler handler,
                                                            net::ErrorHandler error_handler) {
  return std::make_unique<net::BeastHttpServer>(loops_, std::move(options), std::move(handler),
                                                std::move(error_handler));
}

std::unique_ptr<AiProxy> SystemNetwork::ai_proxy(net::HttpClient& http, Clock& clock, std::string node_url) {
  return std::make_unique<OllamaAiProxy>(loops_, http, clock, std::move(node_url));
}

void SystemNetwork::run_blocking(Task<void> task) {
  loops_.run_blocking(std::move(task));
}

void SystemNetwork::stop() {
  loops_.stop();
}

}  // namespace infra
