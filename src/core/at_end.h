// Undoes what was begun, however its scope is left.
#pragma once

#include <utility>

namespace infra {

// `undo` throws nothing.
template <typename Undo>
class AtEnd {
 public:
  explicit AtEnd(Undo undo) : undo_(std::move(undo)) {}
  ~AtEnd() { undo_(); }
  AtEnd(const AtEnd&) = delete;
  AtEnd& operator=(const AtEnd&) = delete;

 private:
  Undo undo_;
};

}  // namespace infra
