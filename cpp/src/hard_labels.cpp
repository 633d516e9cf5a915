// SPDX-License-Identifier: Apache-2.0
#include <superpix/hard_labels.h>

#include <cstdint>
#include <string>

#include "cpu/hard_labels.h"
#include "cuda/hard_labels.h"
#include "detail/check.h"
#include "detail/check_device.h"
#include "detail/resolve_threads.h"
#include "detail/soft_arguments.h"

namespace superpix {

void hard_labels(const ArrayView& association, const ArrayView& labels,
                 const HardLabelsParams& params, const Context& context) {
  constexpr const char* kOp = "hard_labels";
  const bool on_cuda = detail::on_cuda(context, kOp);
  const detail::SoftArguments arguments(kOp, association, "association", params.rows,
                                        params.columns);
  arguments.pixels(&association, "association", 9);
  if (labels.dtype != DType::kInt32 && labels.dtype != DType::kInt64) {
    throw InvalidType(std::string(kOp) + ": labels must be int32 or int64, got " +
                      name(labels.dtype));
  }
  arguments.labels(labels, "labels");
  if (on_cuda) return cuda::hard_labels(association, labels, params, context);
  if (detail::answers_query(context)) return;
  const int num_threads = detail::resolve_threads(context.num_threads, kOp);
  if (association.size() == 0) return;
  detail::with_floating(association.dtype, [&](auto type) {
    using S = typename decltype(type)::type;
    const auto run = [&](auto* to) {
      cpu::hard_labels(association.shape[0], association.shape[2], association.shape[3],
                       static_cast<const S*>(association.data), to, params, num_threads);
    };
    if (labels.dtype == DType::kInt32) {
      run(static_cast<std::int32_t*>(labels.data));
    } else {
      run(static_cast<std::int64_t*>(labels.data));
    }
  });
}

}  // namespace superpix
