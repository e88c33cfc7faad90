// What may befall requests to the simulated AWS: nothing at first. Everything here is allowed to the real services, and
// each part is a probability a request (or message, or row) unless it is a time. May be changed at any moment.
#pragma once

#include "core/time.h"

namespace infra::simulation {

// Of the way there and back, and of services under load.
struct ConnectionFaults {
  double unreachable = 0;  // no connection, so that nothing is sent; 1 is an outage
  double cut = 0;          // broken off, before or after it is carried out
  double cut_body = 0;     // broken off within the answer's body
  double silent = 0;     // never answered; carried out at once, up to `late_most` after it was given up, or not at all
  double throttled = 0;  // refused: too many requests
  double failed = 0;     // answered 500 and not carried out
  double failed_after = 0;  // answered 500 though it is carried out
  double slow = 0;          // takes up to `slow_most` longer
  milliseconds latency_least{0};
  milliseconds latency_most{0};  // there and back together
  milliseconds slow_most{10'000};
  milliseconds late_most{20'000};
};

struct SqsFaults : ConnectionFaults {
  // Of entries in a batch.
  double entry_failed = 0;  // its own failure: carried out or not
  double entry_throttled = 0;
  // Of messages in standard queues, each befallen once at most.
  double copied = 0;         // is there twice from the start
  double twice_at_once = 0;  // handed to the next receiver, too
  double undeleted = 0;      // comes back though its deletion succeeded
  double reordered = 0;      // a receiver gets any message in place of the first one
  // Of both kinds.
  double delayed = 0;         // visible up to `delay_most` later
  double forgotten = 0;       // the receipt is refused from then on
  double empty_poll = 0;      // a poll that does not wait finds nothing
  double short_poll = 0;      // a poll brings fewer messages than there are
  double abandoned_poll = 0;  // a waiting poll whose caller has gone takes messages nevertheless
  double miscounted = 0;      // queue attributes are off by one
  milliseconds delay_most{5'000};
};

struct DynamoDbFaults : ConnectionFaults {
  double stale = 0;        // a read that is not consistent sees the row as it was
  double unprocessed = 0;  // of a key in a batch
  milliseconds stale_most{1'000};
  milliseconds ttl_late_most{0};  // a row is deleted so long after it has expired
};

struct S3Faults : ConnectionFaults {
  double broken_200 = 0;  // a copy or completion answers 200, and then that it failed
};

struct AwsFaults {
  SqsFaults sqs{};
  DynamoDbFaults dynamodb{};
  S3Faults s3{};
};

}  // namespace infra::simulation
