// SQS by its JSON protocol: queues, standard and FIFO. Of its promises: a message is handed out at least once until it
// is deleted; what was handed out is not seen again for its visibility timeout, but for copies in a standard queue; a
// FIFO queue keeps the order of a group and has no copies. Order, counts and even a deletion in a standard queue are
// best effort. It answers no MD5 of bodies, and refuses nobody for too many messages in flight.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "platform/engines/aws/aws_context.h"
#include "platform/engines/aws/simulated_service.h"
#include "platform/engines/aws/sqs_queue.h"

namespace infra::simulation {

class SimulatedSqs final : public SimulatedService {
 public:
  explicit SimulatedSqs(AwsContext& aws) : aws_(aws) {}

  // Gives its URL. A FIFO queue's name must end in ".fifo", and the queue of its dead letters be there.
  std::string make_queue(const std::string& name, QueueOptions options = {});
  // Throws std::out_of_range.
  [[nodiscard]] SqsQueue& queue_at(std::string_view url);

  [[nodiscard]] const ConnectionFaults& faults() const override { return aws_.faults.sqs; }
  [[nodiscard]] std::optional<SteadyTime> waits_until(const ServiceRequest& request, SteadyTime arrived) override;
  void abandon(const ServiceRequest& request, SteadyTime arrived) override;
  [[nodiscard]] net::Response answer(const ServiceRequest& request) override;
  [[nodiscard]] net::Response refusal(const Refusal& refusal) const override;
  [[nodiscard]] Refusal too_many_requests() const override;
  [[nodiscard]] Refusal failure() const override;
  [[nodiscard]] std::optional<Refusal> refuse_date(milliseconds ahead) const override;

 private:
  using Fields = boost::json::object;
  [[nodiscard]] Answered<Fields> carry_out(const ServiceRequest& request);
  [[nodiscard]] Answered<Fields> send(SqsQueue& queue, const Fields& entry);
  [[nodiscard]] Answered<Fields> receive(SqsQueue& queue, const Fields& fields);
  [[nodiscard]] Answered<Fields> remove(SqsQueue& queue, const Fields& entry);
  [[nodiscard]] Answered<Fields> change_visibility(SqsQueue& queue, const Fields& entry);
  [[nodiscard]] Answered<Fields> attributes(SqsQueue& queue, const Fields& fields);
  [[nodiscard]] Answered<Fields> batch(std::string_view action, SqsQueue& queue, const Fields& fields);
  [[nodiscard]] Answered<Fields> one(std::string_view action, SqsQueue& queue, const Fields& entry);
  [[nodiscard]] SqsQueue* queue_of(const Fields& fields);

  AwsContext& aws_;
  std::map<std::string, SqsQueue, std::less<>> queues_;  // by name
};

}  // namespace infra::simulation
