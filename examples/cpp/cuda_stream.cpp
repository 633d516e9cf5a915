// SPDX-License-Identifier: Apache-2.0
//
// SLIC on a CUDA device, on a stream of the caller's and in memory of the caller's: the library
// allocates nothing there and waits for nothing.
#include <cuda_runtime.h>
#include <superpix/superpix.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

using superpix::ArrayView;

namespace {

void check(cudaError_t status) {
  if (status != cudaSuccess) throw std::runtime_error(cudaGetErrorString(status));
}

/// Memory that is taken and freed in the order of a stream.
class DeviceMemory {
 public:
  DeviceMemory(std::size_t bytes, cudaStream_t stream) : stream_(stream) {
    check(cudaMallocAsync(&data_, bytes, stream));
  }
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;
  ~DeviceMemory() { cudaFreeAsync(data_, stream_); }
  void* data() const { return data_; }

 private:
  cudaStream_t stream_;
  void* data_ = nullptr;
};

void run() {
  constexpr std::int64_t kHeight = 480, kWidth = 640;
  std::vector<std::uint8_t> pixels(kHeight * kWidth * 3);
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    pixels[i] = static_cast<std::uint8_t>(i / 3 % kWidth / 3 + i % 3 * 20);
  }
  std::vector<std::int32_t> labels(kHeight * kWidth);

  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  {
    const DeviceMemory device_pixels(pixels.size(), stream);
    const DeviceMemory device_labels(labels.size() * sizeof labels[0], stream);
    const ArrayView image =
        ArrayView::contiguous(device_pixels.data(), superpix::DType::kUInt8, {kHeight, kWidth, 3});
    const ArrayView output =
        ArrayView::contiguous(device_labels.data(), superpix::DType::kInt32, {kHeight, kWidth});
    superpix::SlicParams params;
    params.num_segments = 300;
    params.convert_to_lab = true;

    superpix::Context context;
    context.device = superpix::Device::kCuda;
    check(cudaGetDevice(&context.device_index));
    context.stream = stream;
    // First how much working memory it takes, which depends on shapes and parameters alone.
    std::size_t bytes = 0;
    context.workspace_query = &bytes;
    superpix::slic(image, nullptr, output, params, context);
    const DeviceMemory workspace(bytes, stream);
    context.workspace_query = nullptr;
    context.workspace = workspace.data();
    context.workspace_size = bytes;

    // In the order of the stream. The library waits for nothing; copies wait for memory that is not
    // pinned, as this.
    check(cudaMemcpyAsync(device_pixels.data(), pixels.data(), pixels.size(),
                          cudaMemcpyHostToDevice, stream));
    superpix::slic(image, nullptr, output, params, context);
    check(cudaMemcpyAsync(labels.data(), device_labels.data(), labels.size() * sizeof labels[0],
                          cudaMemcpyDeviceToHost, stream));
    check(cudaStreamSynchronize(stream));
    std::printf("%d superpixels, %zu bytes of workspace\n",
                *std::max_element(labels.begin(), labels.end()), bytes);
  }
  check(cudaStreamDestroy(stream));
}

}  // namespace

int main() {
  if (!superpix::cuda_available()) {
    std::printf("no CUDA device\n");
    return 0;
  }
  try {
    run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
