// One copy of the pages that idle runners have in common. Runners are forks of one zygote: after a first call, whatever
// their functions were, nearly all of the pages that they wrote to have the same bytes again. The zygote therefore has
// a model runner go through a call, keeps what its memory then is in a sealed file, and maps that below its own memory.
// An idle runner drops its pages, keeps the few words in which they differ, and writes these back when a
// call comes (memory_rest.h).
//
// Nothing in here allocates or writes to memory that the image covers, other than what it says.
#pragma once

#include "core/error.h"
#include "sandbox/zygote/idle_pages.h"

namespace infra::sandbox::memory_image {

// In the zygote, before the model is forked: all writable memory that is private to it is to be covered.
[[nodiscard]] Result<void> plan();

// In the model: keeps what its memory is by now.
[[nodiscard]] bool capture();

// In the zygote, when the model has ended. What the zygote's memory holds does not change.
[[nodiscard]] Result<void> adopt();

// In an idle runner: if the calling thread is its only one, and all is as it should be, `rest` begins.
void begin_rest(IdlePages& rest);

}  // namespace infra::sandbox::memory_image
