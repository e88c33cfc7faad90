// One queue: its messages, who may see which of them when, and the receipts of those that were handed out.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "platform/engines/aws/aws_context.h"
#include "platform/engines/aws/simulated_service.h"

namespace infra::simulation {

struct QueueOptions {
  bool fifo = false;
  std::string dead_letters{};  // the name of the queue that gets what was received too often; empty: it stays
  int max_receives = 1000;
  std::chrono::seconds retention = std::chrono::days{14};
};

struct SqsMessage {
  std::string id;
  std::string body;
  std::string group{};  // FIFO
  SteadyTime sent{};
  SteadyTime visible_at{};
  std::optional<SteadyTime> first_received{};
  int receives = 0;
  std::string receipt{};    // of the last time that it was handed out; empty: none, or forgotten
  bool was_copied = false;  // faults that befall a message once
  bool was_undeleted = false;
};

class SqsQueue {
 public:
  SqsQueue(AwsContext& aws, QueueOptions options) : aws_(aws), options_(std::move(options)) {}

  // Gives the message's id. A FIFO queue takes a deduplication id once in five minutes.
  std::string send(std::string body, const std::string& group, const std::string& deduplication);
  // What was received too often already goes into `dead`.
  [[nodiscard]] std::vector<SqsMessage> receive(std::size_t most, std::chrono::seconds visibility, bool waits,
                                                std::vector<SqsMessage>& dead);
  [[nodiscard]] Answered<void> remove(const std::string& receipt);
  [[nodiscard]] Answered<void> change_visibility(const std::string& receipt, std::chrono::seconds visibility);
  void take_in(SqsMessage message);  // from the queue whose dead letters these are

  // The earliest moment at which something can be received; now or before it if it can be already.
  [[nodiscard]] std::optional<SteadyTime> next_visible();
  // A poll whose caller has gone may take what becomes visible until then.
  void leave_poll(SteadyTime until);

  [[nodiscard]] std::size_t visible();
  [[nodiscard]] std::size_t in_flight();
  [[nodiscard]] std::vector<SqsMessage> messages();  // in the order of their sending
  [[nodiscard]] const QueueOptions& options() const { return options_; }

 private:
  using Messages = std::map<std::uint64_t, SqsMessage>;  // by the order of their sending

  void expire();
  [[nodiscard]] std::vector<Messages::iterator> receivable();
  SqsMessage hand_out(Messages::iterator at, std::chrono::seconds visibility);
  [[nodiscard]] Answered<Messages::iterator> find(const std::string& receipt);
  Messages::iterator add(SqsMessage message);

  AwsContext& aws_;
  const QueueOptions options_;
  Messages messages_;
  std::uint64_t last_order_ = 0;
  std::uint64_t receipts_ = 0;
  struct Deduplication {
    SteadyTime until;
    std::string message_id;
  };
  std::map<std::string, Deduplication> deduplication_;
  std::deque<SteadyTime> left_polls_;
};

}  // namespace infra::simulation
