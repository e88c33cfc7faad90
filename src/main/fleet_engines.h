// The engines on S3, DynamoDB, SQS and Redis, wired: what controllers and workers of a fleet have in common.
#pragma once

#include <atomic>
#include <memory>

#include "adapters/aws/aws_client.h"
#include "adapters/aws/dynamodb/dynamodb_configuration_store.h"
#include "adapters/aws/dynamodb/dynamodb_log_store.h"
#include "adapters/aws/dynamodb/dynamodb_probe.h"
#include "adapters/aws/dynamodb/dynamodb_run_recorder.h"
#include "adapters/aws/s3/s3_code_store.h"
#include "adapters/aws/s3/s3_probe.h"
#include "adapters/aws/sqs/sqs_job_queue.h"
#include "adapters/aws/sqs/sqs_probe.h"
#include "adapters/redis/redis_concurrency_limiter.h"
#include "adapters/redis/redis_quarantine.h"
#include "adapters/redis/redis_worker_registry.h"
#include "app/hourly_series.h"
#include "main/program.h"

namespace infra {

// Referenced objects must outlive it. Nothing connects before start().
class FleetEngines {
 public:
  // The configuration has its fleet. `variables` are where AWS credentials are looked for; bundles are kept in the
  // program's folder. `of_queue` says who is told of messages; what it names of the engines is filled in.
  FleetEngines(Program& program, const Variables& variables, SqsQueueOptions of_queue);

  void start();

  // Writes the sums of runs once a minute until `stopping`.
  Task<void> keep_series(const std::atomic<bool>& stopping);
  Task<void> finish_series(SteadyTime deadline);

  const FleetConfig fleet;
  std::unique_ptr<net::HttpClient> http;
  std::unique_ptr<aws::CredentialProvider> credentials;
  aws::AwsClient s3;
  aws::AwsClient sqs;
  aws::AwsClient dynamodb;
  std::unique_ptr<net::RedisClient> redis;

  S3CodeStore code;
  RedisWorkerRegistry workers;
  RedisConcurrencyLimiter concurrency;
  RedisQuarantine quarantine;
  SqsJobQueue queue;
  DynamoDbLogStore logs;
  DynamoDbConfigurationStore configuration;
  app::HourlySeries series;
  DynamoDbRunRecorder rows;
  app::SummedRecorder recorder{rows, series};

  S3Probe code_probe;
  SqsProbe queue_probe;
  DynamoDbProbe logs_probe;

 private:
  Clock& clock_;
};

}  // namespace infra
