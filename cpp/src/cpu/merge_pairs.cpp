// SPDX-License-Identifier: Apache-2.0
//
// The regions are the nodes of a graph, whose edges are the borders between them. Every round goes
// through all edges; what its merging made one border becomes one edge.
#include "cpu/merge_pairs.h"

#include <algorithm>
#include <limits>
#include <tuple>
#include <vector>

#include "cpu/contacts.h"
#include "cpu/merge_cost.h"
#include "cpu/thread_pool.h"

namespace superpix::cpu {
namespace {

constexpr std::int32_t kNone = -1;

/// The border of two components, which go by the least of their pieces.
struct Edge {
  std::int32_t a, b;  // a < b
  std::int64_t border;
  double cost;

  std::uint64_t ends() const {
    return std::uint64_t{static_cast<std::uint32_t>(a)} << 32 | static_cast<std::uint32_t>(b);
  }
  bool before(const Edge& other) const {
    return cost < other.cost || (cost == other.cost && ends() < other.ends());
  }
};

class PairMerger {
 public:
  PairMerger(Components& components, std::int64_t max_segments, double unit, double kappa,
             int num_threads)
      : sums_(components.sums),
        sets_(components.sets),
        cost_(components.sums, unit, kappa),
        num_threads_(num_threads),
        best_(static_cast<std::size_t>(components.num_pieces())),
        is_new_(static_cast<std::size_t>(components.num_pieces()), 1) {
    std::int64_t count = 0;
    for (std::int64_t i = 0; i < components.num_pieces(); ++i) {
      count += components.is_root(i) ? 1 : 0;
    }
    surplus_ = count - max_segments;
    if (surplus_ > 0) find_edges(components);
  }

  void run() {
    while (surplus_ > 0 && !edges_.empty()) {
      choose();
      std::vector<Edge> pairs = candidates();
      const auto half = static_cast<std::int64_t>(pairs.size() + 1) / 2;
      const auto end = pairs.begin() + std::min(half, surplus_);
      std::nth_element(pairs.begin(), end - 1, pairs.end(),
                       [](const Edge& x, const Edge& y) { return x.before(y); });
      for (auto pair = pairs.begin(); pair != end; ++pair) unite(*pair);
      surplus_ -= end - pairs.begin();
      sets_.flatten();
      simplify();
    }
  }

 private:
  void find_edges(const Components& components) {
    const Contacts contacts(components, std::numeric_limits<std::int64_t>::max(), num_threads_);
    for (std::int32_t piece = 0; piece < sets_.size(); ++piece) {
      contacts.for_each(piece, [&](const Contacts::Contact& contact) {
        // Every border is there from both sides.
        if (piece < contact.piece) edges_.push_back({piece, contact.piece, contact.length, 0.0});
      });
    }
    simplify();
  }

  /// Makes the edges of new components name them, each two of them once.
  void simplify() {
    const auto begin = std::partition(edges_.begin(), edges_.end(), [&](const Edge& edge) {
      return is_new_[edge.a] == 0 && is_new_[edge.b] == 0;
    });
    for (auto edge = begin; edge != edges_.end(); ++edge) {
      is_new_[edge->a] = is_new_[edge->b] = 0;
      std::tie(edge->a, edge->b) =
          std::minmax({sets_.flat_root(edge->a), sets_.flat_root(edge->b)});
    }
    std::sort(begin, edges_.end(),
              [](const Edge& x, const Edge& y) { return x.ends() < y.ends(); });
    auto last = begin;  // of those that stay, behind which the next goes
    for (auto edge = begin; edge != edges_.end(); ++edge) {
      if (edge->a == edge->b) continue;
      if (last != begin && (last - 1)->ends() == edge->ends()) {
        (last - 1)->border += edge->border;
      } else {
        *last++ = *edge;
      }
    }
    edges_.erase(last, edges_.end());
  }

  /// Computes costs, and lets every component choose its least edge.
  void choose() {
    constexpr std::int64_t kAtOnce = 512;
    parallel_for(static_cast<std::int64_t>(edges_.size()), kAtOnce, num_threads_,
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t i = begin; i < end; ++i) {
                     Edge& edge = edges_[i];
                     edge.cost = cost_(edge.a, edge.b, edge.border);
                   }
                 });
    for (const Edge& edge : edges_) best_[edge.a] = best_[edge.b] = kNone;
    for (std::size_t i = 0; i < edges_.size(); ++i) {
      for (const std::int32_t end : {edges_[i].a, edges_[i].b}) {
        std::int32_t& best = best_[end];
        if (best == kNone || edges_[i].before(edges_[best])) best = static_cast<std::int32_t>(i);
      }
    }
  }

  /// The edges that both ends chose; where these are few, those that one of them did.
  std::vector<Edge> candidates() const {
    constexpr std::size_t kFew = 8;
    std::vector<Edge> mutual;
    std::vector<Edge> all;
    std::size_t choices = 0;
    for (std::size_t i = 0; i < edges_.size(); ++i) {
      const auto index = static_cast<std::int32_t>(i);
      const bool of_a = best_[edges_[i].a] == index;
      const bool of_b = best_[edges_[i].b] == index;
      choices += (of_a ? 1 : 0) + (of_b ? 1 : 0);
      if (of_a || of_b) all.push_back(edges_[i]);
      if (of_a && of_b) mutual.push_back(edges_[i]);
    }
    return kFew * mutual.size() < choices ? all : mutual;
  }

  void unite(const Edge& edge) {
    const std::int32_t a = sets_.find(edge.a);
    const std::int32_t b = sets_.find(edge.b);
    is_new_[edge.a] = is_new_[edge.b] = 1;
    sets_.unite(a, b);
    sums_.add(std::min(a, b), sums_, std::max(a, b));
  }

  RegionSums& sums_;
  DisjointSets& sets_;
  MergeCost cost_;
  int num_threads_;
  std::int64_t surplus_ = 0;  // components too many
  std::vector<Edge> edges_;
  std::vector<std::int32_t> best_;    // [pieces], of components: the edge that it chose
  std::vector<std::uint8_t> is_new_;  // [pieces], of components: whether edges must be told of it
};

}  // namespace

void merge_pairs(Components& components, std::int64_t max_segments, double unit, double kappa,
                 int num_threads) {
  PairMerger(components, max_segments, unit, kappa, num_threads).run();
}

}  // namespace superpix::cpu
