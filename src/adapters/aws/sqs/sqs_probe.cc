#include "adapters/aws/sqs/sqs_probe.h"

#include <boost/json/array.hpp>
#include <utility>

#include "adapters/aws/sqs/sqs_batcher.h"

namespace infra {

SqsProbe::SqsProbe(aws::AwsClient& sqs, std::string queue_url) : sqs_(sqs), queue_url_(std::move(queue_url)) {}

Task<Result<void>> SqsProbe::probe() {
  const auto answer = co_await sqs_.call_json(
      "AmazonSQS.GetQueueAttributes",
      {{"QueueUrl", queue_url_}, {"AttributeNames", boost::json::array{"ApproximateNumberOfMessages"}}},
      aws::Repeat::safe);
  if (!answer) co_return fail(aws::queue_error(answer.error()));
  co_return Result<void>{};
}

}  // namespace infra
