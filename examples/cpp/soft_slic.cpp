// SPDX-License-Identifier: Apache-2.0
//
// Soft SLIC forward and backward in plain C++: features of an image are moved, by gradient descent,
// until their superpixels fit a given segmentation better.
#include <superpix/superpix.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <vector>

using superpix::ArrayView;

namespace {

constexpr std::int64_t kHeight = 48, kWidth = 64, kPixels = kHeight * kWidth;
constexpr std::int64_t kChannels = 3, kRows = 4, kColumns = 5, kSuperpixels = kRows * kColumns;

/// 1 in a disc, 0 around it: what the superpixels are to keep apart.
std::vector<float> target_of_disc() {
  std::vector<float> target(kPixels);
  for (std::int64_t p = 0; p < kPixels; ++p) {
    const double y = static_cast<double>(p / kWidth) - 24, x = static_cast<double>(p % kWidth) - 30;
    target[p] = y * y + x * x < 15 * 15 ? 1.0F : 0.0F;
  }
  return target;
}

/// y, x and a channel in which the disc is hardly seen.
std::vector<float> first_features(const std::vector<float>& target) {
  std::vector<float> features(kChannels * kPixels);
  for (std::int64_t p = 0; p < kPixels; ++p) {
    features[p] = static_cast<float>(p / kWidth) / 6;
    features[kPixels + p] = static_cast<float>(p % kWidth) / 6;
    features[2 * kPixels + p] = 0.1F * target[p];
  }
  return features;
}

}  // namespace

int main() {
  const std::vector<float> target = target_of_disc();
  std::vector<float> features = first_features(target);

  // What an iteration writes. All memory is ours; the library keeps none of it.
  superpix::SoftSlicParams params;
  params.rows = kRows;
  params.columns = kColumns;
  params.num_iter = 5;
  std::vector<float> association(9 * kPixels), centers(kChannels * kSuperpixels);
  std::vector<float> history(superpix::soft_slic_history_size(1, kChannels, params));
  std::vector<float> means(kSuperpixels), weights(kSuperpixels), found(kPixels);
  std::vector<float> grad_found(kPixels), grad_means(kSuperpixels), grad_features(features.size());
  std::vector<float> grad_by_means(9 * kPixels), grad_by_found(9 * kPixels);

  const ArrayView x = ArrayView::contiguous(features.data(), {1, kChannels, kHeight, kWidth});
  const ArrayView a = ArrayView::contiguous(association.data(), {1, 9, kHeight, kWidth});
  const ArrayView c = ArrayView::contiguous(centers.data(), {1, kChannels, kSuperpixels});
  const ArrayView h =
      ArrayView::contiguous(history.data(), {static_cast<std::int64_t>(history.size())});
  const ArrayView t = ArrayView::contiguous(target.data(), {1, 1, kHeight, kWidth});
  const ArrayView m = ArrayView::contiguous(means.data(), {1, 1, kSuperpixels});
  const ArrayView w = ArrayView::contiguous(weights.data(), {1, kSuperpixels});
  const ArrayView f = ArrayView::contiguous(found.data(), {1, 1, kHeight, kWidth});
  const ArrayView grad_x =
      ArrayView::contiguous(grad_features.data(), {1, kChannels, kHeight, kWidth});
  const ArrayView grad_m = ArrayView::contiguous(grad_means.data(), {1, 1, kSuperpixels});
  const ArrayView grad_f = ArrayView::contiguous(grad_found.data(), {1, 1, kHeight, kWidth});
  const ArrayView grad_a1 = ArrayView::contiguous(grad_by_found.data(), {1, 9, kHeight, kWidth});
  const ArrayView grad_a2 = ArrayView::contiguous(grad_by_means.data(), {1, 9, kHeight, kWidth});
  const superpix::SoftPoolParams pooling{kRows, kColumns};
  const superpix::SoftUnpoolParams unpooling{kRows, kColumns};

  double first_loss = 0, loss = 0;
  for (int step = 0; step < 40; ++step) {
    // Forward: the target goes to superpixels and back, and what is lost is the loss.
    superpix::soft_slic(x, nullptr, &a, c, &h, params);
    superpix::soft_pool(t, a, m, &w, pooling);
    superpix::soft_unpool(m, a, f, unpooling);
    loss = 0;
    for (std::int64_t p = 0; p < kPixels; ++p) {
      const float difference = found[p] - target[p];
      loss += static_cast<double>(difference) * difference / kPixels;
      grad_found[p] = 2 * difference / static_cast<float>(kPixels);
    }
    if (step == 0) first_loss = loss;
    if (step % 10 == 0) std::printf("step %2d  loss %.4f\n", step, loss);

    // Backward, in the opposite order.
    superpix::soft_unpool_backward(m, a, grad_f, &grad_m, &grad_a1, unpooling);
    superpix::soft_pool_backward(t, a, m, w, grad_m, nullptr, &grad_a2, pooling);
    for (std::size_t i = 0; i < grad_by_found.size(); ++i) grad_by_found[i] += grad_by_means[i];
    superpix::soft_slic_backward(x, h, &grad_a1, nullptr, grad_x, nullptr, params);
    for (std::size_t i = 0; i < features.size(); ++i) features[i] -= 300 * grad_features[i];
  }
  std::printf("after    loss %.4f\n", loss);
  return loss < 0.5 * first_loss ? 0 : 1;
}
