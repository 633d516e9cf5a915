// SPDX-License-Identifier: Apache-2.0
//
// Parts that the public functions show only from afar.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <thread>
#include <utility>
#include <vector>

#include "array.h"
#include "cpu/cell_grid.h"
#include "cpu/disjoint_sets.h"
#include "cpu/labels.h"
#include "cpu/memory.h"
#include "cpu/touches.h"

namespace superpix::cpu {
namespace {

const std::vector<std::pair<Extent, Extent>> kGrids = {
    {{1, 1, 1}, {1, 1, 1}}, {{1, 7, 5}, {1, 1, 1}},       {{1, 7, 5}, {1, 3, 2}},
    {{1, 7, 5}, {1, 7, 5}}, {{1, 1, 9}, {1, 1, 4}},       {{4, 6, 10}, {2, 3, 4}},
    {{5, 9, 3}, {5, 2, 3}}, {{1, 321, 481}, {1, 13, 23}}, {{1, 50, 39}, {1, 25, 17}},
};

TEST(CellGrid, IsAPartitionWithSidesThatDifferByOneAtMost) {
  for (const auto& [shape, cells] : kGrids) {
    const CellGrid grid(shape, cells);
    EXPECT_EQ(grid.num_cells(), cells[0] * cells[1] * cells[2]);
    EXPECT_EQ(grid.num_pixels(), shape[0] * shape[1] * shape[2]);
    for (int axis = 0; axis < 3; ++axis) {
      for (std::int64_t i = 0; i < shape[axis]; ++i) {
        EXPECT_EQ(grid.cell_of(axis, i), i * cells[axis] / shape[axis]);
        const std::int64_t cell = grid.cell_of(axis, i);
        EXPECT_LE(grid.edges(axis)[cell], i);
        EXPECT_GT(grid.edges(axis)[cell + 1], i);
      }
      std::int64_t shortest = shape[axis], longest = 0;
      for (std::int64_t cell = 0; cell < cells[axis]; ++cell) {
        const std::int64_t side = grid.edges(axis)[cell + 1] - grid.edges(axis)[cell];
        shortest = std::min(shortest, side);
        longest = std::max(longest, side);
      }
      EXPECT_GE(shortest, 1);
      EXPECT_LE(longest, shortest + 1);
      EXPECT_EQ(longest, grid.longest_side(axis));
    }
  }
}

TEST(CellGrid, BoxesFollowEachOtherInStorage) {
  for (const auto& [shape, cells] : kGrids) {
    const CellGrid grid(shape, cells);
    std::int64_t offset = 0;
    for (std::int64_t cell = 0; cell < grid.num_cells(); ++cell) {
      const CellGrid::Box box = grid.box(cell);
      EXPECT_EQ(box.offset, offset);
      offset += box.size();
    }
    EXPECT_EQ(offset, grid.num_pixels());
  }
}

TEST(CellGrid, NeighborsTouchAndComeInRasterOrderInTheirSlots) {
  for (const auto& [shape, cells] : kGrids) {
    const CellGrid grid(shape, cells);
    const bool plane = shape[0] == 1;
    for (std::int64_t cell = 0; cell < std::min<std::int64_t>(grid.num_cells(), 40); ++cell) {
      const Extent at = grid.position(cell);
      std::vector<std::int64_t> found;
      grid.for_each_neighbor(cell, [&](std::int64_t k, int slot) {
        const Extent other = grid.position(k);
        const std::int64_t dz = other[0] - at[0], dy = other[1] - at[1], dx = other[2] - at[2];
        EXPECT_EQ(slot, (plane ? 0 : 9 * (dz + 1)) + 3 * (dy + 1) + dx + 1);
        if (k == cell) {
          EXPECT_EQ(slot, grid.own_slot());
        }
        found.push_back(k);
      });
      std::vector<std::int64_t> expected;
      for (std::int64_t k = 0; k < grid.num_cells(); ++k) {
        const Extent other = grid.position(k);
        bool touches = true;
        for (int axis = 0; axis < 3; ++axis) {
          touches = touches && std::abs(other[axis] - at[axis]) <= 1;
        }
        if (touches) expected.push_back(k);
      }
      EXPECT_EQ(found, expected);
    }
  }
}

TEST(ChooseCells, FindsTheGridsThatAreObvious) {
  const struct {
    Extent shape;
    std::array<double, 3> spacing;
    std::int64_t num_segments;
    Extent expected;
  } cases[] = {
      {{1, 40, 40}, {1, 1, 1}, 16, {1, 4, 4}},     {{1, 30, 60}, {1, 1, 1}, 8, {1, 2, 4}},
      {{1, 40, 40}, {1, 1, 1}, 1, {1, 1, 1}},      {{1, 1, 60}, {1, 1, 1}, 7, {1, 1, 7}},
      {{1, 60, 1}, {1, 1, 1}, 7, {1, 7, 1}},       {{1, 3, 5}, {1, 1, 1}, 15, {1, 3, 5}},
      {{1, 3, 5}, {1, 1, 1}, 1000, {1, 3, 5}},     {{20, 20, 20}, {1, 1, 1}, 27, {3, 3, 3}},
      {{1, 40, 40}, {1, 1, 4}, 16, {1, 2, 8}},     {{10, 40, 40}, {4, 1, 1}, 64, {4, 4, 4}},
      {{10, 40, 40}, {1e6, 1, 1}, 10, {10, 1, 1}},
  };
  for (const auto& c : cases)
    EXPECT_EQ(choose_cells(c.shape, c.spacing, c.num_segments), c.expected);
}

TEST(ChooseCells, FitsTheShapeAndComesNearTheNumber) {
  test::Random random(5);
  for (int i = 0; i < 2000; ++i) {
    const Extent shape{i % 2 == 0 ? 1 : 1 + random.below(40), 1 + random.below(500),
                       1 + random.below(500)};
    std::array<double, 3> spacing{};
    for (double& s : spacing) s = std::exp(4.0 * random.unit() - 2.0);
    const std::int64_t wanted = 1 + random.below(3000);
    const Extent cells = choose_cells(shape, spacing, wanted);
    for (int axis = 0; axis < 3; ++axis) {
      EXPECT_GE(cells[axis], 1);
      EXPECT_LE(cells[axis], shape[axis]);
    }
    // Within the factor by which the sides of cells may differ, where no side of the volume binds.
    const double count = static_cast<double>(cells[0] * cells[1] * cells[2]);
    const bool free = shape[0] == 1 && std::min(shape[1], shape[2]) >= 100 &&
                      std::max(spacing[1], spacing[2]) < 2 * std::min(spacing[1], spacing[2]);
    if (free && wanted >= 25) {
      EXPECT_NEAR(count / static_cast<double>(wanted), 1.0, 0.1);
    }
  }
}

TEST(DisjointSets, AreTheComponentsOfTheirUnionsWithTheLeastMemberAsRoot) {
  constexpr std::int64_t kSize = 300;
  test::Random random(3);
  DisjointSets sets(kSize);
  EXPECT_EQ(sets.size(), kSize);
  std::vector<std::int32_t> least(kSize);  // by renaming everything, every time
  for (std::int64_t i = 0; i < kSize; ++i) least[i] = static_cast<std::int32_t>(i);
  for (int step = 0; step < 350; ++step) {
    const auto a = static_cast<std::int32_t>(random.below(kSize));
    const auto b = static_cast<std::int32_t>(random.below(kSize));
    const std::int32_t low = std::min(least[a], least[b]), high = std::max(least[a], least[b]);
    EXPECT_EQ(sets.unite(a, b), low != high);
    std::replace(least.begin(), least.end(), high, low);
    for (std::int32_t i = 0; i < kSize; i += 7) EXPECT_EQ(sets.find(i), least[i]);
  }
}

TEST(DisjointSets, DoNotDependOnTheOrderOfUnions) {
  std::vector<std::pair<std::int32_t, std::int32_t>> pairs;
  test::Random random(4);
  for (int i = 0; i < 60; ++i) {
    pairs.emplace_back(static_cast<std::int32_t>(random.below(100)),
                       static_cast<std::int32_t>(random.below(100)));
  }
  DisjointSets forward(100), backward(100);
  for (const auto& [a, b] : pairs) forward.unite(a, b);
  std::reverse(pairs.begin(), pairs.end());
  for (const auto& [a, b] : pairs) backward.unite(b, a);
  for (std::int32_t i = 0; i < 100; ++i) EXPECT_EQ(forward.find(i), backward.find(i));
}

TEST(DisjointSets, RootIsWhatFindFinds) {
  DisjointSets sets(4);
  sets.unite(3, 2);
  sets.unite(2, 1);
  EXPECT_EQ(sets.root(3), 1);
  EXPECT_EQ(sets.root(0), 0);
  EXPECT_EQ(sets.find(3), 1);
}

TEST(Memory, OfOutputsIsKeptApart) {
  constexpr std::size_t kBytes = std::size_t{1} << 22;
  const MemoryBlock output = take_output_memory(kBytes);
  give_back_output_memory(output);
  const MemoryBlock other = take_memory(kBytes);
  give_back_memory(other);
  const MemoryBlock again = take_output_memory(kBytes);
  if (kKeepsMemory) {
    EXPECT_EQ(again.data, output.data);
    EXPECT_NE(other.data, output.data);
  }
  give_back_output_memory(again);
}

TEST(Memory, IsKeptForTheNextWhoAsksForAsMuch) {
  constexpr std::size_t kBytes = std::size_t{3} << 20;
  const MemoryBlock first = take_memory(kBytes);
  EXPECT_GE(first.bytes, kBytes);
  give_back_memory(first);
  const MemoryBlock larger = take_memory(4 * kBytes);
  EXPECT_NE(larger.data, first.data);
  EXPECT_GE(larger.bytes, 4 * kBytes);
  const MemoryBlock smaller = take_memory(kBytes / 8);
  EXPECT_NE(smaller.data, first.data);
  const MemoryBlock again = take_memory(kBytes - 1);
  if (kKeepsMemory) {
    EXPECT_EQ(again.data, first.data);
  }
  for (const MemoryBlock& block : {larger, smaller, again}) give_back_memory(block);
}

TEST(Memory, ServesThreadsAtOnce) {
  const auto work = [](unsigned char mark) {
    for (std::size_t i = 0; i < 300; ++i) {
      const std::size_t bytes = std::size_t{1} << (10 + i % 13);
      const MemoryBlock block = take_memory(bytes);
      ASSERT_EQ(reinterpret_cast<std::uintptr_t>(block.data) % 64, 0U);
      auto* data = static_cast<unsigned char*>(block.data);
      for (std::size_t k = 0; k < bytes; k += 512) data[k] = mark;
      for (std::size_t k = 0; k < bytes; k += 512) ASSERT_EQ(data[k], mark);
      give_back_memory(block);
    }
  };
  std::vector<std::thread> threads;
  for (unsigned char mark = 1; mark <= 4; ++mark) threads.emplace_back(work, mark);
  for (std::thread& thread : threads) thread.join();
}

TEST(LabelTags, StandForTheLabelsOfAllCellsNearby) {
  for (const auto& [shape, cells] : kGrids) {
    const CellGrid grid(shape, cells);
    if (!LabelTags::can_name(grid)) continue;
    const LabelTags tags(grid);
    for (std::int64_t y = 0; y < shape[1]; ++y) {
      for (std::int64_t x = 0; x < shape[2]; ++x) {
        // Labels of cells next to that of a pixel within 4 pixels.
        const auto range = [&](int axis, std::int64_t at) {
          const std::int64_t low = grid.cell_of(axis, std::max<std::int64_t>(0, at - 4));
          const std::int64_t high = grid.cell_of(axis, std::min(shape[axis] - 1, at + 4));
          return std::pair{std::max<std::int64_t>(0, low - 1), std::min(cells[axis] - 1, high + 1)};
        };
        const auto [top, bottom] = range(1, y);
        const auto [left, right] = range(2, x);
        for (std::int64_t row = top; row <= bottom; ++row) {
          for (std::int64_t column = left; column <= right; ++column) {
            const std::int64_t label = row * cells[2] + column;
            const std::uint8_t tag = tags.value_of_cell(label);
            ASSERT_FALSE(LabelTags::is_outside(tag));
            ASSERT_EQ(tags.label(y, x, tag), label) << y << ' ' << x;
          }
        }
      }
    }
  }
}

TEST(LabelTags, AreNotForVolumesNorForManyCellsOneWide) {
  EXPECT_FALSE(LabelTags::can_name(CellGrid({2, 40, 40}, {1, 2, 2})));
  EXPECT_FALSE(LabelTags::can_name(CellGrid({1, 40, 40}, {1, 2, 40})));
  EXPECT_FALSE(LabelTags::can_name(CellGrid({1, 40, 40}, {1, 30, 2})));
  EXPECT_TRUE(LabelTags::can_name(CellGrid({1, 40, 40}, {1, 20, 20})));
  EXPECT_TRUE(LabelTags::can_name(CellGrid({1, 1, 40}, {1, 1, 20})));
}

TEST(TouchList, BringsNothingTogetherThatIsApartAndLosesNothing) {
  for (const std::int64_t places : {0, 64, 1 << 20}) {
    std::map<std::pair<std::int32_t, std::int32_t>, std::int64_t> expected;
    std::vector<Touch> touches;
    test::Random random(1);
    for (int i = 0; i < 3000; ++i) {
      const auto a = static_cast<std::int32_t>(40 * random.unit());
      const auto b = static_cast<std::int32_t>(1e9 * random.unit()) % 7;
      touches.emplace_back(a, b, 1 + i % 5);
      expected[{a, b}] += 1 + i % 5;
    }
    TouchList list;
    for (int use = 0; use < 2; ++use) {  // started again, it is empty
      list.start(places);
      list.add(touches.data(), touches.data() + 1000);
      list.add(touches.data() + 1000, touches.data() + touches.size());
      list.finish();
      std::map<std::pair<std::int32_t, std::int32_t>, std::int64_t> found;
      for (const Touch& touch : list) found[{touch.a(), touch.b()}] += touch.length;
      EXPECT_EQ(found, expected);
      EXPECT_LE(list.end() - list.begin(), static_cast<std::ptrdiff_t>(touches.size()));
    }
    if (places == 1 << 20) {
      EXPECT_LT(list.end() - list.begin(), 1000);
    }
  }
}

}  // namespace
}  // namespace superpix::cpu
