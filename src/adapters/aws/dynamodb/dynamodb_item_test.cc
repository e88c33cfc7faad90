// Log rows of every age and origin are read: what each has of memory, and a duration that stays what it was.
#include "adapters/aws/dynamodb/dynamodb_item.h"

#include <gtest/gtest.h>

namespace infra::aws {
namespace {

DynamoDbItem numbers(std::initializer_list<std::pair<const char*, std::int64_t>> given) {
  DynamoDbItem item;
  for (const auto& [name, number] : given) item[name] = number_attribute(number);
  return item;
}

TEST(DynamoDbItem, ARowHasThePeakAsTheReferenceWritesItAndTheLimitBeside) {
  LogRow row;
  row.duration_ms = 2'000'012.345;
  row.memory_mb = 9;
  row.allocated_memory_mb = 256;
  row.profile = {.peak_memory_bytes = 9'437'184, .cpu_usage_us = 2100, .cold_start = true};
  const auto item = to_item(row);
  EXPECT_EQ(item.at("memoryMb").at("N").as_string(), "9");
  EXPECT_EQ(item.at("allocatedMemoryMb").at("N").as_string(), "256");
  EXPECT_EQ(item.at("peakMemoryBytes").at("N").as_string(), "9437184");
  EXPECT_EQ(item.at("duration").at("N").as_string(), "2000012.345");
  const LogRow read = log_row_from(item);
  EXPECT_EQ(read.memory_mb, 9);
  EXPECT_EQ(read.allocated_memory_mb, 256);
  EXPECT_EQ(read.duration_ms, row.duration_ms);
}

TEST(DynamoDbItem, OlderRowsOfOursHaveTheLimitWhereTheReferenceHasThePeak) {
  const LogRow ours = log_row_from(numbers({{"memoryMb", 256}, {"peakMemoryBytes", 9'437'184}}));
  EXPECT_EQ(ours.memory_mb, 9);
  EXPECT_EQ(ours.allocated_memory_mb, 256);
  const LogRow reference = log_row_from(numbers({{"memoryMb", 31}}));
  EXPECT_EQ(reference.memory_mb, 31);
  EXPECT_EQ(reference.allocated_memory_mb, std::nullopt);
  const LogRow bare = log_row_from({});
  EXPECT_EQ(bare.memory_mb, 0);
  EXPECT_EQ(bare.allocated_memory_mb, std::nullopt);
}

TEST(DynamoDbItem, ARowMayTellWhichStartsOutputFilesAreItsRuns) {
  LogRow row;
  EXPECT_EQ(log_row_from(to_item(row)).output_attempt, std::nullopt);
  for (const int attempt : {0, 3}) {
    row.output_attempt = attempt;
    EXPECT_EQ(log_row_from(to_item(row)).output_attempt, attempt);
  }
  EXPECT_EQ(log_row_from(numbers({{"outputAttempt", 1'000'000'000}})).output_attempt, std::nullopt);
}

TEST(DynamoDbItem, ARunThatWasNotMeasuredHadItsLimitAllTheSame) {
  LogRow row;
  row.allocated_memory_mb = 512;
  const LogRow read = log_row_from(to_item(row));
  EXPECT_EQ(read.memory_mb, 0);
  EXPECT_EQ(read.allocated_memory_mb, 512);
  EXPECT_FALSE(read.profile);
}

}  // namespace
}  // namespace infra::aws
