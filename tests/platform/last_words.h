// A simulated program that aborts takes the simulation down with it: what is said before is which seed was played.
#pragma once

#include <cstdint>

namespace infra::sim {

// From now on, whatever signal the process dies of. Once; any thread may die.
void tell_last_words();
// What is played now.
void note_seed(std::uint64_t seed);

}  // namespace infra::sim
