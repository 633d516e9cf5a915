// SPDX-License-Identifier: Apache-2.0
//
// The hot loops, compiled once per instruction set. Everything that a kernel touches lies in one
// cell or one row; who calls it for which cell, and in parallel, is not its business.
#pragma once

#include <cstdint>
#include <vector>

#include "cpu/maximum.h"
#include "detail/half.h"

namespace superpix::cpu {

using detail::ComputeType;

inline constexpr int kMaxCandidates = 27;  // 3 x 3 x 3 cells; 3 x 3 in two dimensions

/// CIELAB as the integer path stores it: round(scale * L), round(chroma_scale * a or b).
struct LabQuantization {
  float scale;
  float chroma_scale;
};

/// The clusters of the integer path. Around the grid there is a border of cells without clusters,
/// so that every cell has nine neighbours. Arrays are [rows of cells + 2][columns of cells + 2].
struct IntegerClusters {
  const std::int32_t* la;         // int16 pair, multiples of 16
  const std::int32_t* b;          // int16 pair, the high half 0; a multiple of 16
  const std::int32_t* half_norm;  // |colour|^2 / 2; -1 where there is no cluster
  const std::int32_t* y;          // in 1 / kPositionStep pixels
  const std::int32_t* x;
  std::int32_t stride;                     // from one row of cells to the next
  float weight_y, weight_x;                // position -> weighted int16 position
  float position_norm_y, position_norm_x;  // weighted position, squared -> half the squared norm
};

inline constexpr std::int32_t kPositionStep = 8;

/// What a cell gives to one of its candidates, in the order in which kernels have a pixel's values
/// in a register.
struct alignas(64) IntegerSums {
  std::int64_t lightness, a, x, y, b, count, unused[2];
};

inline constexpr int kLowBits = 15;

/// Pixels of a cell that have their turn together (turns.h).
inline constexpr int kTurnGroup = 64;

/// One cell of the integer path. Arrays are readable 64 elements past n.
///
/// The code of a pixel is 15 - slot of its candidate. Codes lie in groups of 64 pixels in the order
/// that costs no shuffling: byte 4 i + k of a group is pixel 16 k + i.
struct IntegerCell {
  std::int64_t n;          // pixels
  const std::int16_t* la;  // [n][2]
  const std::int16_t* b;   // [n]
  const std::int16_t* xy;  // [n][2], in units that make every product a multiple of 16
  std::uint8_t* codes;     // in and out: [n rounded up to 64]
  const IntegerClusters* clusters;
  std::int32_t index;               // of the cell's own cluster
  std::int32_t corner_y, corner_x;  // as clusters' positions
  int turn, num_turns;              // the groups i that are assigned: i % num_turns == turn
  IntegerSums* sums;  // in and out: [9], by slot, kept equal to the sums over the members
};

inline constexpr int kCandidateGroup = 4;  // candidates that lie together for the float kernel

/// One cell of the float path. One of its candidates is the origin, from which the others, in
/// groups, are measured. Fields are the channels, then the dimensions.
struct FloatCell {
  std::int64_t n;               // pixels
  int turn, num_turns;          // the groups i that are done: i % num_turns == turn
  const float* features;        // [blocks of 16 pixels][channels][16]
  const float* coordinates;     // [blocks][dims][16]: voxel position / S, from the cell's corner
  const std::uint8_t* outside;  // nullptr, or [blocks][16]: not 0 where the pixel is masked out
  std::uint8_t* slots;          // out: [blocks][16]
  int channels;
  int dims;
  const float* origin;  // [fields]
  std::int32_t origin_slot;
  int num_candidates;            // without the origin
  int num_groups;                // that these fill; the rest of the last is 0
  const float* centers;          // [num_groups][fields][4], less the origin
  const float* biases;           // [num_groups][4]: -|center|^2 / 2, -infinity for the rest
  const std::int32_t* slots_of;  // [num_groups][4], ascending
  const float* color_weights;    // SLICO: [num_groups][4]; nullptr: all 1
  float origin_weight;           // SLICO
  const double* totals;  // [fields + 1]: the sums over all pixels inside the mask, and their count
  double* sums;          // in: 0, out: [slots][fields + 1], what goes to each candidate
  float* max_color;      // SLICO, in and out: [27], largest squared colour difference
  float* scratch;        // [min(blocks, 64)][fields][16]
};

/// Pixels whose channels lie side by side, the pixels `step` apart.
struct StridedFloats {
  const float* first;
  std::int64_t step;  // < 2^24
  int channels;
};

/// Where the colours of one row of an IntegerImage lie (integer_image.h).
struct IntegerRow {
  const std::int16_t* la;
  const std::int16_t* b;
  const std::int32_t* columns;  // [width][2], begin and end of the cell of each column
  std::int32_t offset;          // of the first pixel of the row of cells
  std::int32_t cell_height;
  std::int32_t y_in_cell;
  float unit;
};

/// Up to 16 pixels of one row and of one parity of x, each with a column on both sides.
struct BorderPixels {
  std::int32_t* row;          // labels
  const std::int32_t* above;  // of the row above
  const std::int32_t* below;
  const std::int32_t* x;  // [16], the last repeated: columns of the three rows here
  std::int32_t first_x;   // the image's column that column 0 here is
  int count;
  std::int32_t y;
  IntegerRow integer;   // read if `colors` is nullptr
  const float* colors;  // [channels][16]
  const float* means;   // [labels][stride]: colour, y, x
  int channels;
  int stride;
  std::int32_t start_label;  // labels below are outside
  float weight_y, weight_x;  // of a squared pixel
  float smoothness;          // of a neighbour with the same label
};

struct BorderChange {
  std::int32_t y, x, from, to;
};

/// A tag (labels.h) for the pixel in column x.
struct PixelTag {
  std::int32_t x;
  std::uint8_t tag;
};

/// out[m] = bias[m] + sum over k of coefficients[k][m] * in[k], for rows of `stride` pixels, a
/// multiple of 16 (row_kernels.h).
template <class R>
struct MixRows {
  const R* in;            // [num_in][stride]
  const R* coefficients;  // [num_in][num_out]
  const R* bias;          // [num_out], or nullptr: what is in `out` is added to
  R* out;                 // [num_out][stride]
  int num_in, num_out;
  std::int64_t stride;
};

/// sums[j][c] += sum over pixels of weights[j] * in[c], and sums[j][num_in] += that of weights[j];
/// as 16 terms each, for add_lanes().
template <class R>
struct SumProducts {
  const R* weights;  // [num_weights][stride]
  const R* in;       // [num_in][stride]
  R* sums;           // [num_weights][num_in + 1][16]
  int num_weights, num_in;
  std::int64_t stride;
};

/// Pixels that lie side by side in a row of an image, and where they go.
template <class R>
struct Segment {
  std::int64_t width;
  R origin;
  R* to;  // [height][width], writable 15 elements past it
};

/// Where such pixels come from.
template <class R>
struct RowSegment {
  std::int64_t width;
  const R* from;  // [height][width], readable 15 elements past it
};

/// The kernels of row_kernels.h in one precision.
template <class R>
struct RowKernels {
  void (*mix_rows)(const MixRows<R>& args);
  void (*sum_products)(const SumProducts<R>& args);
  void (*add_lanes)(const R* lanes, std::int64_t n, R* sums);
  void (*softmax_rows)(R* rows, int count, std::int64_t stride, std::int64_t n);
  void (*softmax_gradient_rows)(const R* weights, R* rows, int count, std::int64_t stride);
  void (*normalize_rows)(R* rows, int count, std::int64_t stride, R* inverses);
  void (*normalization_gradient_rows)(const R* weights, const R* inverses, R* rows, int count,
                                      std::int64_t stride);
};

/// Pixels of an image that lie side by side: lane i of a block of 16 is image[offset + i] if bit i
/// of `lanes` is set.
struct PixelPiece {
  std::int64_t offset;
  std::uint32_t lanes;
};

/// Where the pixels of the rows of a strip lie in a channel of an image, in blocks of 16.
struct PixelBlocks {
  const PixelPiece* pieces;
  const std::int32_t* ends;  // [count]: block i has the pieces from ends[i - 1] (0) to ends[i]
  int count;
};

/// A strip of a cell whose pixels belong to `num_candidates` superpixels (soft_pool_kernels.h).
/// Rows have 16 * pixels.count elements.
template <class R>
struct SoftPoolStrip {
  PixelBlocks pixels;
  std::int64_t offset;  // of the strip's first pixel in a channel
  int num_candidates;
  const R* association;     // [candidates] rows, 0 beyond the last pixel
  R* sums;                  // [candidates][channels]
  const R* const* centers;  // [candidates] pointers to [channels]
  const R* coefficients;    // [channels][candidates]
  const R* origin;          // [channels]
  const R* bias;            // [candidates], or nullptr: what is in `gradient` is added to
  R* gradient;              // [candidates] rows
};

/// Channels that are `plane` apart.
template <class S>
struct Channels {
  S* first;
  std::int64_t plane;
  int count;
};

/// Pixels of a cell in a row of an image, and the labels that they may get.
struct LabelSegment {
  std::int64_t width;
  int count;
  int slots[9];  // channels of the association, ascending
  std::int32_t labels[9];
};

/// The kernels of row_kernels.h, soft_pool_kernels.h and hard_label_kernels.h between rows and
/// images of elements S.
template <class S>
struct ImageKernels {
  using R = ComputeType<S>;

  void (*take_segments)(const S* from, std::int64_t step, std::int64_t height,
                        const Segment<R>* segments, int count);
  void (*put_segments)(const RowSegment<R>* segments, int count, std::int64_t step,
                       std::int64_t height, S* to);
  void (*put_row)(const R* from, std::int64_t step, std::int64_t height, std::int64_t width, S* to);
  /// sums[j][c] = sum over pixels of association[j] * values[c].
  void (*sum_values)(const SoftPoolStrip<R>* strips, int num_strips, Channels<const S> values);
  /// values[c] = sum over j of association[j] * centers[j][c].
  void (*mix_values)(const SoftPoolStrip<R>* strips, int num_strips, Channels<S> values);
  /// gradient[j] = bias[j] + sum over c of coefficients[c][j] * (values[c] - origin[c]).
  void (*mix_gradients)(const SoftPoolStrip<R>* strips, int num_strips, Channels<const S> values);
  /// The label of the greatest association of each pixel of the segments, which lie side by side.
  /// Channels are `plane` apart. Writes up to 15 labels more.
  void (*label_row)(const S* association, std::int64_t plane, const LabelSegment* segments,
                    int count, std::int32_t* labels);
};

/// Rows of the cells that a plane is cut into: cell (r, c) is the rows of pixels from row_edges[r]
/// to row_edges[r + 1] and the columns from column_edges[c] to column_edges[c + 1], ends excluded.
struct CellRows {
  std::int64_t width;                // of the plane
  const std::int64_t* row_edges;     // [num_rows + 1]
  const std::int64_t* column_edges;  // [num_columns + 1], from 0 to width
  std::int64_t num_rows, num_columns;
};

/// The kernels of pyramid_pool_kernels.h for planes of elements of type S; scratch as in
/// pyramid_pool_scratch.h.
template <class S>
struct PyramidPoolKernels {
  /// The sum of each cell [num_rows][num_columns]. With up to 32 rows of pixels each, rounding
  /// errors do not grow with the size of cells.
  void (*sum_cells)(const S* plane, const CellRows& cells, void* scratch, double* sums);
  void (*max_cells)(const S* plane, const CellRows& cells, void* scratch, Maximum<S>* maxima);
  /// Gives all pixels of a cell its value.
  void (*fill_cells)(const double* values, const CellRows& cells, void* scratch, S* plane);
};

/// Pixels that pooling brings together in rows of 16 channels (pool_kernels.h).
inline constexpr int kPoolTile = 64;

/// Cells [begin, begin + length) of a block, all of one tile, and `weight` pixels with this label
/// in each of them.
struct LabelRun {
  std::int32_t begin, length, label, weight;
};

/// What arrays of S are computed in.
template <class S>
using PoolReal = std::conditional_t<std::is_same_v<S, double>, double, float>;

/// n pixels of up to 16 planes that are `stride` apart.
template <class S>
struct PoolPlanes {
  S* first;
  std::int64_t stride;
  std::int64_t n;
  int channels;
  bool streams = false;  // written around the cache: float, whole lines at multiples of 64 bytes
};

/// Runs are sorted by tile. Tables have 16 channels a row.
template <class S>
struct PoolKernels {
  /// sums[label] += weight * the sum over the run; [labels][16].
  void (*sum_runs)(const PoolPlanes<const S>& planes, const LabelRun* runs, std::int64_t count,
                   double* sums);
  /// The greatest values so far, negated ones if `least`, and where the first of them is, counted
  /// from `first_index`; [labels][16]. Index -1: none so far. NaN is greater than all.
  void (*best_runs)(const PoolPlanes<const S>& planes, const LabelRun* runs, std::int64_t count,
                    bool least, std::int64_t first_index, ComputeType<S>* best,
                    std::int32_t* indices);
  /// out = table[label + 1].
  void (*put_labels)(const ComputeType<S>* table, const std::int32_t* labels,
                     const PoolPlanes<S>& out);
  void (*put_wide_labels)(const ComputeType<S>* table, const std::int64_t* labels,
                          const PoolPlanes<S>& out);
  /// out = sum over the runs of a pixel of weight * table[label + 1].
  void (*put_runs)(const ComputeType<S>* table, const LabelRun* runs, std::int64_t count,
                   const PoolPlanes<S>& out);
};

struct Kernels {
  const char* name;

  /// rgb [n][3] -> la [n][2], b [n]. `linear` maps the 256 byte values to linear light.
  void (*lab_from_u8)(const std::uint8_t* rgb, std::int64_t n, const float* linear,
                      LabQuantization q, std::int16_t* la, std::int16_t* b);
  /// sRGB planes in [0, 1] -> L, a, b planes, each times a factor; may be in place.
  void (*lab_from_float)(const float* r, const float* g, const float* b, std::int64_t n,
                         float factor, float chroma_factor, float* lightness, float* a_out,
                         float* b_out);

  /// Sets sums[3] to those of L, a, b over n pixels, la [n][2] and b [n].
  void (*sum_integer_colors)(const std::int16_t* la, const std::int16_t* b, std::int64_t n,
                             std::int64_t* sums);
  /// Assigns every pixel to its best candidate and updates the sums. Returns whether any changed.
  bool (*assign_integer_cell)(const IntegerCell& cell);
  void (*assign_float_cell)(const FloatCell& cell);
  /// Adds what becomes the totals of a cell to sums [fields + 1]. Reads no candidates.
  void (*sum_float_cell)(const FloatCell& cell);
  /// (value - low) * scale for n pixels, into planes that are `stride` apart.
  void (*stretch_floats)(const StridedFloats& in, std::int64_t n, float low, float scale,
                         float* planes, std::int64_t stride);
  /// The least and greatest of n > 0 values; false, these left open, where one is not finite.
  bool (*extremes_of_floats)(const float* values, std::int64_t n, float* low, float* high);

  /// out[i] = table[code of pixel i] for a cell's codes; out has room for n rounded up to 64.
  void (*labels_from_codes)(const std::uint8_t* codes, std::int64_t n, const std::int32_t* table,
                            std::int32_t* out);
  void (*tags_from_codes)(const std::uint8_t* codes, std::int64_t n, const std::int32_t* table,
                          std::uint8_t* out);
  /// Bit x % 64 of bits[x / 64] is set where row[x] differs from one of its 4 neighbours; `above`
  /// and `below` are nullptr at the edge of the image. bits has (n + 63) / 64 words.
  void (*find_borders)(const std::int32_t* row, const std::int32_t* above,
                       const std::int32_t* below, std::int64_t n, std::uint64_t* bits);
  /// What the majority filter (smooth.h) changes in a row of tags, readable 64 elements before and
  /// after like those above and below it; returns how many. `out` has room for n.
  std::int64_t (*find_majorities)(const std::uint8_t* row, const std::uint8_t* above,
                                  const std::uint8_t* below, std::int64_t n, PixelTag* out);
  /// Starts of the runs of equal labels in a row, 0 among them, also as bits x % 64 of bits[x /
  /// 64]; returns how many. starts has room for n, bits for (n + 63) / 64 words.
  std::int64_t (*find_runs)(const std::int32_t* row, std::int64_t n, std::int32_t* starts,
                            std::uint64_t* bits);
  /// The same for a row of tags, readable 64 elements before and after.
  std::int64_t (*find_tag_runs)(const std::uint8_t* row, std::int64_t n, std::int32_t* starts,
                                std::uint64_t* bits);
  /// out[x] = values[i] for x in run i; starts as find_runs() gives them for n pixels.
  void (*fill_runs)(const std::int32_t* starts, const std::int32_t* values, std::int64_t count,
                    std::int64_t n, std::int32_t* out);
  /// One step of the border refinement (refine.h). Returns how many labels changed.
  int (*refine_pixels)(const BorderPixels& pixels, BorderChange* changes);

  RowKernels<float> float_rows;
  RowKernels<double> double_rows;
  ImageKernels<float> float_images;
  ImageKernels<double> double_images;
  ImageKernels<detail::Half> half_images;
  ImageKernels<detail::BFloat16> bfloat16_images;
  PyramidPoolKernels<float> float_pyramid_pool;
  PyramidPoolKernels<double> double_pyramid_pool;
  PyramidPoolKernels<detail::Half> half_pyramid_pool;
  PyramidPoolKernels<detail::BFloat16> bfloat16_pyramid_pool;

  /// Whether n labels are in [-1, num_segments).
  bool (*are_labels)(const std::int32_t* labels, std::int64_t n, std::int32_t num_segments);
  bool (*are_wide_labels)(const std::int64_t* labels, std::int64_t n, std::int32_t num_segments);
  /// The runs of n labels, cut where tiles end, without those of label -1; returns how many. `runs`
  /// has room for n.
  std::int64_t (*find_label_runs)(const std::int32_t* labels, std::int64_t n, LabelRun* runs);
  std::int64_t (*find_wide_label_runs)(const std::int64_t* labels, std::int64_t n, LabelRun* runs);
  PoolKernels<float> float_pool;
  PoolKernels<double> double_pool;
  PoolKernels<detail::Half> half_pool;
  PoolKernels<detail::BFloat16> bfloat16_pool;
};

/// Those that this processor and build have, the best last.
std::vector<const Kernels*> all_kernels();

/// The best kernels for this processor, or those that SUPERPIX_SIMD names.
const Kernels& kernels();

}  // namespace superpix::cpu
