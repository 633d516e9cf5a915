// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace superpix::cpu {

/// The strips [begin, end) that a window covers.
struct StripRange {
  std::int64_t begin, end;
};

/// One axis of a plane, cut into strips wherever a window of adaptive pooling begins or ends, so
/// that every window is made of whole strips. Level by level, window i of b covers
/// [floor(i * length / b), ceil((i + 1) * length / b)).
class WindowAxis {
 public:
  /// One level for each of `bins`. Strips longer than `longest_strip` are cut into equal parts.
  WindowAxis(std::int64_t length, const std::vector<std::int64_t>& bins,
             std::int64_t longest_strip);

  /// Where strips begin, and the length.
  const std::vector<std::int64_t>& edges() const { return edges_; }
  std::int64_t num_strips() const { return static_cast<std::int64_t>(edges_.size()) - 1; }
  std::int64_t size(StripRange strips) const { return edges_[strips.end] - edges_[strips.begin]; }
  /// The windows of all levels, one level after the other.
  const StripRange* windows() const { return windows_.data(); }

 private:
  std::vector<std::int64_t> edges_;
  std::vector<StripRange> windows_;
};

}  // namespace superpix::cpu
