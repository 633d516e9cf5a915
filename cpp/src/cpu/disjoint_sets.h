// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace superpix::cpu {

/// Union-find in which the root of a set is its least member, so that the outcome does not depend
/// on the order of the unions.
class DisjointSets {
 public:
  explicit DisjointSets(std::int64_t n) : parent_(static_cast<std::size_t>(n)) {
    for (std::int64_t i = 0; i < n; ++i) parent_[i] = static_cast<std::int32_t>(i);
  }

  /// Adds a member, a set of its own.
  std::int32_t add() {
    parent_.push_back(static_cast<std::int32_t>(parent_.size()));
    return parent_.back();
  }

  /// Makes root() one step for every member, until the next union.
  void flatten() {
    for (std::int32_t& parent : parent_) parent = parent_[parent];  // less ones are done by then
  }

  std::int64_t size() const { return static_cast<std::int64_t>(parent_.size()); }

  std::int32_t find(std::int32_t i) {
    while (parent_[i] != i) {
      parent_[i] = parent_[parent_[i]];
      i = parent_[i];
    }
    return i;
  }

  /// As find(), but leaves everything as it is: for many threads at once.
  std::int32_t root(std::int32_t i) const {
    i = parent_[parent_[i]];  // most often it: no branch asks whether one step would have done
    while (parent_[i] != i) i = parent_[i];
    return i;
  }

  /// As root(), after flatten().
  std::int32_t flat_root(std::int32_t i) const { return parent_[i]; }

  /// Whether a and b were apart.
  bool unite(std::int32_t a, std::int32_t b) {
    a = find(a);
    b = find(b);
    if (a == b) return false;
    (a < b ? parent_[b] : parent_[a]) = a < b ? a : b;
    return true;
  }

 private:
  std::vector<std::int32_t> parent_;
};

}  // namespace superpix::cpu
