// SPDX-License-Identifier: Apache-2.0
#include "connectivity_stage.h"

#include "components.h"
#include "merge.h"
#include "numbering.h"
#include "split.h"

namespace superpix::cuda {

ConnectivityStage::ConnectivityStage(Call& call, const StageShape& shape, std::int64_t num_labels)
    : shape_(shape) {
  const std::int64_t n = shape.volume.num_pixels();
  regions_.volume = shape.volume;
  regions_.channels = shape.channels;
  regions_.positions = shape.refine_iter > 0 ? 2 : 0;
  regions_.min_size = shape.min_size;
  regions_.max_size = shape.max_size;
  regions_.map = call.take<std::int32_t>(n);
  regions_.nodes = call.take<Node>(n);
  regions_.sums = call.take<std::int64_t>(n * regions_.fields());
  regions_.list = call.take<std::int32_t>(n);
  if (shape.max_size > 0) {
    split_.claim = call.take<std::uint32_t>(n);
    split_.flooded = call.take<std::int32_t>(n);
    split_.starts = call.take<std::int32_t>(n);
  }
  if (shape.max_segments > 0) pairs_.take(call, shape.volume);
  if (shape.refine_iter > 0) {
    const std::int64_t height = shape.volume.height;
    const std::int64_t width = shape.volume.width;
    max_labels_ = RefineScratch::max_labels(shape.volume, shape.min_size, shape.has_outside);
    refine_.roots = call.take<std::int32_t>(max_labels_);
    refine_.means = call.take<float>(max_labels_ * (shape.channels + 2));
    refine_.room = call.take<std::int32_t>(max_labels_);
    refine_.gain = call.take<std::int32_t>(2 * max_labels_);
    refine_.borders = call.take<std::uint32_t>(height * RefineScratch::words(shape.volume));
    refine_.num_moves = call.take<std::int32_t>((height + 1) / 2);
    refine_.moves = call.take<int2>((height + 1) / 2 * ((width + 1) / 2));
  }
  num_zero_ = kNumCounters + Numbering::words(shape.volume) + Numbering::kMostChunks + num_labels;
  zero_ = call.take<std::int32_t>(num_zero_);
}

void ConnectivityStage::enqueue(const Call& call, const StageInput& input,
                                std::int32_t* out) const {
  if (shape_.volume.num_pixels() == 0) return;
  Regions regions = regions_;
  regions.counters = reinterpret_cast<Counters*>(zero_);
  Numbering numbering{};
  numbering.is_first = reinterpret_cast<std::uint32_t*>(zero_ + kNumCounters);
  numbering.chunks = zero_ + kNumCounters + Numbering::words(shape_.volume);
  call.clear(zero_, num_zero_);
  find_components(call, regions, input, out);
  const bool tags = input.kind != StageInput::Labels::kIntegers;
  LabelMeans means{};
  means.means = input.label_means;
  means.num_large = numbering.chunks + Numbering::kMostChunks;
  means.labels = tags ? out : static_cast<const std::int32_t*>(input.labels);
  split_regions(call, regions, split_, input.colors, means, tags ? out : nullptr);
  merge_fragments(call, regions, input.colors, input.kappa);
  if (shape_.max_segments > 0) {
    merge_pairs(call, regions, pairs_, input.colors, input.kappa, shape_.max_segments);
  }
  number_regions(call, regions, numbering, shape_.start_label, refine_.roots);
  if (shape_.refine_iter == 0) {
    write_labels(call, regions, shape_.start_label - 1, out);
    return;
  }
  refine(
      call, regions, refine_, input.colors,
      {shape_.start_label, static_cast<float>(input.weight_y), static_cast<float>(input.weight_x),
       static_cast<float>(input.smoothness), shape_.refine_iter},
      max_labels_, out);
}

}  // namespace superpix::cuda
