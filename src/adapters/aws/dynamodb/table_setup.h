// Makes a table as a fleet needs it, or says what it is instead.
#pragma once

#include <string>
#include <vector>

#include "adapters/aws/aws_client.h"
#include "adapters/aws/resource_report.h"
#include "ports/clock.h"

namespace infra::aws {

struct TableWish {
  std::string name;
  std::string hash;     // the key's attributes, both strings
  std::string range{};  // empty: none
  std::string ttl{};    // the attribute with the time at which a row goes, in epoch seconds; empty: none
};

// Waits until it can be used, two minutes at most. Outlived by its arguments. Any event thread.
Task<ResourceReport> set_up_table(AwsClient& dynamodb, Clock& clock, TableWish wish, OnMissing how);

}  // namespace infra::aws
