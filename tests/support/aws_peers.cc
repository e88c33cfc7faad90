#include "support/aws_peers.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/json.hpp>
#include <cstdio>
#include <filesystem>
#include <stdexcept>

#include "core/mutex.h"

namespace infra::testing {
namespace {

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
    read = ends[0];
    write = ends[1];
  }
  int read;
  int write;
};

File open_end(int end, const char* mode) {
  return {::fdopen(end, mode), &std::fclose};
}

}  // namespace

// tests/peers/start.py as a child: one line of JSON that describes the peers, then a line of answer to each command.
struct AwsPeers::State {
  State() {
    const Pipe commands_pipe;
    const Pipe answers_pipe;
    commands = open_end(commands_pipe.write, "w");
    answers = open_end(answers_pipe.read, "r");
    const auto script = std::filesystem::path(__FILE__).parent_path().parent_path() / "peers" / "start.py";
    std::string python = "/usr/bin/python3";  // Debian's, which has botocore
    std::string program = script.string();
    std::array<char*, 3> arguments{python.data(), program.data(), nullptr};

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, commands_pipe.read, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, answers_pipe.write, STDOUT_FILENO);
    const int error = posix_spawn(&child, python.c_str(), &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    ::close(commands_pipe.read);
    ::close(answers_pipe.write);
    if (error != 0) throw std::runtime_error("/usr/bin/python3 can't be started");

    try {
      described = read_answer();
    } catch (...) {
      end();
      throw;
    }
  }

  ~State() { end(); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void end() INFRA_REQUIRES(mutex) {
    commands.reset();  // the end of its stdin ends it
    int status = 0;
    ::waitpid(child, &status, 0);
  }

  boost::json::object read_answer() INFRA_REQUIRES(mutex) {
    std::string line;
    for (int character = 0; (character = std::getc(answers.get())) != '\n';) {
      if (character == EOF) throw std::runtime_error("the AWS peers ended; what they said is above");
      line.push_back(static_cast<char>(character));
    }
    return boost::json::parse(line).as_object();
  }

  boost::json::value ask(const std::string& command) {
    const MutexLock lock(mutex);
    if (std::fputs((command + "\n").c_str(), commands.get()) < 0 || std::fflush(commands.get()) != 0) {
      throw std::runtime_error("the AWS peers ended; what they said is above");
    }
    auto answer = read_answer();
    if (const auto* problem = answer.if_contains("error")) {
      throw std::runtime_error(fmt::format("{}: {}", command, std::string(problem->as_string())));
    }
    return answer.at("ok");
  }

  std::string make(const std::string& command) { return std::string(ask(command).as_string()); }
  std::string description(const char* name) { return std::string(described.at(name).as_string()); }

  pid_t child = 0;
  Mutex mutex;  // of the conversation; who constructs and destroys it is alone with it
  File commands INFRA_GUARDED_BY(mutex){nullptr, &std::fclose};
  File answers INFRA_GUARDED_BY(mutex){nullptr, &std::fclose};
  boost::json::object described;
  std::string s3_endpoint, sqs_endpoint, dynamodb_endpoint, region, access_key_id, secret_access_key;
};

AwsPeers& AwsPeers::shared() {
  static AwsPeers peers;
  return peers;
}

AwsPeers::AwsPeers() : state_(std::make_unique<State>()) {
  state_->s3_endpoint = state_->description("s3_endpoint");
  state_->sqs_endpoint = state_->description("sqs_endpoint");
  state_->dynamodb_endpoint = state_->description("dynamodb_endpoint");
  state_->region = state_->description("region");
  state_->access_key_id = state_->description("access_key_id");
  state_->secret_access_key = state_->description("secret_access_key");
}

AwsPeers::~AwsPeers() = default;

const std::string& AwsPeers::s3_endpoint() const {
  return state_->s3_endpoint;
}
const std::string& AwsPeers::sqs_endpoint() const {
  return state_->sqs_endpoint;
}
const std::string& AwsPeers::dynamodb_endpoint() const {
  return state_->dynamodb_endpoint;
}
const std::string& AwsPeers::region() const {
  return state_->region;
}
const std::string& AwsPeers::access_key_id() const {
  return state_->access_key_id;
}
const std::string& AwsPeers::secret_access_key() const {
  return state_->secret_access_key;
}

std::string AwsPeers::make_bucket() {
  return state_->make("make-bucket");
}
std::string AwsPeers::make_functions_table() {
  return state_->make("make-functions-table");
}
std::string AwsPeers::make_logs_table() {
  return state_->make("make-logs-table");
}
std::string AwsPeers::make_configuration_table() {
  return state_->make("make-configuration-table");
}
std::string AwsPeers::make_queue(bool fifo) {
  return state_->make(fifo ? "make-queue fifo" : "make-queue");
}
void AwsPeers::advance(milliseconds step) {
  state_->ask(fmt::format("advance {}", step.count()));
}

}  // namespace infra::testing
